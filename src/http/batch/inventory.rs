//! What the worker and the order service ask: [`Inventory`], call by call.

use axum::extract::State;

use super::{Api, Sent, Served, Told, told};
use crate::domain::Order;
use crate::http::problem::{Kind, Problem};
use crate::http::schema;
use crate::inventory::{
    Inventory, Refund, Reservation, ReserveBatch, Settlement, StockAnswer, wire,
};

/// Decide carts in arrival order, each all or none, in one transaction.
///
/// An order that was decided before keeps its outcome, so that a repeat is harmless.
#[utoipa::path(
    post, path = "/v1/inventory/batch/reserve", operation_id = "batch_reserve", tag = "batch",
    request_body = wire::Reserve,
    responses((status = 200, description = "`outcomes`, one per cart: `{\"order\":{…}}` or `\"id_conflict\"`; and `levels`, the stock that changed", body = Reservation))
)]
pub(crate) async fn reserve<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::Reserve>,
) -> Told<wire::Reserve> {
    let batch = ReserveBatch::try_from(call)
        .map_err(|error| Problem::new(Kind::Invalid, error.to_string()))?;
    told(api.inventory().reserve(batch).await)
}

/// Confirm, release and abandon orders in the given order, in one transaction.
///
/// An order that is settled keeps its outcome, so that a repeat is harmless. This can place an order without a payment.
#[utoipa::path(
    post, path = "/v1/inventory/batch/settle", operation_id = "batch_settle", tag = "batch",
    request_body = wire::SettleAll,
    responses((status = 200, description = "`outcomes`, one per order: `order` and whether this `applied`; and `levels`, the stock that changed", body = Settlement))
)]
pub(crate) async fn settle<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::SettleAll>,
) -> Told<wire::SettleAll> {
    told(api.inventory().settle(call.settles).await)
}

/// The committed stock of items.
///
/// Reads what is committed, never a cache.
#[utoipa::path(
    post, path = "/v1/inventory/batch/stock", operation_id = "batch_stock", tag = "batch",
    request_body = wire::Stock,
    responses((status = 200, description = "`levels`, one per SKU, null for an unknown one; and `now`, by the database's clock", body = StockAnswer))
)]
pub(crate) async fn stock<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::Stock>,
) -> Told<wire::Stock> {
    told(api.inventory().stock(call.skus, call.with_holds).await)
}

/// Decided orders.
///
/// One answer per id, in the order sent.
#[utoipa::path(
    post, path = "/v1/inventory/batch/orders", operation_id = "batch_orders", tag = "batch",
    request_body = wire::Orders,
    responses((status = 200, description = "A list, one per id, null where none is known", body = Vec<Option<Order>>))
)]
pub(crate) async fn orders<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::Orders>,
) -> Told<wire::Orders> {
    told(api.inventory().orders(call.ids).await)
}

/// Blocked orders whose hold has run out, longest overdue first; `after` (`hold_until`, `order_id`) goes on behind one.
///
/// By the clock of the database.
#[utoipa::path(
    post, path = "/v1/inventory/batch/expired", operation_id = "batch_expired", tag = "batch",
    request_body = wire::Expired,
    responses((status = 200, description = "A list of orders", body = Vec<Order>))
)]
pub(crate) async fn expired<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::Expired>,
) -> Told<wire::Expired> {
    told(api.inventory().expired(call.after, call.limit).await)
}

/// Refunds that are recorded and not executed, oldest first; `after` (`recorded_at`, `order_id`) goes on behind one.
///
/// A worker executes them at the gateway and then marks them.
#[utoipa::path(
    post, path = "/v1/inventory/batch/refunds-due", operation_id = "batch_refunds_due", tag = "batch",
    request_body = wire::RefundsDue,
    responses((status = 200, description = "A list of refunds", body = Vec<Refund>))
)]
pub(crate) async fn refunds_due<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::RefundsDue>,
) -> Told<wire::RefundsDue> {
    told(api.inventory().refunds_due(call.after, call.limit).await)
}

/// Mark refunds as executed.
///
/// One that is marked stays as it is.
#[utoipa::path(
    post, path = "/v1/inventory/batch/refunded", operation_id = "batch_refunded", tag = "batch",
    request_body = wire::Refunded,
    responses((status = 200, description = "null", body = schema::Null))
)]
pub(crate) async fn refunded<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::Refunded>,
) -> Told<wire::Refunded> {
    told(api.inventory().refunded(call.ids).await)
}
