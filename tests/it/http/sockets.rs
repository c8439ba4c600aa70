//! Real connections: what a router alone cannot show.

use std::time::Duration;

use oms::flow::Settings;
use oms::http::{Limits, Listener, Phase, Side, serve};
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
    let served = tokio::spawn(serve(vec![Listener::plain(listener)], shop.api.clone()));
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
    serving.shop.phase.send_replace(Phase::Stopping);
    let answered = answer(&mut waiting).await;
    assert!(answered.starts_with("HTTP/1.1 200 "), "{answered}");
    assert!(answered.contains("INIT"), "{answered}");
    assert!(answered.contains("connection: close"), "{answered}");
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

/// Sends bytes on a connection of its own and reads all that comes until it ends.
async fn exchange(address: std::net::SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The service may close before all of it is sent.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Asserts that an answer is this problem, that it has an id, and that it is all there is.
#[track_caller]
fn is_problem(answer: &str, status: u16, kind: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(
        head.contains("content-type: application/problem+json"),
        "{answer}"
    );
    assert!(head.contains("request-id: "), "{answer}");
    let document: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        document["type"],
        format!("urn:oms:problem:{kind}"),
        "{answer}"
    );
    assert_eq!(document["status"], status, "{answer}");
}

#[tokio::test]
async fn what_hyper_cannot_read_is_answered_with_a_problem() {
    let serving = serving(Shop::undecided([("A", 10)]).await).await;
    let long = |bytes: usize| "a".repeat(bytes);
    for (head, status, kind) in [
        ("nonsense\r\n\r\n".to_owned(), 400, "malformed"),
        (
            "GET / HTTP/9.9\r\nhost: oms\r\n\r\n".to_owned(),
            400,
            "malformed",
        ),
        (
            "GET / HTTP/1.1\r\nho st: oms\r\n\r\n".to_owned(),
            400,
            "malformed",
        ),
        (
            "POST /v1/carts HTTP/1.1\r\nhost: oms\r\ncontent-length: x\r\n\r\n".to_owned(),
            400,
            "malformed",
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nhost: oms\r\nx: {}\r\n\r\n",
                long(200_000)
            ),
            431,
            "head-too-large",
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nhost: oms\r\n{}\r\n",
                "x: y\r\n".repeat(200)
            ),
            431,
            "head-too-large",
        ),
    ] {
        let answer = exchange(serving.address, head.as_bytes()).await;
        is_problem(&answer, status, kind);
    }
    // After a request that could be read, too.
    let two = b"GET /healthz HTTP/1.1\r\nhost: oms\r\n\r\nnonsense\r\n\r\n";
    let answers = exchange(serving.address, two).await;
    assert!(answers.starts_with("HTTP/1.1 200 "), "{answers}");
    let second = answers.rfind("HTTP/1.1 ").unwrap();
    is_problem(&answers[second..], 400, "malformed");
}

#[tokio::test]
async fn a_host_is_named_exactly_once() {
    let serving = serving(Shop::undecided([("A", 10)]).await).await;
    for hosts in [
        "",
        "host: a\r\nhost: a\r\n",
        "host: a b\r\n",
        "host: u@a\r\n",
    ] {
        let head = format!("GET /healthz HTTP/1.1\r\n{hosts}connection: close\r\n\r\n");
        is_problem(
            &exchange(serving.address, head.as_bytes()).await,
            400,
            "malformed",
        );
    }
    for head in [
        "GET /healthz HTTP/1.1\r\nhost: [::1]:8080\r\nconnection: close\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n",
        "GET /healthz HTTP/1.0\r\n\r\n",
    ] {
        let answer = exchange(serving.address, head.as_bytes()).await;
        assert!(answer.contains(" 200 OK"), "{answer}");
    }
}

