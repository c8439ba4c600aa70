//! The index of dead letters: [`DeadLetterIndex`], call by call.

use axum::extract::State;

use super::{Api, Sent, Served, Told, told};
use crate::http::schema;
use crate::inventory::{DeadLetterIndex, DeadLetterRow, wire};

/// Record dead letters; one that is recorded is left alone.
///
/// Letters are told apart by topic, partition and offset.
#[utoipa::path(
    post, path = "/v1/inventory/batch/record-letters", operation_id = "batch_record_letters", tag = "batch",
    request_body = wire::RecordLetters,
    responses((status = 200, description = "null", body = schema::Null))
)]
pub(crate) async fn record<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::RecordLetters>,
) -> Told<wire::RecordLetters> {
    told(api.inventory().record(call.letters).await)
}

/// Dead letters after a number, oldest first.
///
/// At most `limit` of them.
#[utoipa::path(
    post, path = "/v1/inventory/batch/letters", operation_id = "batch_letters", tag = "batch",
    request_body = wire::Letters,
    responses((status = 200, description = "A list of dead letters", body = Vec<DeadLetterRow>))
)]
pub(crate) async fn list<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::Letters>,
) -> Told<wire::Letters> {
    told(api.inventory().letters(call.after, call.limit).await)
}

/// Move pending dead letters to a state.
///
/// One that is not pending any more stays as it is.
#[utoipa::path(
    post, path = "/v1/inventory/batch/mark-letters", operation_id = "batch_mark_letters", tag = "batch",
    request_body = wire::MarkLetters,
    responses((status = 200, description = "How many were still pending", content_type = "application/json", body = u64))
)]
pub(crate) async fn mark<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::MarkLetters>,
) -> Told<wire::MarkLetters> {
    told(api.inventory().mark(call.ids, call.state).await)
}
