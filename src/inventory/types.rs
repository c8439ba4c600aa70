//! What goes into and comes out of the inventory port.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::decide::Damage;
use crate::domain::{
    AcceptedCart, CartHash, Customer, Money, Order, OrderId, Reason, Sku, Timestamp,
};

/// Carts to decide together.
#[derive(Debug, Clone)]
pub struct ReserveBatch {
    /// The carts, in arrival order.
    pub carts: Vec<AcceptedCart>,
    /// How long the items of a successful cart are held.
    pub hold: Duration,
}

/// What a batch of carts came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Reservation {
    /// One per cart, in the same order.
    pub outcomes: Vec<ReserveOutcome>,
    /// The items that changed, as committed.
    pub levels: Vec<StockLevel>,
}

/// What one cart came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReserveOutcome {
    /// The order as the database has it now: just decided, or decided earlier.
    Order(Order),
    /// The id had been used with another cart; nothing was changed (rule 5).
    IdConflict,
}

/// One order to settle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Settle {
    /// Which.
    pub order_id: OrderId,
    /// How.
    pub action: SettleAction,
}

/// How an order is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettleAction {
    /// Its payment was captured. BLOCK becomes PLACED, or, if stock has become negative under it or another amount than
    /// its own was captured, FAILED with the items back and a refund recorded. A payment for a failed or missing order is refunded (rule 2).
    Confirm {
        /// What was captured, and what a refund would return.
        captured: Money,
    },
    /// The gateway has fenced its key (rule 1): BLOCK becomes FAILED, the items go back.
    Release {
        /// Why.
        reason: Reason,
    },
    /// Nobody decided it in time, or nobody could read it: a missing order becomes FAILED (a tombstone); any other
    /// keeps its state.
    Abandon {
        /// Why.
        reason: Reason,
        /// Whose it was, where known.
        customer: Option<Customer>,
        /// Which cart it was, where known.
        cart_hash: Option<CartHash>,
    },
}

/// What a batch of settlements came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Settlement {
    /// One per action, in the same order.
    pub outcomes: Vec<SettleOutcome>,
    /// The items that changed, as committed.
    pub levels: Vec<StockLevel>,
}

/// What one settlement came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettleOutcome {
    /// The order as the database has it now; none only after releasing an order that does not exist.
    pub order: Option<Order>,
    /// Whether this action changed it.
    pub applied: bool,
    /// Why it could not be settled, and was left as it is: its rows contradict each other (rule 18).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<Damage>,
}

/// The stock of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StockLevel {
    /// The item.
    pub sku: Sku,
    /// Units that can be sold. Below 0 only after a correction.
    pub available: i64,
    /// Units held for orders that are not settled.
    pub blocked: i64,
    /// Units sold.
    pub sold: i64,
    /// Grows by one with every change of this item's stock.
    pub version: u64,
    /// When the earliest hold on the item runs out, if that was asked for and there is one. Where very many orders
    /// are held this may be a little early, never late.
    pub earliest_hold: Option<Timestamp>,
}

/// An answer about stock.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct StockAnswer {
    /// One per SKU asked for, `None` for an unknown one.
    pub levels: Vec<Option<StockLevel>>,
    /// When it was read, by the database's clock.
    pub now: Timestamp,
}

/// Where an order stands among those whose holds run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct HoldEnd {
    /// When its hold runs out, by the database's clock.
    pub hold_until: Timestamp,
    /// The order, among those that were decided at once.
    pub order_id: OrderId,
}

impl HoldEnd {
    /// Before all there can be.
    pub const FIRST: Self = Self {
        hold_until: Timestamp::from_millis(i64::MIN),
        order_id: OrderId::from_bytes([0; 16]),
    };
}

impl From<&Order> for HoldEnd {
    fn from(order: &Order) -> Self {
        Self {
            hold_until: order.hold_until,
            order_id: order.order_id,
        }
    }
}

/// Where a refund stands among those that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Owed {
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The order, among those that were settled at once.
    pub order_id: OrderId,
}

impl Owed {
    /// Before all there can be.
    pub const FIRST: Self = Self {
        recorded_at: Timestamp::from_millis(i64::MIN),
        order_id: OrderId::from_bytes([0; 16]),
    };
}

impl From<&Refund> for Owed {
    fn from(refund: &Refund) -> Self {
        Self {
            recorded_at: refund.recorded_at,
            order_id: refund.order_id,
        }
    }
}

/// Money that is owed to a buyer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refund {
    /// The order it was paid for.
    pub order_id: OrderId,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: Reason,
    /// When it was recorded, in the transaction that settled the order.
    pub recorded_at: Timestamp,
    /// When the gateway had confirmed it.
    pub executed_at: Option<Timestamp>,
}
