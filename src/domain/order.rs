//! A decided order, as the database keeps it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CartHash, Customer, Money, OrderId, Quantity, Reason, Sku, Status, Timestamp};

/// What the database knows of an order. It holds the truth (DESIGN: who holds the truth).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderState {
    /// Its items are blocked, and nothing is settled.
    #[serde(rename = "BLOCK")]
    Blocked,
    /// Sold. Final.
    Placed,
    /// Nothing blocked. Final.
    Failed,
}

impl OrderState {
    /// The status that a client sees at least.
    pub const fn status(self) -> Status {
        match self {
            Self::Blocked => Status::Block,
            Self::Placed => Status::Placed,
            Self::Failed => Status::Failed,
        }
    }

    /// The number stored in the database.
    pub const fn code(self) -> u8 {
        match self {
            Self::Blocked => 1,
            Self::Placed => 2,
            Self::Failed => 3,
        }
    }

    /// The state that [`OrderState::code`] stored.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Blocked),
            2 => Some(Self::Placed),
            3 => Some(Self::Failed),
            _ => None,
        }
    }
}

/// One line of a decided order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderLine {
    /// The item.
    pub sku: Sku,
    /// How many units.
    pub quantity: Quantity,
    /// The price of one unit when it was decided; zero for an unknown item.
    pub price: Money,
    /// What was available just before this order was decided.
    pub available_before: i64,
    /// The item's stock version that the decision saw (see [`crate::inventory::StockLevel::version`]).
    pub stock_version: u64,
}

/// The batch an order was decided in, and its place in it (from 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchRef {
    /// The number of the batch.
    pub id: u64,
    /// The place in the batch, from 0.
    pub position: u32,
}

/// A decided order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// Its id.
    pub order_id: OrderId,
    /// Whose it is; a tombstone may not know.
    pub customer: Option<Customer>,
    /// The hash of the cart it was decided for; a tombstone may not know.
    pub cart_hash: Option<CartHash>,
    /// The lines, ordered by SKU. Empty in a tombstone: an order that failed before its cart was decided.
    pub lines: Vec<OrderLine>,
    /// What it costs: fixed here, when the items are blocked.
    pub amount: Money,
    /// Where it stands.
    pub state: OrderState,
    /// Why it failed.
    pub reason: Option<Reason>,
    /// When the cart was accepted.
    pub accepted_at: Timestamp,
    /// When the worker decided, by the database's clock.
    pub decided_at: Timestamp,
    /// Until when the items are held, by the database's clock.
    pub hold_until: Timestamp,
    /// When it became PLACED or FAILED after having been blocked.
    pub settled_at: Option<Timestamp>,
    /// Which batch decided it; none for a tombstone.
    pub batch: Option<BatchRef>,
}

impl Order {
    /// How much memory it takes, by estimate: what caches of orders are bounded by (rule 22). Texts count in full,
    /// though copies of an order share them.
    pub fn memory_bytes(&self) -> usize {
        // An allocation of its own has two counters, and is rounded up.
        const TEXT: usize = 24;
        let customer = self
            .customer
            .as_ref()
            .map_or(0, |name| TEXT + name.as_str().len());
        let skus: usize = (self.lines.iter())
            .map(|line| TEXT + line.sku.as_str().len())
            .sum();
        size_of::<Self>() + customer + self.lines.capacity() * size_of::<OrderLine>() + skus
    }
}

#[cfg(test)]
impl Order {
    /// A blocked order with so many lines, for tests of what is bounded in bytes.
    pub(crate) fn blocked_with_lines(order_id: OrderId, lines: u32) -> Self {
        let line = |number| OrderLine {
            sku: Sku::synthetic(number),
            quantity: Quantity::new(1).unwrap(),
            price: Money::ZERO,
            available_before: 1,
            stock_version: 1,
        };
        Self {
            lines: (0..lines).map(line).collect(),
            ..Self::blocked(order_id)
        }
    }

    /// A blocked order without lines, for tests of what holds whatever is in it.
    pub(crate) fn blocked(order_id: OrderId) -> Self {
        let at = Timestamp::from_millis(7);
        Self {
            order_id,
            customer: None,
            cart_hash: None,
            lines: Vec::new(),
            amount: Money::ZERO,
            state: OrderState::Blocked,
            reason: None,
            accepted_at: at,
            decided_at: at,
            hold_until: at,
            settled_at: None,
            batch: None,
        }
    }
}
