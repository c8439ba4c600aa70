//! Before the API can be served: whoever comes is told that this process is starting.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::problem::{Kind, Problem, RETRY_AFTER};

/// How long one connection may last: one request, which need not be read.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(2);

/// The most connections at once; the others wait to be accepted.
const CONNECTIONS_MAX: usize = 1_024;

/// How long to pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers every request with 503 until dropped. The mark stands in the answer: an inventory service passes on what
/// the one behind it says, so that a process that hears its own mark has asked itself, over however many others.
pub async fn turn_away(listener: &TcpListener, mark: &str) -> Infallible {
    let detail =
        format!("this process ({mark}) is starting: its inventory service has not answered yet");
    // The body is taken and thrown away: a connection that ends with unread bytes may lose the answer.
    let router = axum::Router::new().fallback(move |_: Result<Bytes, BytesRejection>| {
        let problem = Problem::new(Kind::Unavailable, detail.clone()).retry_after(RETRY_AFTER);
        std::future::ready(problem)
    });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(one_answer(stream, router.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn one_answer(stream: TcpStream, router: axum::Router) {
    let service = hyper::service::service_fn(move |request| router.clone().oneshot(request));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // A client that goes away, or says nothing, does no harm.
    let _ = tokio::time::timeout(CONNECTION_TIME_MAX, serving).await;
}
