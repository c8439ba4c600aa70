//! Connections: accepting them, bounding them, and ending them in good order.

use std::io;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use super::{Api, Served, router};

/// How long the head of a request may take to arrive, and how long a connection may be idle between two.
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);

/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1_024;

/// How long requests may take to end once the service is to stop.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// How long orders that are being placed may take afterwards. Those that still wait for a decision or for the gateway
/// lose nothing: any later request takes them over.
const PLACEMENTS_TIME_MAX: Duration = Duration::from_secs(2);

/// How long to pause after a connection could not be accepted: there are too many, and each one that ends helps.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the API until its `stopping` becomes true; then takes no new connections, answers whoever waits, and ends
/// when every request and every placement has, or after 12 s.
///
/// # Errors
/// None while it serves: a connection that fails is logged.
pub async fn serve<P: Served>(listener: TcpListener, api: Api<P>) -> io::Result<()> {
    let service = router(api.clone());
    // Each connection holds a sender; the receiver ends when all of them have.
    let (alive, mut ended) = mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            biased;
            () = api.stopped() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, service.clone(), api.clone());
                let alive = alive.clone();
                tokio::spawn(async move {
                    connection.await;
                    drop(alive);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop((listener, alive));
    if tokio::time::timeout(DRAIN_TIME_MAX, ended.recv())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time and are left to be repeated");
    }
    let placed = api.placements().drained();
    if tokio::time::timeout(PLACEMENTS_TIME_MAX, placed)
        .await
        .is_err()
    {
        tracing::info!("some orders are left to be placed by a later request");
    }
    Ok(())
}

async fn connection<P: Served>(stream: TcpStream, service: axum::Router, api: Api<P>) {
    // Answers are small and complete: nothing is gained by gathering them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot switch gathering off");
    }
    let service = hyper::service::service_fn(move |request| service.clone().oneshot(request));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        biased;
        ended = serving.as_mut() => ended,
        () = api.stopped() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        // Mostly a client that went away.
        tracing::debug!(%error, "a connection failed");
    }
}
