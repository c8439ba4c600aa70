//! A server that can lose answers, count connections, and say anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use oms::http_client::HttpUrl;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tower::ServiceExt as _;

/// Put into a response, it is lost: the connection ends instead.
#[derive(Debug, Clone)]
pub struct Lost;

/// A response that is lost.
pub fn lost() -> Response {
    let mut response = StatusCode::OK.into_response();
    response.extensions_mut().insert(Lost);
    response
}

/// A server on a port of its own; it ends when dropped.
pub struct Server {
    pub address: SocketAddr,
    /// How many connections it has taken.
    pub connections: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Server {
    /// Serves a router.
    pub async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            let mut serving = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                let router = router.clone();
                let service = hyper::service::service_fn(move |request| {
                    let router = router.clone();
                    async move {
                        let response = router.oneshot(request).await.unwrap();
                        match response.extensions().get::<Lost>() {
                            Some(Lost) => Err(std::io::Error::other("lost")),
                            None => Ok(response),
                        }
                    }
                });
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                serving.spawn(connection);
            }
        });
        Self {
            address,
            connections,
            task: task.abort_handle(),
        }
    }

    /// Its URL, with what stands before the host and after the port.
    pub fn url(&self, user: &str, rest: &str) -> HttpUrl {
        HttpUrl::parse_gateway(&format!("http://{user}{}{rest}", self.address)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a server was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub line: String,
    pub headers: HeaderMap,
    pub body: serde_json::Value,
}

/// A server that answers everything alike, and what it was asked.
pub async fn canned(status: u16, body: &str) -> (Server, Arc<Mutex<Vec<Asked>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (noted, body) = (Arc::clone(&asked), body.to_owned());
    let router = Router::new().fallback(async move |request: Request| {
        let (parts, sent) = request.into_parts();
        let sent = axum::body::to_bytes(sent, usize::MAX).await.unwrap();
        noted.lock().push(Asked {
            line: format!("{} {}", parts.method, parts.uri),
            headers: parts.headers,
            body: serde_json::from_slice(&sent).unwrap_or_default(),
        });
        Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .unwrap()
    });
    (Server::start(router).await, asked)
}
