//! The audit of committed state: what it can find, and the checkpoints that spare it what was checked before.
//!
//! [`orders`] checks orders one by one as they are read, once for all SQL adapters, and adds up what a checkpoint
//! keeps of them; [`checkpoint`] is what is kept.

mod checkpoint;
mod checksum;
pub(in crate::inventory) mod orders;
mod query;
mod sink;

pub use checkpoint::{BatchRange, Checkpoint, Coverage, CoveredUnits};
pub(crate) use checksum::Checksum;
pub(in crate::inventory) use query::{Query, Run};
pub use sink::{CheckedOrder, OrderPages, OrderSink};

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::OrderId;

/// What to audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRequest {
    /// A BLOCK order counts as overdue, and a refund as unrefunded, when late by more than this.
    pub grace: Duration,
    /// Whether to read orders, too, that a checkpoint covers.
    pub full: bool,
    /// Orders that other stores contradict: no checkpoint may cover their batches.
    pub at_fault: Vec<OrderId>,
}

impl AuditRequest {
    /// Everything.
    pub const fn full(grace: Duration) -> Self {
        Self {
            grace,
            full: true,
            at_fault: Vec::new(),
        }
    }

    /// What no checkpoint covers.
    pub const fn incremental(grace: Duration) -> Self {
        Self {
            grace,
            full: false,
            at_fault: Vec::new(),
        }
    }
}

/// The result of checking committed state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditReport {
    /// Items checked.
    pub skus: u64,
    /// Orders checked: those that no checkpoint covers, or all.
    pub orders: u64,
    /// Units sold, in all.
    pub units_sold: u64,
    /// BLOCK orders that are overdue by more than the grace. The gateway may still owe their verdict: the caller,
    /// who can ask it, tells them apart.
    pub overdue: Vec<OrderId>,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
    /// What a new checkpoint can cover beside orders at fault; none if that is nothing, or if anything else than single
    /// orders is wrong.
    #[serde(default)]
    pub coverage: Option<Coverage>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Which check found it.
    pub check: Check,
    /// The SKU or the order at fault.
    pub subject: String,
    /// What is wrong, with the numbers.
    pub detail: String,
    /// How much of it, in units, orders or refunds: what the check's count grows by.
    pub count: u64,
}

/// In a line, such as `oversold: SKU-00001: sold 11 of 10`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}: {}",
            self.check.as_str(),
            self.subject,
            self.detail
        )
    }
}

/// The checks, by the names of their counts in JSON.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// C: more units blocked and sold than there ever were, or available below 0 without a correction.
    Oversold,
    /// C: the counters of an item and the carts of its orders disagree.
    Conservation,
    /// U: more than one reservation, release, captured charge or refund for an order.
    Uniqueness,
    /// P: paid and neither placed nor refunded; or placed and not paid.
    Unpaid,
    /// P: a refund is recorded and not executed within the grace.
    Unrefunded,
    /// L: an accepted order without an outcome past its deadline and the grace.
    Stuck,
    /// D: a client was told something that is not so.
    Lost,
    /// V: the status store contradicts the database.
    Projection,
    /// N: a buyer was refused a cart that was free throughout.
    Undersold,
}

impl Check {
    /// Every check.
    pub const ALL: [Self; 9] = [
        Self::Oversold,
        Self::Undersold,
        Self::Lost,
        Self::Stuck,
        Self::Unrefunded,
        Self::Conservation,
        Self::Uniqueness,
        Self::Unpaid,
        Self::Projection,
    ];

    /// The name of its count in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oversold => "oversold",
            Self::Conservation => "conservation",
            Self::Uniqueness => "uniqueness",
            Self::Unpaid => "unpaid",
            Self::Unrefunded => "unrefunded",
            Self::Stuck => "stuck",
            Self::Lost => "lost",
            Self::Projection => "projection",
            Self::Undersold => "undersold",
        }
    }
}
