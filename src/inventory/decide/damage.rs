//! What is wrong with rows that contradict each other.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::Sku;

/// Why an order cannot be settled: somebody has changed its rows, or those of its items, past this program.
///
/// The order stays as it is, so that the audit shows it and a repair brings it back: the next attempt settles it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// The order holds units of an item that is not there.
    #[error("the catalogue has no item {sku}, of which the order holds {units}")]
    MissingItem {
        /// The item.
        sku: Sku,
        /// How many units the order holds.
        units: i64,
    },
    /// Fewer units are blocked than the order holds.
    #[error("{blocked} units of {sku} are blocked, and the order alone holds {units}")]
    TooFewBlocked {
        /// The item.
        sku: Sku,
        /// How many units are blocked.
        blocked: i64,
        /// How many units the order holds.
        units: i64,
    },
    /// A counter would leave the range of its type.
    #[error("a counter of {sku} is at the end of its range")]
    CounterOverflow {
        /// The item.
        sku: Sku,
    },
}
