//! The inventory service's own reservations: blocking without the queue, and giving back.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::request::{CartRequest, CustomerQuery, Id, Params, chosen_id, idempotency_key};
use super::{Api, Served, body, deadline, orders};
use crate::domain::{AcceptedCart, Money, OrderId, OrderState, Reason};
use crate::flow::{Expected, Failure};
use crate::inventory::{Inventory, ReserveBatch, ReserveOutcome};
use crate::ports::{Clock, Error};

/// A decided reservation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReservationBody {
    /// The order it belongs to.
    order_id: OrderId,
    /// `BLOCK` while the items are held, `PLACED` when they are sold, `FAILED` when nothing is held.
    state: OrderState,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    /// What it costs, in minor units.
    amount: Money,
    /// Until when the items are held, in Unix milliseconds.
    hold_until: i64,
}

/// Block the items of a cart at once, all or none, without the queue.
///
/// Repeating the request with the same id and cart answers what was decided.
#[utoipa::path(
    post, path = "/v1/inventory/reservations", operation_id = "create_reservation", tag = "reservations",
    params(("Idempotency-Key" = Option<OrderId>, Header, description = "The order id")),
    request_body = CartRequest,
    responses(
        (status = 200, description = "Decided, now or before", body = ReservationBody),
        (status = 400, description = "Not JSON, or not a UUID"),
        (status = 408, description = "The body took too long"),
        (status = 409, description = "The lines of one item add up to too much (`reason` is `limit`), or header and body name two ids"),
        (status = 413, description = "Over 1 MiB"),
        (status = 415, description = "Not application/json"),
        (status = 422, description = "No cart, or the id was used with another one"),
        (status = 503, description = "A store does not answer: repeat with the same id"),
    )
)]
pub(super) async fn create<P: Served>(
    State(api): State<Api<P>>,
    request: Request,
) -> Result<Json<ReservationBody>, Problem> {
    let (parts, body) = request.into_parts();
    let header = idempotency_key(&parts.headers)?;
    let bytes = body::read(&parts.headers, body).await?;
    let request: CartRequest<'_> = body::parse(&bytes)?;
    let order_id = chosen_id(header, request.order_id.as_deref())?
        .unwrap_or_else(|| api.flow().new_order_id());
    let cart = request.cart().map_err(|problem| problem.about(order_id))?;
    let began = api.flow().ports().clock().now();
    let batch = ReserveBatch {
        carts: vec![AcceptedCart::new(order_id, cart, began)],
        hold: api.flow().settings().hold,
    };
    let inventory = api.flow().ports().inventory();
    let in_doubt = |source| Problem::from(Failure::Port { order_id, source });
    let reserving = deadline::change("reserve a cart", inventory.reserve(batch));
    let mut reservation = reserving.await.map_err(in_doubt)?;
    api.cache_stock(reservation.levels, began).await;
    match reservation.outcomes.pop() {
        Some(ReserveOutcome::Order(order)) => Ok(Json(ReservationBody {
            order_id,
            state: order.state,
            reason: order.reason,
            amount: order.amount,
            hold_until: order.hold_until.millis(),
        })),
        Some(ReserveOutcome::IdConflict) => Err(Failure::IdConflict { order_id }.into()),
        None => Err(in_doubt(Error::outcome_unknown("reserve a cart"))),
    }
}

/// Give the items of an order back, unless it was paid for.
///
/// The gateway is asked first, so that no payment can arrive afterwards: the same as cancelling the order.
#[utoipa::path(
    delete, path = "/v1/inventory/reservations/{id}", operation_id = "remove_reservation", tag = "reservations",
    params(("id" = OrderId, Path, description = "The order"), CustomerQuery),
    responses(
        (status = 200, description = "FAILED, by this or before", body = orders::OrderStatus),
        (status = 202, description = "A charge may have begun, and the gateway does not answer: repeat", body = orders::OrderStatus,
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 400, description = "Not an order id, or not a customer"),
        (status = 403, description = "The order belongs to another customer than the one named"),
        (status = 404, description = "There is no such order"),
        (status = 409, description = "Too late: it is placed"),
        (status = 503, description = "A store does not answer: repeat"),
    )
)]
pub(super) async fn remove<P: Served>(
    State(api): State<Api<P>>,
    Id(id): Id,
    Params(query): Params<CustomerQuery>,
) -> Result<Response, Problem> {
    let expected = Expected {
        cart_hash: None,
        customer: query.read().map_err(|p| p.about(id))?,
    };
    orders::cancelled(id, orders::cancel_in_time(&api, id, expected).await?)
}
