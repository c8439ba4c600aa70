//! Requests over kept connections.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::rt::{Read, Write};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::{Mutex, RwLock};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Error, HttpUrl, OpenError, tls};

/// The most connections that are being opened at once: a server's queue of new ones is short.
const CONNECTING_MAX: usize = 256;

/// How long a connection may have been idle to be used again: servers close those that idle for a minute or so, and
/// a request that crosses the closing is in doubt.
const IDLE_TIME_MAX: Duration = Duration::from_secs(30);

/// How often a token that the service refuses is read again at most.
const RENEW_EVERY: Duration = Duration::from_secs(1);

/// The header that makes a repeated request harmless.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// How much a client takes on.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most connections, which is the most requests under way; the others wait.
    pub connections_max: usize,
    /// The largest answer that is read, in bytes.
    pub answer_bytes_max: usize,
}

/// A request to send.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    method: Method,
    path: &'a str,
    body: Option<Bytes>,
    key: Option<HeaderValue>,
}

impl<'a> Ask<'a> {
    /// GET a path, which begins with a slash.
    pub const fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            body: None,
            key: None,
        }
    }

    /// POST JSON to a path, which begins with a slash.
    pub fn post(path: &'a str, json: Vec<u8>) -> Self {
        Self {
            method: Method::POST,
            path,
            body: Some(Bytes::from(json)),
            key: None,
        }
    }

    /// With the header `Idempotency-Key`; left out if no header can carry it.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = HeaderValue::from_str(key).ok();
        self
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// When to try again, if it says.
    pub retry_after: Option<Duration>,
    /// Its body.
    pub body: Bytes,
}

/// A client of one service. Each request under way has a connection of its own; idle ones are used again.
pub struct Client {
    /// The host without the brackets of an IPv6 address.
    name: String,
    port: u16,
    host: HeaderValue,
    base: String,
    authorization: RwLock<Option<HeaderValue>>,
    token_file: Option<PathBuf>,
    /// When the token was last read again.
    renewed: Mutex<Option<Instant>>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// What the host's name last meant; none after a connection could not be had.
    addresses: Mutex<Option<Arc<[SocketAddr]>>>,
    idle: Mutex<Vec<Idle>>,
    connections: Semaphore,
    connecting: Semaphore,
    answer_bytes_max: usize,
}

