//! What the routes of orders read and answer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema;
use crate::domain::{CartHash, Money, Order, OrderId, OrderLine, Quantity, Reason, Sku, Status};
use crate::flow::OrderStory;
use crate::inventory::{BatchRow, Refund};
use crate::payments::Attempt;
use crate::statuses::StatusChange;

/// What `place` may be sent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceRequest {
    /// The `cart_hash` that addToCart answered: an order that stands for another cart is not charged.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) cart_hash: Option<CartHash>,
}

/// Where an order stands, in short.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderStatus {
    /// The order.
    #[schema(value_type = schema::Uuid)]
    pub(super) order_id: OrderId,
    /// Where it stands.
    #[schema(value_type = schema::Status, example = "PLACED")]
    pub(super) status: Status,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Reason>)]
    pub(super) reason: Option<Reason>,
}

/// Where an order stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderBody {
    /// The order.
    #[schema(value_type = schema::Uuid)]
    order_id: OrderId,
    /// Where it stands.
    #[schema(value_type = schema::Status, example = "PLACED")]
    status: Status,
    /// Why it failed; null unless it has.
    #[schema(value_type = Option<schema::Reason>)]
    reason: Option<Reason>,
    /// The hash of its cart, where known.
    #[schema(value_type = Option<String>)]
    cart_hash: Option<CartHash>,
    /// What was ordered, by SKU; null until the order is decided.
    lines: Option<Vec<LineBody>>,
    /// What it costs, in minor units; null until the order is decided.
    #[schema(value_type = Option<i64>)]
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
    #[schema(value_type = String)]
    sku: Sku,
    /// How many units.
    #[schema(value_type = u32)]
    quantity: Quantity,
    /// The price of one unit when it was decided, in minor units.
    #[schema(value_type = i64)]
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
    #[schema(value_type = schema::Status, example = "INIT")]
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
    #[schema(value_type = schema::Uuid)]
    order_id: OrderId,
    /// Where it stands.
    #[schema(value_type = schema::Status, example = "PLACED")]
    status: Status,
    /// Why it failed; null unless it has.
    #[schema(value_type = Option<schema::Reason>)]
    reason: Option<Reason>,
    /// The statuses it went through, oldest first.
    history: Vec<ChangeBody>,
    /// The order as it was decided: for each line the price, what was available before, and the stock version.
    #[schema(value_type = Option<Object>)]
    order: Option<Order>,
    /// The batch that decided it.
    #[schema(value_type = Option<Object>)]
    batch: Option<BatchRow>,
    /// What is owed, or was returned.
    #[schema(value_type = Option<Object>)]
    refund: Option<Refund>,
    /// The attempts to pay, as the gateway saw them, oldest first.
    #[schema(value_type = Vec<Object>)]
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
