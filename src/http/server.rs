//! Connections: accepting them, bounding them, and ending them in good order.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::access::Side;
use super::connections::{Activity, Connections, PacedStream, Place};
use super::parse_errors::ParseErrors;
use super::problem::{Kind, Problem, RETRY_AFTER};
use super::tls::Certificate;
use super::{Api, Served, router};

/// How long the head of a request may take to arrive, and how long a connection may be idle between two.
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);

/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1_024;

/// How long a TLS handshake may take.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// How long requests may take to end once the service is to stop.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// How long orders that are being placed may take afterwards. Those that still wait for a decision or for the gateway
/// lose nothing: any later request takes them over.
const PLACEMENTS_TIME_MAX: Duration = Duration::from_secs(2);

/// How long to pause after a connection could not be accepted: there are too many, and each one that ends helps.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How many connections there may be for one short request each while all places are taken by busy ones.
const SPARE_CONNECTIONS: usize = 16;

/// How long such a connection may last.
const SPARE_TIME_MAX: Duration = Duration::from_secs(2);

/// How much is read and thrown away after the answer to a request that could not be read, and for how long: closing at
/// once would reset the connection, and the client might never see the answer.
const LINGER_BYTES_MAX: u64 = 1 << 20;
const LINGER_TIME_MAX: Duration = Duration::from_secs(1);

/// The share of the connections that is kept for the internal listener, if there is one: one in so many.
const INTERNAL_SHARE: usize = 4;

/// The path that is served even when there are too many connections.
const ALWAYS_SERVED: &str = "/healthz";

/// Where connections come from, and what they can reach.
#[derive(Debug)]
pub struct Listener {
    /// The socket.
    pub tcp: TcpListener,
    /// Which routes it serves.
    pub side: Side,
    /// How it speaks TLS; none for plain HTTP.
    pub certificate: Option<Arc<Certificate>>,
}

impl Listener {
    /// A listener for everything, without TLS.
    pub const fn plain(tcp: TcpListener) -> Self {
        Self {
            tcp,
            side: Side::Both,
            certificate: None,
        }
    }

