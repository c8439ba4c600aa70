//! The inventory port over HTTP, for other oms processes: the other end of the adapter in `inventory::http`.
//!
//! Internal: whoever can reach these routes can do whatever a worker can, such as placing an order without a payment.
//! Each is one call of the port, answered from the inventory of this process; what is sent and answered stands in
//! [`crate::inventory::wire`].

pub(super) mod administration;
pub(super) mod gateway;
pub(super) mod inventory;
pub(super) mod letters;

use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{self, RefOr};

use super::problem::{Kind, Problem};
use super::{Api, Served, body};
use crate::inventory::wire::{Call, LIMIT_MAX, REQUEST_BYTES_MAX};
use crate::ports::Error;

/// A call as it was sent.
pub(crate) struct Sent<C>(C);

impl<S: Send + Sync, C: Call> FromRequest<S> for Sent<C> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = body::read_up_to(REQUEST_BYTES_MAX, &parts.headers, body).await?;
        let call: C = body::parse(&bytes)?;
        if let Some(limit) = call.limit().filter(|limit| *limit > LIMIT_MAX) {
            let detail = format!("limit: {limit} is out of range: at most {LIMIT_MAX} is accepted");
            return Err(Problem::new(Kind::Invalid, detail));
        }
        Ok(Self(call))
    }
}

/// What a call is answered with.
pub(crate) type Told<C> = Result<Answer<C>, Problem>;

/// The answer to a call.
pub(crate) struct Answer<C: Call>(C::Answer);

/// Goes along with the answer to a call that changes nothing: it says nothing about whether a store can write.
#[derive(Debug, Clone)]
pub(super) struct OnlyRead;

impl<C: Call> IntoResponse for Answer<C> {
    fn into_response(self) -> Response {
        let mut response = Json(self.0).into_response();
        if !C::CHANGES {
            response.extensions_mut().insert(OnlyRead);
        }
        response
    }
}

/// What the port answered, or its error with its kind.
fn told<C: Call>(answer: Result<C::Answer, Error>) -> Told<C> {
    answer.map(Answer).map_err(|error| Problem::of_port(&error))
}

impl<P: Served> Api<P> {
    fn inventory(&self) -> &P::Inventory {
        self.flow().ports().inventory()
    }
}

/// Describes the errors that every call can be answered with.
pub(super) fn describe(operation: &mut Operation) {
    for (status, what) in [
        ("400", "Not JSON"),
        ("408", "The body took too long"),
        ("413", "Over 16 MiB: send fewer"),
        ("415", "Not application/json"),
        (
            "422",
            "The request makes no sense, or (`kind` is `permanent`) the store will never do it as asked",
        ),
        (
            "503",
            "`kind` is `unavailable` (not done) or `outcome_unknown` (it may have been done): repeat",
        ),
    ] {
        let response = RefOr::T(openapi::Response::new(what));
        let responses = &mut operation.responses.responses;
        responses.insert(status.to_owned(), response);
    }
}
