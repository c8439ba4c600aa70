//! The payment gateway: it knows what was paid. Everything goes by idempotency key, which is the order id.

pub mod http;
mod identity;
pub mod simulated;

use std::future::Future;

use serde::Serialize;
use utoipa::ToSchema;

pub use crate::ports::Error;
pub use identity::{GatewayIdentity, Identity};

use crate::domain::{Customer, Money, OrderId, Timestamp};

/// A payment gateway.
///
/// An error of kind `OutcomeUnknown` or `Unavailable` says nothing about whether money moved: look it up, or repeat.
pub trait Payments: Send + Sync + 'static {
    /// Charges an order once, however often it is called: the key keeps the charge single.
    fn charge(&self, charge: Charge) -> impl Future<Output = Result<Verdict, Error>> + Send;

    /// What the gateway knows of a charge. `None` is no verdict: a charge sent may still arrive (rule 1).
    fn lookup(&self, id: OrderId) -> impl Future<Output = Result<Option<Verdict>, Error>> + Send;

    /// What the gateway has done under a key, for an audit; `None` if it knows nothing of it.
    fn record(
        &self,
        id: OrderId,
    ) -> impl Future<Output = Result<Option<ChargeRecord>, Error>> + Send;

    /// Fences the key: whatever arrives later under it is declined. Also for keys never seen.
    fn cancel(&self, id: OrderId) -> impl Future<Output = Result<Cancelled, Error>> + Send;

    /// Returns a captured amount, once however often it is called.
    fn refund(&self, id: OrderId, amount: Money) -> impl Future<Output = Result<(), Error>> + Send;

    /// What the gateway can tell about the attempts to pay an order, oldest first; empty if it does not tell.
    fn attempts(&self, id: OrderId) -> impl Future<Output = Result<Vec<Attempt>, Error>> + Send;

    /// Entries of the ledger; `None` from a gateway that cannot be listed.
    fn ledger(
        &self,
        query: LedgerQuery,
    ) -> impl Future<Output = Result<Option<Vec<LedgerEntry>>, Error>> + Send;
}

/// A charge to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The idempotency key.
    pub order_id: OrderId,
    /// Who pays.
    pub customer: Customer,
    /// How much: fixed in the order's row.
    pub amount: Money,
}

/// What a gateway says of a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Verdict {
    /// The money is there.
    Captured {
        /// How much.
        amount: Money,
    },
    /// It never will be, under this key.
    Declined {
        /// Why, in the gateway's words.
        reason: String,
    },
    /// Not known yet: ask again.
    Pending,
}

/// What a gateway has done under one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChargeRecord {
    /// Where the charge stands; `None` if no attempt has come to anything.
    pub verdict: Option<Verdict>,
    /// What was returned; `None` from a gateway that does not tell.
    pub refunded: Option<Money>,
}

impl ChargeRecord {
    /// What was captured; zero if nothing.
    pub fn captured(&self) -> Money {
        match self.verdict {
            Some(Verdict::Captured { amount }) => amount,
            _ => Money::ZERO,
        }
    }

    /// Whether money was returned, as far as the gateway tells.
    pub fn is_refunded(&self) -> bool {
        self.refunded.is_some_and(|refunded| refunded > Money::ZERO)
    }
}

/// What a gateway says when a key is fenced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelled {
    /// Nothing was captured under this key, and nothing ever will be.
    Fenced,
    /// Too late: it was captured.
    Captured {
        /// How much.
        amount: Money,
    },
}

/// One attempt to charge, as the gateway saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Attempt {
    /// When it arrived.
    pub at: Timestamp,
    /// What came of it, in words: `captured`, `declined`, `timed out`, `captured, answer lost`, `refunded`, `fenced`.
    pub outcome: String,
}

/// Which entries of a ledger to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerQuery {
    /// A page, ordered by key.
    After {
        /// Only those after this key.
        key: Option<OrderId>,
        /// At most this many.
        limit: usize,
    },
    /// Those of these keys, ordered by key.
    Keys(Vec<OrderId>),
    /// A page of captured charges, ordered by the time of capture, then by key.
    Captured {
        /// Only those after this one.
        after: CaptureCursor,
        /// At most this many.
        limit: usize,
    },
}

impl LedgerQuery {
    /// At most `limit` entries after a key.
    pub const fn after(key: Option<OrderId>, limit: usize) -> Self {
        Self::After { key, limit }
    }
}

/// Where a scan of captured charges continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CaptureCursor {
    /// When the charge was captured, by the gateway's clock.
    pub captured_at: Timestamp,
    /// Its key, among those that were captured at once.
    pub order_id: OrderId,
}

impl CaptureCursor {
    /// Before all charges that were captured at this time or later.
    pub const fn since(captured_at: Timestamp) -> Self {
        Self {
            captured_at,
            order_id: OrderId::from_bytes([0; 16]),
        }
    }
}

impl From<&LedgerEntry> for CaptureCursor {
    fn from(entry: &LedgerEntry) -> Self {
        Self {
            captured_at: entry.at,
            order_id: entry.order_id,
        }
    }
}

/// One key of a gateway's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LedgerEntry {
    /// The key.
    pub order_id: OrderId,
    /// What was captured, in all; zero if nothing.
    pub captured: Money,
    /// How many charges were captured: never more than one.
    pub captures: u64,
    /// What was returned, in all.
    pub refunded: Money,
    /// How many refunds were executed: never more than one.
    pub refunds: u64,
    /// When the charge came to its present state; a refund leaves this as it is.
    pub at: Timestamp,
}
