//! Around every request: counting, timing, and catching panics.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;

use super::batch::OnlyRead;
use super::problem::{Problem, StoreFailed};
use super::{Api, Served};

/// The one layer around all routes.
pub(super) async fn observe<P: Served>(
    State(api): State<Api<P>>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let path = request.extensions().get::<MatchedPath>();
    let endpoint = api
        .metrics()
        .endpoint(path.map(MatchedPath::as_str), request.method());
    let writes = request.method() != Method::GET;
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let response = answered.unwrap_or_else(|_| {
        // The panic hook has printed where.
        tracing::error!(route = endpoint.route(), "a request panicked");
        Problem::internal().into_response()
    });
    // A full disk still reads.
    let reads = response.extensions().get::<OnlyRead>().is_some();
    match response.extensions().get::<StoreFailed>() {
        Some(StoreFailed(what)) => api.trouble().begin(what),
        None if writes && !reads && response.status().is_success() => api.trouble().end(),
        None => {}
    }
    endpoint.record(response.status(), began.elapsed());
    response
}