type Connection = SendRequest<Full<Bytes>>;

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Client {
    /// A client of the service at a URL. Reads the files that it names, and connects to nothing yet.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn open(url: &HttpUrl, limits: Limits) -> Result<Self, OpenError> {
        let invalid = |error: Box<dyn StdError + Send + Sync>| OpenError::Url(error);
        let name = url.host().trim_start_matches('[').trim_end_matches(']');
        let tls = if url.is_secure() {
            let server = ServerName::try_from(name.to_owned());
            let server = server.map_err(|error| invalid(error.into()))?;
            Some((tls::config(url.tls_ca())?.into(), server))
        } else {
            None
        };
        let host =
            HeaderValue::from_str(&url.authority()).map_err(|error| invalid(error.into()))?;
        Ok(Self {
            name: name.to_owned(),
            port: url.port(),
            host,
            base: url.base().to_owned(),
            authorization: RwLock::new(authorization(url)?),
            token_file: url.token_file().map(Path::to_owned),
            renewed: Mutex::default(),
            tls,
            addresses: Mutex::default(),
            idle: Mutex::default(),
            connections: Semaphore::new(limits.connections_max.clamp(1, Semaphore::MAX_PERMITS)),
            connecting: Semaphore::new(CONNECTING_MAX),
            answer_bytes_max: limits.answer_bytes_max,
        })
    }

    /// Asks what the host's name means, so that one that means nothing is told before the first request.
    ///
    /// # Errors
    /// When it has no address.
    pub async fn resolve(&self) -> Result<(), Error> {
        self.resolved()
            .await
            .map(|_| ())
            .map_err(|source| self.unreachable(source))
    }

    /// Sends a request and reads the whole answer, whatever its status. It is sent once: only a kept connection that
    /// turns out to be closed before anything was sent is replaced by another.
    ///
    /// # Errors
    /// When there is no answer within `limit`; [`Error::may_be_done`] tells whether the request can have been
    /// carried out.
    pub async fn send(&self, ask: Ask<'_>, limit: Duration) -> Result<Answer, Error> {
        let sent = AtomicBool::new(false);
        match tokio::time::timeout(limit, self.exchange(&ask, &sent)).await {
            Ok(answer) => answer,
            Err(_) if sent.load(Ordering::Relaxed) => Err(Error::TimedOut { limit }),
            Err(_) => Err(Error::NoConnection { limit }),
        }
    }

    async fn exchange(&self, ask: &Ask<'_>, sent: &AtomicBool) -> Result<Answer, Error> {
        // It is never closed.
        let _turn = self.connections.acquire().await.map_err(unsent)?;
        let used = self.authorization.read().clone();
        let answer = self.exchange_once(ask, sent).await?;
        // Nothing was done, so that it can be repeated.
        if answer.status == StatusCode::UNAUTHORIZED && self.renew_token(used.as_ref()) {
            return self.exchange_once(ask, sent).await;
        }
        Ok(answer)
    }

    /// Reads the token again, which may have been replaced. Whether there is another one than was used.
    fn renew_token(&self, used: Option<&HeaderValue>) -> bool {
        let Some(path) = &self.token_file else {
            return false;
        };
        let mut renewed = self.renewed.lock();
        if self.authorization.read().as_ref() != used {
            return true;
        }
        if renewed.is_some_and(|at| at.elapsed() < RENEW_EVERY) {
            return false;
        }
        *renewed = Some(Instant::now());
        match bearer(path) {
            Ok(token) if Some(&token) != used => {
                *self.authorization.write() = Some(token);
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn StdError,
                    "the service refuses the token, and there is no new one"
                );
                false
            }
        }
    }

    async fn exchange_once(&self, ask: &Ask<'_>, sent: &AtomicBool) -> Result<Answer, Error> {
        while let Some(kept) = self.kept() {
            match self.ask(kept, ask, sent).await {
                Err(Error::Unsent(error)) => {
                    tracing::debug!(error, "a kept connection is of no use any more");
                }
                answered => return answered,
            }
        }
        // In a box, so that requests on kept connections need no room for this.
        let new = Box::pin(self.connect()).await?;
        self.ask(new, ask, sent).await
    }

    async fn ask(
        &self,
        mut connection: Connection,
        ask: &Ask<'_>,
        sent: &AtomicBool,
    ) -> Result<Answer, Error> {
        let request = self.request(ask)?;
        connection.ready().await.map_err(unsent)?;
        sent.store(true, Ordering::Relaxed);
        let answer = connection.try_send_request(request).await;
        let answer = answer.map_err(|mut error| {
            // It comes back if none of it was written.
            if error.take_message().is_some() {
                sent.store(false, Ordering::Relaxed);
                unsent(error.into_error())
            } else {
                Error::Lost(error.into_error().into())
            }
        })?;
        let status = answer.status();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(seconds);
        let bytes_max = self.answer_bytes_max;
        let body = Limited::new(answer.into_body(), bytes_max);
        let body = body.collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Error::TooLarge { bytes_max }
            } else {
                Error::Lost(error)
            }
        })?;
        self.keep(connection);
        Ok(Answer {
            status,
            retry_after,
            body: body.to_bytes(),
        })
    }

    fn request(&self, ask: &Ask<'_>) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(format!("{}{}", self.base, ask.path))
            .header(HOST, self.host.clone());
        if let Some(authorization) = &*self.authorization.read() {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(key) = &ask.key {
            request = request.header(IDEMPOTENCY_KEY, key.clone());
        }
        if ask.body.is_some() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let body = ask.body.clone().unwrap_or_default();
        request.body(Full::new(body)).map_err(unsent)
    }

    /// A connection that was kept and is still open, the last one used first.
    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock();
        while let Some(Idle { connection, since }) = idle.pop() {
            if !connection.is_closed() && since.elapsed() <= IDLE_TIME_MAX {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, connection: Connection) {
        if !connection.is_closed() {
            let since = Instant::now();
            self.idle.lock().push(Idle { connection, since });
        }
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let _turn = self.connecting.acquire().await.map_err(unsent)?;
        match self.reach().await {
            Ok(stream) => self.greet(stream).await,
            Err(source) => {
                // The name may mean something else by now.
                *self.addresses.lock() = None;
                Err(self.unreachable(source))
            }
        }
    }

    async fn reach(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.resolved().await?[..]).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn resolved(&self) -> io::Result<Arc<[SocketAddr]>> {
        if let Some(addresses) = &*self.addresses.lock() {
            return Ok(Arc::clone(addresses));
        }
        let addresses: Arc<[SocketAddr]> = tokio::net::lookup_host((self.name.as_str(), self.port))
            .await?
            .collect();
        *self.addresses.lock() = Some(Arc::clone(&addresses));
        Ok(addresses)
    }

    async fn greet(&self, stream: TcpStream) -> Result<Connection, Error> {
        let Some((connector, server)) = &self.tls else {
            return shake_hands(TokioIo::new(stream)).await;
        };
        let stream = connector.connect(server.clone(), stream).await;
        let stream = stream.map_err(|source| self.unreachable(source))?;
        shake_hands(TokioIo::new(stream)).await
    }

    fn unreachable(&self, source: io::Error) -> Error {
        Error::Connect {
            host: format!("{}:{}", self.name, self.port),
            source,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("name", &self.name)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

async fn shake_hands<T>(io: T) -> Result<Connection, Error>
where
    T: Read + Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(io).await.map_err(unsent)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended");
        }
    });
    Ok(sender)
}

fn unsent(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::Unsent(error.into())
}

/// What says who asks.
fn authorization(url: &HttpUrl) -> Result<Option<HeaderValue>, OpenError> {
    if let Some(path) = url.token_file() {
        return bearer(path).map(Some);
    }
    let Some((user, password)) = url.user() else {
        return Ok(None);
    };
    let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
    let value = HeaderValue::from_str(&format!("Basic {pair}"));
    let mut value = value.map_err(|error| OpenError::Url(error.into()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// The token in a file.
fn bearer(path: &Path) -> Result<HeaderValue, OpenError> {
    let token = std::fs::read_to_string(path).map_err(|source| OpenError::File {
        path: path.to_owned(),
        source: source.into(),
    })?;
    let token = token.trim();
    match HeaderValue::from_str(&format!("Bearer {token}")) {
        Ok(mut value) if !token.is_empty() => {
            value.set_sensitive(true);
            Ok(value)
        }
        // The error would show nothing useful, and must not show the token.
        _ => Err(OpenError::NoToken(path.to_owned())),
    }
}

fn seconds(header: &HeaderValue) -> Option<Duration> {
    let seconds = header.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
