//! addToCart: steps 1 to 3.

use std::panic::AssertUnwindSafe;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::request::{CartRequest, chosen_id, idempotency_key};
use super::{Api, Served, body};
use crate::domain::{CartHash, OrderId, Reason, Status};
use crate::flow::{AddToCart, Added};

/// A cart that was accepted, now or by an earlier request with this id.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CartAccepted {
    /// The order it becomes.
    order_id: OrderId,
    /// Where the order stands: INIT when it is new.
    status: Status,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    /// What `place` may send along, to be sure that it places this cart.
    cart_hash: CartHash,
}

/// Put a cart into the queue (addToCart).
///
/// The order id is `order_id`, or the header `Idempotency-Key`, or is made by the service. Repeating the request with
/// the same id and cart is one order. Every error carries the order id.
#[utoipa::path(
    post, path = "/v1/carts", operation_id = "add_to_cart", tag = "orders",
    params(("Idempotency-Key" = Option<OrderId>, Header, description = "The order id")),
    request_body = CartRequest,
    responses(
        (status = 202, description = "In the queue, now or by an earlier request", body = CartAccepted),
        (status = 400, description = "Not JSON, or not a UUID"),
        (status = 408, description = "The body took too long"),
        (status = 409, description = "Refused at once: `reason` is `sold_out`, `held`, `unknown_sku`, or `limit` when lines of one item add up to too much; or header and body name two ids"),
        (status = 413, description = "Over 1 MiB"),
        (status = 415, description = "Not application/json"),
        (status = 422, description = "No cart, or the id was used with another one"),
        (status = 429, description = "This customer or address sends too many requests"),
        (status = 503, description = "The backlog is over its bound, or a store does not answer: repeat with the same id"),
    )
)]
pub(super) async fn add<P: Served>(State(api): State<Api<P>>, request: Request) -> Response {
    // What an error names when nothing better is known by then.
    let mut id = None;
    let answer = AssertUnwindSafe(answer(&api, request, &mut id)).catch_unwind();
    match answer.await.unwrap_or_else(|_| Err(Problem::internal())) {
        Ok(response) => response,
        Err(problem) => problem
            .about(id.unwrap_or_else(|| api.flow().new_order_id()))
            .into_response(),
    }
}

async fn answer<P: Served>(
    api: &Api<P>,
    request: Request,
    id: &mut Option<OrderId>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let header = idempotency_key(&parts.headers)?;
    *id = header.map(OrderId::new);
    let bytes = body::read(&parts.headers, body).await?;
    let request: CartRequest<'_> = body::parse(&bytes).inspect_err(|_| {
        *id = id.or_else(|| named(&bytes));
    })?;
    let order_id = chosen_id(header, request.order_id.as_deref())?;
    *id = order_id;
    let cart = request.cart()?;
    api.gate().rates().count_customer(cart.customer())?;
    match api.flow().add_to_cart(AddToCart { order_id, cart }).await? {
        Added::Accepted {
            order_id,
            cart_hash,
        } => Ok(accepted(order_id, Status::Init, None, cart_hash)),
        Added::Known {
            order_id,
            cart_hash,
            status,
            reason,
        } => Ok(accepted(order_id, status, reason, cart_hash)),
        Added::Refused(refusal) => Err(refusal.into()),
    }
}

fn accepted(
    order_id: OrderId,
    status: Status,
    reason: Option<Reason>,
    cart_hash: CartHash,
) -> Response {
    let accepted = CartAccepted {
        order_id,
        status,
        reason,
        cart_hash,
    };
    (StatusCode::ACCEPTED, Json(accepted)).into_response()
}

/// The order id in a body that is no cart.
fn named(bytes: &[u8]) -> Option<OrderId> {
    let object: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    object.get("order_id")?.as_str()?.parse().ok()
}
