//! An HTTP/1.1 client that keeps its connections.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use url::Url;

/// The most connections that are being opened at once: a server's queue of new ones is short.
const CONNECTING_MAX: usize = 256;

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Open files that are left for everything but connections.
const FILES_SPARED: u64 = 256;

/// A client of one service. Each request under way has a connection of its own; idle ones are used again.
#[derive(Debug)]
pub struct Client {
    addresses: Vec<SocketAddr>,
    host: HeaderValue,
    base: String,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    connections: Semaphore,
    connecting: Semaphore,
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

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL cannot be used.
    #[error("cannot use the target {url}: {why}")]
    Target {
        /// The URL.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// No connection.
    #[error("cannot connect to {host}")]
    Connect {
        /// Where to.
        host: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The connection failed before the answer was there: the request may have been carried out.
    #[error("the connection failed before the answer was complete")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time: the request may have been carried out.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The answer was not understood.
    #[error("cannot understand the answer {status}: {why}")]
    Answer {
        /// Its status.
        status: StatusCode,
        /// What is wrong with it.
        why: String,
    },
}

impl Client {
    /// A client of the service at `url`, with at most `connections_max` connections, or as many as the system allows
    /// this process.
    ///
    /// # Errors
    /// When the URL is no `http://` URL, or its host has no address.
    pub async fn new(url: &Url, connections_max: usize) -> Result<Self, Error> {
        let refuse = |why: &str| Error::Target {
            url: shown(url),
            why: why.to_owned(),
        };
        if url.scheme() != "http" {
            return Err(refuse("only http:// is spoken"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it ends with a query or a fragment"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it names a user, and the service knows none"));
        }
        let name = url.host_str().ok_or_else(|| refuse("it has no host"))?;
        let port = url.port_or_known_default().unwrap_or(80);
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((bare, port))
            .await
            .map_err(|source| Error::Connect {
                host: format!("{name}:{port}"),
                source,
            })?
            .collect();
        let host = format!("{name}:{port}");
        Ok(Self {
            addresses,
            host: HeaderValue::from_str(&host)
                .map_err(|_| refuse("its host is no header value"))?,
            base: url.path().trim_end_matches('/').to_owned(),
            idle: Mutex::default(),
            connections: Semaphore::new(connections_max.min(files_allowed()).max(1)),
            connecting: Semaphore::new(CONNECTING_MAX),
        })
    }

    /// Sends a request and reads the whole answer. `path` begins with a slash; a body is JSON.
    ///
    /// # Errors
    /// When there is no answer within `limit`. Whether the request was carried out is then not known.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        limit: Duration,
    ) -> Result<Answer, Error> {
        let sent = self.exchange(method, path, body.map(Bytes::from));
        tokio::time::timeout(limit, sent)
            .await
            .unwrap_or(Err(Error::TimedOut(limit)))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Answer, Error> {
        // It is never closed.
        let _connection = self
            .connections
            .acquire()
            .await
            .map_err(|error| Error::Broken(error.into()))?;
        if let Some(mut kept) = self.kept() {
            match self
                .ask(&mut kept, self.request(&method, path, body.clone())?)
                .await
            {
                Ok(answer) => return Ok(self.keep(kept, answer)),
                // The server closed it while it was idle: the request went nowhere, or can be repeated harmlessly.
                Err(error) => tracing::debug!(%error, "a kept connection is of no use any more"),
            }
        }
        let mut fresh = self.connect().await?;
        let answer = self
            .ask(&mut fresh, self.request(&method, path, body)?)
            .await?;
        Ok(self.keep(fresh, answer))
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.base))
            .header(HOST, self.host.clone());
        if body.is_some() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        request
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|error| Error::Broken(error.into()))
    }

    async fn ask(
        &self,
        connection: &mut SendRequest<Full<Bytes>>,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, Error> {
        connection
            .ready()
            .await
            .map_err(|error| Error::Broken(error.into()))?;
        let answer = connection
            .send_request(request)
            .await
            .map_err(|error| Error::Broken(error.into()))?;
        let status = answer.status();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(seconds);
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(Error::Broken)?;
        Ok(Answer {
            status,
            retry_after,
            body: body.to_bytes(),
        })
    }

    /// A connection that was kept and is still open, the last one used first.
    fn kept(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock();
        while let Some(connection) = idle.pop() {
            if !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, connection: SendRequest<Full<Bytes>>, answer: Answer) -> Answer {
        if !connection.is_closed() {
            self.idle.lock().push(connection);
        }
        answer
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Error> {
        let _turn = self
            .connecting
            .acquire()
            .await
            .map_err(|error| Error::Broken(error.into()))?;
        let failed = |source| Error::Connect {
            host: self.host.to_str().unwrap_or_default().to_owned(),
            source,
        };
        let stream = TcpStream::connect(&self.addresses[..])
            .await
            .map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Error::Broken(error.into()))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
        Ok(sender)
    }
}

/// The URL without what must not be shown.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_password(None);
    url.to_string()
}

/// How many connections the system allows, after asking it for as many as it gives.
fn files_allowed() -> usize {
    let allowed = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024);
    usize::try_from(allowed.saturating_sub(FILES_SPARED))
        .unwrap_or(usize::MAX)
        .min(Semaphore::MAX_PERMITS)
}

fn seconds(header: &HeaderValue) -> Option<Duration> {
    header
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}
