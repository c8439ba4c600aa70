//! Before the API can be served: clients are told that this process is starting.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use tokio::task::JoinSet;

use super::body::discard;
use super::problem::{Kind, Problem, RETRY_AFTER};
use super::server::{Listener, one_answer};

/// How long one connection may last: one request, which need not be read.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(2);

/// The most connections of a listener at once; the others wait to be accepted.
const CONNECTIONS_MAX: usize = 1_024;

/// Answers every request with 503 until dropped. The mark stands in the answer: an inventory service passes on what
/// the one behind it says, so that a process that hears its own mark has asked itself, over however many others.
pub async fn turn_away(listeners: &[Listener], mark: &str) -> Infallible {
    let detail: Arc<str> =
        format!("this process ({mark}) is starting: its inventory service has not answered yet")
            .into();
    let turning = listeners
        .iter()
        .map(|listener| turn_away_from(listener, Arc::clone(&detail)));
    futures::future::join_all(turning).await;
    std::future::pending().await
}

async fn turn_away_from(listener: &Listener, detail: Arc<str>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                let Some((stream, _)) = accepted else { continue };
                let (certificate, detail) = (listener.certificate.clone(), Arc::clone(&detail));
                connections.spawn(async move {
                    let answer = one_answer(stream, certificate.as_deref(), move |request| {
                        starting(request, Arc::clone(&detail))
                    });
                    // A client that says nothing does no harm.
                    let _ = tokio::time::timeout(CONNECTION_TIME_MAX, answer).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn starting(request: Request<Incoming>, detail: Arc<str>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    // A connection that ends with unread bytes may lose the answer.
    discard(&parts.headers, Body::new(body)).await;
    let mut response = Problem::new(Kind::Unavailable, &*detail)
        .retry_after(RETRY_AFTER)
        .into_response();
    super::observe::stamp(&mut response, &parts.headers);
    response
}
