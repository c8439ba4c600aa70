//! Real connections: what a router alone cannot show.

use std::time::Duration;

use oms::http::serve;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::fixture::{Shop, cart};

const PATIENCE: Duration = Duration::from_secs(20);

struct Serving {
    shop: Shop,
    address: std::net::SocketAddr,
    served: JoinHandle<std::io::Result<()>>,
}

async fn serving(shop: Shop) -> Serving {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(serve(listener, shop.api.clone()));
    Serving {
        shop,
        address,
        served,
    }
}

/// Reads one answer with its body, by its content length.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    timeout(PATIENCE, async {
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .map_or(0, |length| length.parse().unwrap());
                if body.len() >= length {
                    return text;
                }
            }
            let mut piece = [0; 4_096];
            let read = stream.read(&mut piece).await.unwrap();
            assert!(read > 0, "the connection ended after `{text}`");
            bytes.extend_from_slice(&piece[..read]);
        }
    })
    .await
    .unwrap()
}

async fn send(stream: &mut TcpStream, head: &str, body: &[u8]) -> String {
    let length = body.len();
    let head = format!(
        "{head} HTTP/1.1\r\nhost: oms\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    answer(stream).await
}

#[tokio::test]
async fn a_connection_takes_one_request_after_another() {
    let serving = serving(Shop::open([("A", 10)]).await).await;
    let mut stream = TcpStream::connect(serving.address).await.unwrap();
    let body = cart("c1", [("A", 1)]).to_string();
    let accepted = send(&mut stream, "POST /v1/carts", body.as_bytes()).await;
    assert!(accepted.starts_with("HTTP/1.1 202 "), "{accepted}");
    let info = send(&mut stream, "GET /v1/info", b"").await;
    assert!(info.starts_with("HTTP/1.1 200 "), "{info}");
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_answered_and_not_cut_off() {
    let serving = serving(Shop::undecided([("A", 10)]).await).await;
    let mut stream = TcpStream::connect(serving.address).await.unwrap();
    let answer = send(&mut stream, "POST /v1/carts", &vec![b' '; 10_000_000]).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("urn:oms:problem:body-too-large"),
        "{answer}"
    );
    assert!(answer.contains("order_id"), "{answer}");
}

#[tokio::test]
async fn what_is_not_http_ends_its_connection_only() {
    let serving = serving(Shop::undecided([("A", 10)]).await).await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: \xff\r\n",
    ] {
        let mut stream = TcpStream::connect(serving.address).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .unwrap()
            .unwrap();
    }
    let mut stream = TcpStream::connect(serving.address).await.unwrap();
    let large = format!("GET /{} HTTP/1.1\r\nhost: oms\r\n\r\n", "a".repeat(200_000));
    // The service may close before all of it is sent.
    let _ = stream.write_all(large.as_bytes()).await;
    let mut stream = TcpStream::connect(serving.address).await.unwrap();
    let answer = send(&mut stream, "GET /healthz", b"").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn stopping_answers_who_waits_closes_who_idles_and_takes_nobody_new() {
    let serving = serving(Shop::undecided([("A", 10)]).await).await;
    let id = serving.shop.accepted([("A", 1)]).await;
    let mut idle = TcpStream::connect(serving.address).await.unwrap();
    send(&mut idle, "GET /healthz", b"").await;
    let mut waiting = TcpStream::connect(serving.address).await.unwrap();
    let head = format!("GET /v1/orders/{id}?wait=60s HTTP/1.1\r\nhost: oms\r\n\r\n");
    waiting.write_all(head.as_bytes()).await.unwrap();
    // Answered requests say that this one has been taken, too: it was sent before.
    send(&mut idle, "GET /healthz", b"").await;
    serving.shop.stop.send_replace(true);
    let answered = answer(&mut waiting).await;
    assert!(answered.starts_with("HTTP/1.1 200 "), "{answered}");
    assert!(answered.contains("INIT"), "{answered}");
    let mut rest = Vec::new();
    let closed = timeout(PATIENCE, idle.read_to_end(&mut rest))
        .await
        .unwrap();
    assert_eq!((closed.unwrap(), rest.len()), (0, 0));
    timeout(PATIENCE, serving.served)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(serving.address).await.is_err());
}
