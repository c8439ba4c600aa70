//! placeOrder (steps 4 to 10), cancel, and where an order stands.

mod body;

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::deadline::{READ_TIME_MAX, WAIT_GRACE};
use super::problem::{self, Kind, Problem, RETRY_AFTER};
use super::request::{Id, Params, WaitQuery};
use super::{Api, Served, body as incoming, deadline};
use crate::domain::{OrderId, Reason, Status};
use crate::flow::{CancelOutcome, Expected, Failure, Found, OrderStory, Placement};
use crate::statuses::Statuses;
pub(super) use body::OrderStatus;
use body::{CancelRequest, HistoryBody, OrderBody, PlaceRequest};

/// How much longer than the wait for a decision a response may take at most: a payment has its own time.
const ANSWER_GRACE: Duration = Duration::from_secs(30);

/// Place an order (placeOrder).
///
/// Waits for the decision, pays, settles. A client that goes away does not end it; a repeat joins it. `wait` bounds the
/// response only. An id that is not known yet is only waited for: 202 with INIT, and a repeat goes on waiting.
///
/// The order id is all that is needed: whoever knows it can place the order. With `customer`, an order of another
/// customer is refused before anything is charged.
#[utoipa::path(
    post, path = "/v1/orders/{id}/place", operation_id = "place_order", tag = "orders",
    params(("id" = OrderId, Path, description = "The order"), WaitQuery),
    request_body = PlaceRequest,
    responses(
        (status = 200, description = "PLACED, or FAILED with the reason", body = OrderStatus),
        (status = 202, description = "Not final yet: repeat to wait on", body = OrderStatus,
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 400, description = "Not an order id, not JSON, or no such wait"),
        (status = 403, description = "It belongs to another customer than the one named; nothing was charged"),
        (status = 404, description = "There is no such order"),
        (status = 408, description = "The body took too long"),
        (status = 409, description = "It stands for another cart; nothing was charged"),
        (status = 413, description = "Over 1 MiB"),
        (status = 415, description = "Not application/json"),
        (status = 422, description = "Not a cart hash, not a customer, or a field that is unknown"),
        (status = 503, description = "Too many orders are being placed or too many unknown ids waited for, or a store does not answer: repeat",
            headers(("Retry-After" = u64, description = "Seconds"))),
    )
)]
pub(super) async fn place<P: Served>(
    State(api): State<Api<P>>,
    Id(id): Id,
    Params(query): Params<WaitQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let settings = api.flow().settings();
    let wait = query.read(settings.wait).map_err(|p| p.about(id))?;
    // Without a wait the flow itself ends after its own: this bound is for a flow that does not.
    let wait = wait.unwrap_or(settings.wait + settings.payment_timeout + ANSWER_GRACE);
    let (parts, body) = request.into_parts();
    let request = incoming::read_or_default::<PlaceRequest>(&parts.headers, body).await;
    let expected = request.map_err(|p| p.about(id))?.into();
    let mut placement = api.placements().join(api.flow(), id, expected)?;
    match api.within(wait, placement.outcome()).await {
        Some(Ok(Placement::Placed)) => Ok(finished(id, Status::Placed, None)),
        Some(Ok(Placement::Failed(reason))) => Ok(finished(id, Status::Failed, Some(reason))),
        Some(Ok(Placement::Waiting(status))) => Ok(unfinished(id, status)),
        Some(Err(problem)) => Err(problem),
        // Unknown counts as INIT (rule 3).
        None if placement.is_unknown() => Ok(unfinished(id, Status::Init)),
        None => Ok(present(&api, id).await),
    }
}

/// Cancel an order that is not paid for.
///
/// The gateway is asked first, so that no payment can arrive afterwards. An order that is not decided yet fails at once.
///
/// The order id is all that is needed: whoever knows it can cancel the order. With `customer`, an order of another
/// customer is refused, and one that is not decided yet stays as it is: 202, repeat.
#[utoipa::path(
    post, path = "/v1/orders/{id}/cancel", operation_id = "cancel_order", tag = "orders",
    params(("id" = OrderId, Path, description = "The order")),
    request_body = CancelRequest,
    responses(
        (status = 200, description = "FAILED, by this or before", body = OrderStatus),
        (status = 202, description = "A charge may have begun, and the gateway does not answer: repeat", body = OrderStatus,
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 400, description = "Not an order id, or not JSON"),
        (status = 403, description = "It belongs to another customer than the one named"),
        (status = 404, description = "There is no such order"),
        (status = 408, description = "The body took too long"),
        (status = 409, description = "Too late: it is placed"),
        (status = 413, description = "Over 1 MiB"),
        (status = 415, description = "Not application/json"),
        (status = 422, description = "Not a customer, or a field that is unknown"),
        (status = 500, description = "What is stored of the order is damaged"),
        (status = 503, description = "No store knows the order yet, or one does not answer: repeat"),
    )
)]
pub(super) async fn cancel<P: Served>(
    State(api): State<Api<P>>,
    Id(id): Id,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let request = incoming::read_or_default::<CancelRequest>(&parts.headers, body).await;
    let expected = request.map_err(|p| p.about(id))?.into();
    cancelled(id, cancel_in_time(&api, id, expected).await?)
}

/// Cancels an order. The gateway has its own time to answer.
pub(super) async fn cancel_in_time<P: Served>(
    api: &Api<P>,
    id: OrderId,
    expected: Expected,
) -> Result<CancelOutcome, Problem> {
    let limit = api.flow().settings().payment_timeout + READ_TIME_MAX;
    let cancelled = api.flow().cancel_expected(id, expected);
    let cancelled = deadline::within(limit, id, cancelled).await;
    cancelled.map_err(Problem::from)
}