#[tokio::test]
async fn a_service_that_drains_takes_connections_and_is_not_ready() {
    let serving = serving(Shop::undecided([("A", 10)]).await).await;
    let mut kept = TcpStream::connect(serving.address).await.unwrap();
    let ready = send(&mut kept, "GET /readyz", b"").await;
    assert!(ready.starts_with("HTTP/1.1 200 "), "{ready}");
    assert!(!ready.contains("connection: close"), "{ready}");
    serving.shop.phase.send_replace(Phase::Draining);
    let mut new = TcpStream::connect(serving.address).await.unwrap();
    for stream in [&mut kept, &mut new] {
        let answer = send(stream, "GET /readyz", b"").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("about to end"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    let mut new = TcpStream::connect(serving.address).await.unwrap();
    let body = cart("c1", [("A", 1)]).to_string();
    let accepted = send(&mut new, "POST /v1/carts", body.as_bytes()).await;
    assert!(accepted.starts_with("HTTP/1.1 202 "), "{accepted}");
}

#[tokio::test]
async fn busy_connections_leave_health_reachable_and_quiet_ones_make_room() {
    let limits = Limits {
        connections_max: 4,
        ..Limits::default()
    };
    let shop = Shop::with([("A", 10)], Settings::default(), limits).await;
    let id = shop.accepted([("A", 1)]).await;
    let serving = serving(shop).await;
    let head = format!("GET /v1/orders/{id}?wait=60s HTTP/1.1\r\nhost: oms\r\n\r\n");
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(serving.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        waiting.push(stream);
    }
    let health = b"GET /healthz HTTP/1.1\r\nhost: oms\r\n\r\n";
    let info = b"GET /v1/info HTTP/1.1\r\nhost: oms\r\n\r\n";
    // The waiting ones may not have arrived yet; then this one is served as any other, and ends.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let answer = exchange_once(serving.address, info).await;
        if answer.starts_with("HTTP/1.1 503 ") {
            is_problem(&answer, 503, "overloaded");
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{answer}");
    }
    let answer = exchange_once(serving.address, health).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // Clients that go away free their places for those who say nothing, and these give way to the next ones.
    drop(waiting);
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(serving.address).await.unwrap());
    }
    loop {
        let answer = exchange_once(serving.address, info).await;
        if answer.starts_with("HTTP/1.1 200 ") {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{answer}");
    }
}

/// Sends a request and reads one answer.
async fn exchange_once(address: std::net::SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    answer(&mut stream).await
}

#[tokio::test]
async fn one_address_gets_as_many_requests_as_it_may_have() {
    let limits = Limits {
        rates: "address=2/m".parse().unwrap(),
        ..Limits::default()
    };
    let serving = serving(Shop::with([("A", 10)], Settings::default(), limits).await).await;
    let mut stream = TcpStream::connect(serving.address).await.unwrap();
    for _ in 0..2 {
        let answer = send(&mut stream, "GET /v1/inventory/A", b"").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let answer = send(&mut stream, "GET /v1/inventory/A", b"").await;
    is_problem(&answer, 429, "rate-limited");
    assert!(answer.contains("retry-after: "), "{answer}");
    // Probes and other oms processes are not counted.
    for head in ["GET /healthz", "GET /readyz", "GET /metrics"] {
        let answer = send(&mut stream, head, b"").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[tokio::test]
async fn each_listener_serves_its_side() {
    let shop = Shop::open([("A", 10)]).await;
    let bind = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (public, internal) = (bind().await, bind().await);
    let addresses = [&public, &internal].map(|tcp| tcp.local_addr().unwrap());
    let on = |tcp, side| Listener {
        side,
        ..Listener::plain(tcp)
    };
    let listeners = vec![on(public, Side::Public), on(internal, Side::Internal)];
    let served = tokio::spawn(serve(listeners, shop.api.clone()));
    let body = cart("c1", [("A", 1)]).to_string();
    let item = r#"{"name":"Lamp","price":5,"stock":2}"#.to_owned();
    for (head, body, statuses) in [
        ("GET /healthz", "", [200, 200]),
        ("GET /v1/info", "", [200, 200]),
        ("GET /v1/inventory/A", "", [200, 200]),
        ("POST /v1/carts", &*body, [202, 404]),
        ("GET /readyz", "", [404, 200]),
        ("GET /metrics", "", [404, 200]),
        ("PUT /v1/inventory/B", &*item, [405, 201]),
        (
            "POST /v1/inventory/batch/orders",
            "{\"ids\":[]}",
            [404, 200],
        ),
        ("POST /v1/inventory/reservations", &*body, [405, 200]),
    ] {
        for (address, status) in addresses.into_iter().zip(statuses) {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let answer = send(&mut stream, head, body.as_bytes()).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{head}: {answer}"
            );
        }
    }
    shop.phase.send_replace(Phase::Stopping);
    timeout(PATIENCE, served).await.unwrap().unwrap().unwrap();
}
