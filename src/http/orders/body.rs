//! What the routes of orders read and answer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{
    CartHash, Customer, Money, Order, OrderId, OrderLine, Quantity, Reason, Sku, Status,
};
use crate::flow::{Expected, OrderStory};
use crate::inventory::{BatchRow, Refund};
use crate::payments::Attempt;
use crate::statuses::StatusChange;

/// What `place` may be sent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceRequest {
    /// The `cart_hash` that addToCart answered: an order that stands for another cart is not charged.
    #[serde(default)]
    cart_hash: Option<CartHash>,
    /// Whose order it is: an order of another customer is not charged (403).
    #[serde(default)]
    customer: Option<Customer>,
}

impl From<PlaceRequest> for Expected {
    fn from(request: PlaceRequest) -> Self {
        Self {
            cart_hash: request.cart_hash,
            customer: request.customer,
        }
    }
}

/// What `cancel` may be sent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelRequest {
    /// Whose order it is: an order of another customer is not cancelled (403).
    #[serde(default)]
    customer: Option<Customer>,
}

impl From<CancelRequest> for Expected {
    fn from(request: CancelRequest) -> Self {
        Self {
            cart_hash: None,
            customer: request.customer,
        }
    }
}

/// Where an order stands, in short.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderStatus {
    /// The order.
    pub(super) order_id: OrderId,
    /// Where it stands.
    pub(super) status: Status,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Reason>,
}

/// Where an order stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderBody {
    /// The order.
    order_id: OrderId,
    /// Where it stands.
    status: Status,
    /// Why it failed; null unless it has.
    reason: Option<Reason>,
    /// The hash of its cart, where known.
    cart_hash: Option<CartHash>,
    /// What was ordered, by SKU; null until the order is decided.
    lines: Option<Vec<LineBody>>,
    /// What it costs, in minor units; null until the order is decided.
    amount: Option<Money>,
    /// The statuses it went through, oldest first.
    history: Vec<ChangeBody>,
}

impl From<OrderStory> for OrderBody {
    fn from(story: OrderStory) -> Self {
        let order = story.view.order;
        Self {
            order_id: story.view.order_id,
            status: story.view.status,
            reason: story.view.reason,
            cart_hash: story.view.cart_hash,
            amount: order.as_ref().map(|order| order.amount),
            lines: order.map(|order| order.lines.into_iter().map(LineBody::from).collect()),
            history: story.history.into_iter().map(ChangeBody::from).collect(),
        }
    }
}

/// One line of an order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineBody {
    /// The item.
    sku: Sku,
    /// How many units.
    quantity: Quantity,
    /// The price of one unit when it was decided, in minor units.
    price: Money,
}

impl From<OrderLine> for LineBody {
    fn from(line: OrderLine) -> Self {
        Self {
            sku: line.sku,
            quantity: line.quantity,
            price: line.price,
        }
    }
}

/// A status that an order went through.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangeBody {
    /// The status.
    status: Status,
    /// When it came to it, in Unix milliseconds.
    at: i64,
}

impl From<StatusChange> for ChangeBody {
    fn from(change: StatusChange) -> Self {
        Self {
            status: change.status,
            at: change.at.millis(),
        }
    }
}

/// All that is known of an order. Times are Unix milliseconds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HistoryBody {
    /// The order.
    order_id: OrderId,
    /// Where it stands.
    status: Status,
    /// Why it failed; null unless it has.
    reason: Option<Reason>,
    /// The statuses it went through, oldest first.
    history: Vec<ChangeBody>,
    /// The order as it was decided: for each line the price, what was available before, and the stock version.
    order: Option<Order>,
    /// The batch that decided it.
    batch: Option<BatchRow>,
    /// What is owed, or was returned.
    refund: Option<Refund>,
    /// The attempts to pay, as the gateway saw them, oldest first.
    attempts: Vec<Attempt>,
}

impl From<OrderStory> for HistoryBody {
    fn from(story: OrderStory) -> Self {
        let view = story.view;
        let (order, batch, refund) = match story.story {
            Some(story) => (Some(story.order), story.batch, story.refund),
            None => (view.order, None, None),
        };
        Self {
            order_id: view.order_id,
            status: view.status,
            reason: view.reason,
            history: story.history.into_iter().map(ChangeBody::from).collect(),
            order,
            batch,
            refund,
            attempts: story.attempts,
        }
    }
}