    /// The next connection; it pauses when there can be none.
    pub(super) async fn accept(&self) -> Option<(TcpStream, SocketAddr)> {
        match self.tcp.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and complete: nothing is gained by gathering them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "cannot switch gathering off");
                }
                Some((stream, peer))
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    fn connections_max(&self, all: usize) -> usize {
        match self.side {
            Side::Both => all,
            Side::Public => all - all / INTERNAL_SHARE,
            Side::Internal => all / INTERNAL_SHARE,
        }
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// Serves the API until it is to stop; then takes no new connections, answers whoever waits, and ends when every
/// request and every placement has, or after 12 s.
///
/// # Errors
/// None while it serves: a connection that fails is logged.
pub async fn serve<P: Served>(listeners: Vec<Listener>, api: Api<P>) -> io::Result<()> {
    // Each connection holds a sender; the receiver ends when all of them have.
    let (alive, mut ended) = mpsc::channel::<()>(1);
    let certificates: Vec<_> = listeners
        .iter()
        .filter_map(|listener| listener.certificate.clone())
        .collect();
    let accepting = listeners
        .into_iter()
        .map(|listener| accept_all(listener, api.clone(), alive.clone()));
    let accepting = futures::future::join_all(accepting);
    drop(alive);
    tokio::select! {
        biased;
        _ = accepting => {}
        () = upkeep(&api, &certificates) => {}
    }
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

/// What goes on beside the requests; never ends.
async fn upkeep<P: Served>(api: &Api<P>, certificates: &[Arc<Certificate>]) {
    let certificates = certificates.iter().map(|certificate| certificate.follow());
    tokio::join!(futures::future::join_all(certificates), api.gate().upkeep(),);
    std::future::pending::<()>().await;
}

async fn accept_all<P: Served>(listener: Listener, api: Api<P>, alive: mpsc::Sender<()>) {
    let connections = Connections::new(listener.connections_max(api.connections_max()));
    let spare = Arc::new(Semaphore::new(SPARE_CONNECTIONS));
    let router = router(api.clone(), listener.side);
    loop {
        let accepted = tokio::select! {
            biased;
            () = api.stopped() => return,
            accepted = listener.accept() => accepted,
        };
        let Some((stream, peer)) = accepted else {
            continue;
        };
        let service = Service {
            router: router.clone(),
            api: api.clone(),
            peer: Peer(peer.ip()),
        };
        let certificate = listener.certificate.clone();
        let alive = alive.clone();
        if let Some(place) = connections.place().await {
            tokio::spawn(async move {
                connection(stream, certificate, service, place).await;
                drop(alive);
            });
            continue;
        }
        let turn = tokio::select! {
            biased;
            () = api.stopped() => return,
            turn = Arc::clone(&spare).acquire_owned() => turn,
        };
        tokio::spawn(async move {
            let answer = one_answer(stream, certificate.as_deref(), move |request| {
                service.clone().answer_in_short(request)
            });
            let _ = tokio::time::timeout(SPARE_TIME_MAX, answer).await;
            drop((turn, alive));
        });
    }
}

/// What answers the requests of a connection.
struct Service<P: Served> {
    router: axum::Router,
    api: Api<P>,
    peer: Peer,
}

impl<P: Served> Clone for Service<P> {
    fn clone(&self) -> Self {
        Self {
            router: self.router.clone(),
            api: self.api.clone(),
            peer: self.peer,
        }
    }
}

impl<P: Served> Service<P> {
    async fn answer(self, mut request: Request<Incoming>) -> Response<Body> {
        request.extensions_mut().insert(self.peer);
        let Ok(mut response) = self.router.oneshot(request).await;
        if self.api.is_ending() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }

    /// While there are too many connections.
    async fn answer_in_short(self, request: Request<Incoming>) -> Response<Body> {
        if request.uri().path() == ALWAYS_SERVED {
            return self.answer(request).await;
        }
        let detail = "too many connections are open, and all of them are busy: try again later";
        let mut response = Problem::new(Kind::Overloaded, detail)
            .retry_after(RETRY_AFTER)
            .into_response();
        super::observe::stamp(&mut response, request.headers());
        response
    }
}

/// Serves a connection until it ends, is to end, or has to make room for another one.
async fn connection<P: Served>(
    stream: TcpStream,
    certificate: Option<Arc<Certificate>>,
    service: Service<P>,
    place: Place,
) {
    let activity = Arc::clone(place.activity());
    let stream = PacedStream::new(stream, Arc::clone(&activity));
    let served = async {
        match certificate.as_deref() {
            None => requests(stream, service, &activity).await,
            Some(certificate) => {
                if let Some(stream) = encrypted(stream, certificate).await {
                    requests(stream, service, &activity).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = activity.closed() => tracing::debug!("a quiet connection is closed to make room for another one"),
        () = served => {}
    }
}

/// Speaks TLS; none if the client does not.
async fn encrypted<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    certificate: &Certificate,
) -> Option<tokio_rustls::server::TlsStream<T>> {
    let acceptor = TlsAcceptor::from(certificate.value());
    match tokio::time::timeout(HANDSHAKE_TIME_MAX, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("a TLS handshake took too long");
            None
        }
    }
}

async fn requests<T, P>(stream: T, service: Service<P>, activity: &Arc<Activity>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    P: Served,
{
    let api = service.api.clone();
    let stream = ParseErrors::new(stream, Arc::clone(activity));
    let unreadable = stream.failed();
    let activity = Arc::clone(activity);
    let service = service_fn(move |request| {
        activity.begin_request();
        let (answer, activity) = (service.clone().answer(request), Arc::clone(&activity));
        Box::pin(async move {
            let response = answer.await;
            activity.end_request();
            Ok::<_, Infallible>(response)
        })
    });
    let mut serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        biased;
        ended = poll_fn(|context| serving.poll_without_shutdown(context)) => ended,
        () = api.stopped() => {
            Pin::new(&mut serving).graceful_shutdown();
            poll_fn(|context| serving.poll_without_shutdown(context)).await
        }
    };
    if let Err(error) = ended {
        // Mostly a client that went away.
        tracing::debug!(%error, "a connection failed");
    }
    let stream = serving.into_parts().io.into_inner();
    let ending = end(stream, unreadable.get());
    let _ = tokio::time::timeout(LINGER_TIME_MAX, ending).await;
}

/// Says that nothing more is sent; reads what the client still sends if it was answered too early.
async fn end<T: AsyncRead + AsyncWrite + Unpin>(mut stream: T, lingers: bool) -> io::Result<()> {
    stream.shutdown().await?;
    if lingers {
        let mut rest = stream.take(LINGER_BYTES_MAX);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    }
    Ok(())
}

/// Answers one request and ends the connection.
pub(super) async fn one_answer<A>(
    stream: TcpStream,
    certificate: Option<&Certificate>,
    answer: impl Fn(Request<Incoming>) -> A,
) where
    A: Future<Output = Response<Body>>,
{
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).keep_alive(false);
    // A client that goes away does no harm.
    match certificate {
        None => drop(http.serve_connection(TokioIo::new(stream), service).await),
        Some(certificate) => {
            if let Some(stream) = encrypted(stream, certificate).await {
                drop(http.serve_connection(TokioIo::new(stream), service).await);
            }
        }
    }
}
