//! Around every request: its id, its bounds, counting, timing, and catching panics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use tracing::Instrument as _;
use uuid::Uuid;

use super::batch::OnlyRead;
use super::body::discard;
use super::problem::{Kind, Problem, StoreFailed};
use super::{Api, Served};

/// The header that names a request in its answer and in the log.
pub(super) const REQUEST_ID: &str = "request-id";

/// The longest id that is taken from a client, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The one layer around all routes.
pub(super) async fn observe<P: Served>(
    State(api): State<Api<P>>,
    request: Request,
    next: Next,
) -> Response {
    let id = request_id(request.headers());
    // Warnings show it: a span of a lower level is switched off with its events.
    let span = tracing::error_span!("request", id = id.to_str().unwrap_or_default());
    let mut response = observed(api, request, next).instrument(span).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

async fn observed<P: Served>(api: Api<P>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let path = request.extensions().get::<MatchedPath>();
    let endpoint = api
        .metrics()
        .endpoint(path.map(MatchedPath::as_str), request.method());
    let writes = request.method() != Method::GET;
    let answered = AssertUnwindSafe(bounded(&api, request, next))
        .catch_unwind()
        .await;
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

/// Answers a request whose body counts against the memory that all bodies share.
async fn bounded<P: Served>(api: &Api<P>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Err(problem) = check_host(parts.version, &parts.headers) {
        discard(&parts.headers, body).await;
        return problem.into_response();
    }
    parts.extensions.insert(Arc::clone(api.gate()));
    let (body, held): (Body, _) = api.body_memory().counted(body);
    let response = next.run(Request::from_parts(parts, body)).await;
    drop(held);
    response
}

/// HTTP/1.1 wants exactly one `Host` (RFC 9112, 3.2): a proxy may go by another one than this service.
fn check_host(version: Version, headers: &HeaderMap) -> Result<(), Problem> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let wrong = match (hosts.next(), hosts.next()) {
        (None, _) if version < Version::HTTP_11 => return Ok(()),
        (None, _) => "is missing",
        (Some(_), Some(_)) => "is there more than once",
        (Some(host), None) if !is_host(host) => "is not a host with an optional port",
        (Some(_), None) => return Ok(()),
    };
    Err(Problem::new(
        Kind::Malformed,
        format!("the header Host {wrong}"),
    ))
}

fn is_host(host: &HeaderValue) -> bool {
    // Empty is right for a target without an authority.
    host.is_empty()
        || Authority::try_from(host.as_bytes()).is_ok_and(|host| !host.as_str().contains('@'))
}

/// The id of a request: the client's own, if it can stand in a log, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let mut ids = headers.get_all(REQUEST_ID).iter();
    if let (Some(id), None) = (ids.next(), ids.next())
        && (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
        && id.as_bytes().iter().all(u8::is_ascii_graphic)
    {
        return id.clone();
    }
    let id = Uuid::new_v4().hyphenated().to_string();
    HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("none"))
}

/// Puts the id of a request into an answer that does not come from a route.
pub(super) fn stamp(response: &mut Response, headers: &HeaderMap) {
    response
        .headers_mut()
        .insert(REQUEST_ID, request_id(headers));
}