/// Where an order stands.
///
/// With `wait` the answer comes as soon as the order is PLACED or FAILED, or after that time.
#[utoipa::path(
    get, path = "/v1/orders/{id}", operation_id = "get_order", tag = "orders",
    params(("id" = OrderId, Path, description = "The order"), WaitQuery),
    responses(
        (status = 200, description = "Where it stands", body = OrderBody),
        (status = 400, description = "Not an order id, or no such wait"),
        (status = 404, description = "There is no such order"),
        (status = 503, description = "A store does not answer: repeat"),
    )
)]
pub(super) async fn show<P: Served>(
    State(api): State<Api<P>>,
    Id(id): Id,
    Params(query): Params<WaitQuery>,
) -> Result<Json<OrderBody>, Problem> {
    let wait_max = api.flow().settings().wait;
    let flow = api.flow();
    let Some(wait) = query.read(wait_max).map_err(|p| p.about(id))? else {
        return story(id, READ_TIME_MAX, flow.story(id)).await;
    };
    match wait_for_end(&api, id, wait).await? {
        Some(Found::Order(_)) => story(id, WAIT_GRACE, flow.present_story(id)).await,
        Some(Found::Unknown { .. }) => Err(unknown(id)),
        // Too short a wait to say that there is no such order (rule 3).
        None => story(id, WAIT_GRACE, flow.story(id)).await,
    }
}

/// All that is known of an order.
///
/// When it was accepted, in which batch it was decided on what stock, each attempt to pay, what was refunded.
#[utoipa::path(
    get, path = "/v1/orders/{id}/history", operation_id = "get_order_history", tag = "orders",
    params(("id" = OrderId, Path, description = "The order")),
    responses(
        (status = 200, description = "Its story", body = HistoryBody),
        (status = 400, description = "Not an order id"),
        (status = 404, description = "There is no such order"),
        (status = 503, description = "A store does not answer: repeat"),
    )
)]
pub(super) async fn history<P: Served>(
    State(api): State<Api<P>>,
    Id(id): Id,
) -> Result<Json<HistoryBody>, Problem> {
    story(id, READ_TIME_MAX, api.flow().story(id)).await
}

/// Waits until an order is PLACED or FAILED, at most this long; how it was found at first, unless that took as long. An
/// unknown order is not waited for.
async fn wait_for_end<P: Served>(
    api: &Api<P>,
    id: OrderId,
    wait: Duration,
) -> Result<Option<Found>, Problem> {
    let deadline = Instant::now() + wait;
    let found = api.within(wait, api.flow().find(id)).await.transpose()?;
    match &found {
        Some(Found::Order(view)) if !view.status.is_final() => {}
        _ => return Ok(found),
    }
    let not_final = Status::PaymentSuccess.rank();
    let statuses = api.flow().ports().statuses();
    let rest = deadline.saturating_duration_since(Instant::now());
    // The status store being away only means that the answer comes at once.
    if let Some(Err(error)) = api
        .within(rest, statuses.wait(id, not_final, deadline))
        .await
    {
        tracing::debug!(%error, %id, "cannot wait for a status");
    }
    Ok(found)
}

/// The story of an order, told within a time.
async fn story<B: From<OrderStory>>(
    id: OrderId,
    limit: Duration,
    story: impl Future<Output = Result<Option<OrderStory>, Failure>>,
) -> Result<Json<B>, Problem> {
    let story = deadline::within(limit, id, story).await?;
    let story = story.ok_or_else(|| unknown(id))?;
    Ok(Json(story.into()))
}

fn unknown(id: OrderId) -> Problem {
    let detail = format!("there is no order {id}, as far as carts have been decided");
    Problem::new(Kind::UnknownOrder, detail).about(id)
}

/// The answer when the wait is over: where the order stands right now. Unknown counts as INIT (rule 3), and so does an
/// order that no store tells of in time: its placement goes on, and a repeat joins it.
async fn present<P: Served>(api: &Api<P>, id: OrderId) -> Response {
    match deadline::within(WAIT_GRACE, id, api.flow().present(id)).await {
        Ok(Some(view)) if view.status.is_final() => finished(id, view.status, view.reason),
        Ok(Some(view)) => unfinished(id, view.status),
        Ok(None) => unfinished(id, Status::Init),
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, %id, "cannot tell where an order stands");
            unfinished(id, Status::Init)
        }
    }
}

fn finished(order_id: OrderId, status: Status, reason: Option<Reason>) -> Response {
    let body = OrderStatus {
        order_id,
        status,
        reason,
    };
    Json(body).into_response()
}

fn unfinished(order_id: OrderId, status: Status) -> Response {
    let body = OrderStatus {
        order_id,
        status,
        reason: None,
    };
    let wait_ms = u64::try_from(RETRY_AFTER.as_millis()).unwrap_or(u64::MAX);
    let headers = [(header::RETRY_AFTER, problem::seconds(wait_ms))];
    (StatusCode::ACCEPTED, headers, Json(body)).into_response()
}

/// The answer to a cancellation.
pub(super) fn cancelled(order_id: OrderId, outcome: CancelOutcome) -> Result<Response, Problem> {
    match outcome {
        CancelOutcome::Failed(reason) => Ok(finished(order_id, Status::Failed, Some(reason))),
        CancelOutcome::Undecided(status) => Ok(unfinished(order_id, status)),
        CancelOutcome::Placed => {
            let detail = format!("order {order_id} is paid for and placed: it cannot be cancelled");
            Err(Problem::new(Kind::AlreadyPlaced, detail).about(order_id))
        }
    }
}
