//! The adapter of the payment gateway: what it makes of answers, of odd ones, and of none.

use std::error::Error as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use oms::http_client::HttpUrl;
use oms::payments::http::HttpPayments;
use oms::payments::{Cancelled, Charge, Error, GatewayIdentity as _, Payments as _, Verdict};
use oms::ports::ErrorKind;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::gateway::{self, Gateway};
use super::server::canned;
use crate::make::{customer, id, money};
use crate::model::{Call, Gate, ManualClock, ModelPayments, Outcome};
use crate::place::nowhere;

const PASSWORD: &str = "canary/7f3a";

fn charge(number: u64) -> Charge {
    Charge {
        order_id: id(number),
        customer: customer("payer"),
        amount: money(500),
    }
}

fn is_captured(verdict: &Verdict) -> bool {
    let amount = money(500);
    *verdict == Verdict::Captured { amount }
}

async fn gateway() -> (ModelPayments, Gateway) {
    let model = ModelPayments::new(ManualClock::default());
    (model.clone(), gateway::serve(model).await)
}

/// What each call comes to, if it fails.
async fn failures(client: &HttpPayments) -> [Option<Error>; 4] {
    [
        client.charge(charge(1)).await.err(),
        client.cancel(id(1)).await.err(),
        client.refund(id(1), money(500)).await.err(),
        client.lookup(id(1)).await.err(),
    ]
}

async fn kinds(client: &HttpPayments) -> [Option<ErrorKind>; 4] {
    failures(client)
        .await
        .map(|error| error.map(|error| error.kind()))
}

const UNAVAILABLE: Option<ErrorKind> = Some(ErrorKind::Unavailable);
const UNKNOWN: Option<ErrorKind> = Some(ErrorKind::OutcomeUnknown);
const PERMANENT: Option<ErrorKind> = Some(ErrorKind::Permanent);

#[tokio::test]
async fn an_answer_lost_after_the_capture_is_unknown_and_a_lookup_finds_it() {
    let (model, gateway) = gateway().await;
    model.otherwise(Outcome::CaptureUnheard);
    let client = gateway.client();
    let error = client.charge(charge(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{}", error.chain());
    assert!(is_captured(&client.lookup(id(1)).await.unwrap().unwrap()));
    assert!(is_captured(&client.charge(charge(1)).await.unwrap()));
    assert_eq!(model.entry(id(1)).unwrap().captures, 1);
    // Nothing was repeated behind the caller's back.
    assert_eq!(model.count(Call::Charge(id(1))), 2);
}

#[tokio::test]
async fn a_pending_charge_is_pending_until_it_is_captured() {
    let (model, gateway) = gateway().await;
    model.otherwise(Outcome::Pending { asks: 2 });
    let client = gateway.client();
    assert_eq!(client.charge(charge(1)).await.unwrap(), Verdict::Pending);
    let lookup = async || client.lookup(id(1)).await.unwrap().unwrap();
    assert_eq!(lookup().await, Verdict::Pending);
    assert_eq!(lookup().await, Verdict::Pending);
    assert!(is_captured(&lookup().await));
    let amount = money(500);
    assert_eq!(
        client.cancel(id(1)).await.unwrap(),
        Cancelled::Captured { amount }
    );
}

#[tokio::test]
async fn a_charge_that_is_late_is_unknown_and_what_cancel_answers_decides() {
    let (model, gateway) = gateway().await;
    let gate = Gate::default();
    model.otherwise(Outcome::Late(gate.clone()));
    let client = gateway.client_with("?timeout=100ms");
    let error = client.charge(charge(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{}", error.chain());
    // No verdict: it is still on its way.
    assert_eq!(client.lookup(id(1)).await.unwrap(), None);
    assert_eq!(client.cancel(id(1)).await.unwrap(), Cancelled::Fenced);
    gate.open();
    let declined = client.charge(charge(1)).await.unwrap();
    assert!(matches!(declined, Verdict::Declined { .. }), "{declined:?}");
    assert_eq!(model.entry(id(1)).unwrap().captures, 0);
}

#[tokio::test]
async fn a_gateway_that_is_away_or_busy_is_unavailable() {
    for status in [500, 502, 503, 504, 429, 408] {
        let (server, _) = canned(status, "{}").await;
        let client = HttpPayments::open(&server.url("", "")).unwrap();
        assert_eq!(kinds(&client).await, [UNAVAILABLE; 4], "{status}");
    }
    let url = format!("http://{}", nowhere());
    let client = HttpPayments::open(&HttpUrl::parse_gateway(&url).unwrap()).unwrap();
    assert_eq!(kinds(&client).await, [UNAVAILABLE; 4]);
    let (model, gateway) = gateway().await;
    model.set_away(true);
    assert_eq!(kinds(&gateway.client()).await, [UNAVAILABLE; 4]);
}

#[tokio::test]
async fn what_a_gateway_refuses_is_permanent_and_says_why() {
    for status in [301, 400, 401, 403, 410, 422] {
        let (server, _) = canned(status, r#"{"detail":"no such\u0007 merchant"}"#).await;
        let client = HttpPayments::open(&server.url("", "")).unwrap();
        assert_eq!(kinds(&client).await, [PERMANENT; 4], "{status}");
        let text = client.charge(charge(1)).await.unwrap_err().chain();
        assert!(text.contains(&status.to_string()), "{text}");
        assert!(text.ends_with(": no such merchant"), "{text}");
    }
    // 404 is an answer to a look-up only: a gateway that cannot fence a key has not fenced it.
    let (server, _) = canned(404, "not found").await;
    let client = HttpPayments::open(&server.url("", "")).unwrap();
    assert_eq!(
        kinds(&client).await,
        [PERMANENT, PERMANENT, PERMANENT, None]
    );
}

#[tokio::test]
async fn an_answer_that_is_not_understood_says_nothing_about_money() {
    let other = format!(
        r#"{{"status":"succeeded","amount":500,"order_id":"{}"}}"#,
        id(2)
    );
    let large = format!(
        r#"{{"status":"succeeded","reason":"{}"}}"#,
        "x".repeat(70_000)
    );
    for body in [
        "<html>welcome</html>",
        "[]",
        "{\"status\":",
        r#"{"status":7}"#,
        &other,
        &large,
    ] {
        let (server, _) = canned(200, body).await;
        let client = HttpPayments::open(&server.url("", "")).unwrap();
        let expected = [UNKNOWN, UNKNOWN, UNKNOWN, UNAVAILABLE];
        assert_eq!(kinds(&client).await, expected, "{body:.40}");
        let text = client.charge(charge(1)).await.unwrap_err().chain();
        assert!(
            text.starts_with("cannot tell whether this was done: charge order"),
            "{text}"
        );
    }
    for body in ["", "{}", r#"{"status":"settled"}"#] {
        let (server, _) = canned(200, body).await;
        let client = HttpPayments::open(&server.url("", "")).unwrap();
        // To cancel and to refund the status is answer enough.
        assert_eq!(kinds(&client).await, [UNKNOWN, None, None, UNAVAILABLE]);
    }
}

#[tokio::test]
async fn a_cancel_that_is_not_decided_releases_nothing() {
    for (status, body) in [
        (202, "{}"),
        (200, r#"{"status":"pending"}"#),
        (200, r#"{"status":"succeeded"}"#),
        (409, r#"{"status":"declined"}"#),
    ] {
        let (server, _) = canned(status, body).await;
        let client = HttpPayments::open(&server.url("", "")).unwrap();
        assert!(client.cancel(id(1)).await.is_err(), "{status} {body}");
    }
    let (server, _) = canned(200, r#"{"status":"succeeded","amount":500}"#).await;
    let client = HttpPayments::open(&server.url("", "")).unwrap();
    let amount = money(500);
    assert_eq!(
        client.cancel(id(1)).await.unwrap(),
        Cancelled::Captured { amount }
    );
}

#[tokio::test]
async fn requests_are_those_of_the_protocol() {
    let (server, asked) = canned(202, "").await;
    let client = HttpPayments::open(&server.url("", "/base/?currency=EUR")).unwrap();
    client.charge(charge(1)).await.unwrap();
    client.lookup(id(1)).await.unwrap();
    client.cancel(id(1)).await.unwrap_err();
    client.refund(id(1), money(500)).await.unwrap_err();
    let asked = asked.lock().clone();
    let lines: Vec<&str> = asked.iter().map(|asked| asked.line.as_str()).collect();
    let order = id(1);
    assert_eq!(
        lines,
        [
            "POST /base/v1/charges".to_owned(),
            format!("GET /base/v1/charges/{order}"),
            format!("POST /base/v1/charges/{order}/cancel"),
            "POST /base/v1/refunds".to_owned(),
        ]
    );
    assert_eq!(
        asked[0].body,
        serde_json::json!({"order_id": order, "customer": "payer", "amount": 500, "currency": "EUR"})
    );
    assert_eq!(asked[0].headers["idempotency-key"], order.to_string());
    assert_eq!(asked[0].headers["content-type"], "application/json");
    assert_eq!(asked[0].headers["host"], server.address.to_string());
    assert_eq!(
        asked[3].body,
        serde_json::json!({"order_id": order, "amount": 500})
    );
}

#[tokio::test]
async fn a_password_is_sent_and_never_shown() {
    let user = "shop:canary%2F7f3a@";
    let (server, asked) = canned(200, r#"{"status":"pending"}"#).await;
    let url = server.url(user, "");
    let client = HttpPayments::open(&url).unwrap();
    client.charge(charge(1)).await.unwrap();
    // shop:canary/7f3a
    let sent = asked.lock()[0].headers["authorization"].clone();
    assert_eq!(sent, "Basic c2hvcDpjYW5hcnkvN2YzYQ==");
    let mut shown = vec![format!("{url} {url:?} {client:?}")];
    for (status, body) in [(200, "garbage"), (403, "{}"), (500, "{}")] {
        let (server, _) = canned(status, body).await;
        let client = HttpPayments::open(&server.url(user, "")).unwrap();
        for error in failures(&client).await.into_iter().flatten() {
            shown.push(format!("{error:?} {}", error.chain()));
        }
    }
    let away = format!("http://{user}{}", nowhere());
    let client = HttpPayments::open(&HttpUrl::parse_gateway(&away).unwrap()).unwrap();
    for error in failures(&client).await.into_iter().flatten() {
        shown.push(format!("{error:?} {}", error.chain()));
        assert!(error.source().is_some());
    }
    let shown = shown.concat();
    for secret in [PASSWORD, "canary", "c2hvc", "shop"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn a_token_is_read_from_its_file() {
    let (server, asked) = canned(202, "").await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "canary-7f3a\n").unwrap();
    let url = server
        .url("", "?token-file=token")
        .relative_to(folder.path());
    let client = HttpPayments::open(&url).unwrap();
    client.charge(charge(1)).await.unwrap();
    assert_eq!(
        asked.lock()[0].headers["authorization"],
        "Bearer canary-7f3a"
    );
    assert!(!format!("{client:?} {url:?}").contains("canary"));
    for content in ["", "canary\n7f3a"] {
        std::fs::write(folder.path().join("token"), content).unwrap();
        let error = HttpPayments::open(&url).unwrap_err();
        assert!(!error.is_transient());
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
    std::fs::remove_file(folder.path().join("token")).unwrap();
    let text = HttpPayments::open(&url).unwrap_err().chain();
    assert!(text.contains("token"), "{text}");
}

#[tokio::test]
async fn connections_are_kept_and_bounded_and_whoever_gets_none_has_sent_nothing() {
    let (model, gateway) = gateway().await;
    let client = gateway.client_with("?connections=2&timeout=300ms");
    for number in 1..=20 {
        client.charge(charge(number)).await.unwrap();
    }
    assert_eq!(gateway.server.connections.load(Ordering::SeqCst), 1);
    model.otherwise(Outcome::Silence);
    let charges = (100..105).map(|number| client.charge(charge(number)));
    let kinds: Vec<_> = join_all(charges)
        .await
        .into_iter()
        .map(|charged| charged.unwrap_err().kind())
        .collect();
    let unknown = kinds
        .iter()
        .filter(|kind| **kind == ErrorKind::OutcomeUnknown);
    assert_eq!(unknown.count(), 2, "{kinds:?}");
    let arrived = model.calls().into_iter().skip(20);
    assert_eq!(arrived.count(), 2);
}

#[tokio::test]
async fn a_connection_that_the_gateway_closed_while_idle_is_replaced_and_nothing_is_sent_twice() {
    let (model, gateway) = gateway().await;
    let client = gateway.client();
    client.charge(charge(1)).await.unwrap();
    let address = gateway.server.address;
    drop(gateway);
    // The same address, another gateway: the kept connection leads nowhere.
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let reborn = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut piece = [0; 1_024];
        let read = stream.read(&mut piece).await.unwrap();
        // Lost: the answer never comes.
        String::from_utf8_lossy(&piece[..read]).into_owned()
    });
    let error = client.charge(charge(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{}", error.chain());
    assert!(reborn.await.unwrap().contains(&id(2).to_string()));
    assert_eq!(model.count(Call::Charge(id(2))), 0);
}

#[tokio::test]
async fn a_charge_is_what_the_gateway_says_it_is() {
    // The amount of a charge is what was asked for, unless the gateway says another.
    let (server, _) = canned(200, r#"{"status":"succeeded"}"#).await;
    let client = HttpPayments::open(&server.url("", "")).unwrap();
    assert!(is_captured(&client.charge(charge(1)).await.unwrap()));
    let (server, _) = canned(200, r#"{"status":"succeeded","amount":400,"extra":{}}"#).await;
    let client = HttpPayments::open(&server.url("", "")).unwrap();
    let amount = money(400);
    assert_eq!(
        client.charge(charge(1)).await.unwrap(),
        Verdict::Captured { amount }
    );
    let (server, _) = canned(200, r#"{"status":"declined"}"#).await;
    let client = HttpPayments::open(&server.url("", "")).unwrap();
    let reason = "declined".to_owned();
    assert_eq!(
        client.charge(charge(1)).await.unwrap(),
        Verdict::Declined { reason }
    );
}

#[tokio::test]
async fn a_gateway_that_never_answers_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}?timeout=50ms", listener.local_addr().unwrap());
    let client = HttpPayments::open(&HttpUrl::parse_gateway(&url).unwrap()).unwrap();
    let began = std::time::Instant::now();
    let unsure = [UNKNOWN, UNKNOWN, UNKNOWN, UNAVAILABLE];
    assert_eq!(kinds(&client).await, unsure);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_refusal_that_says_when_to_come_back_passes_that_on() {
    for status in [429_u16, 503] {
        let router = axum::Router::new().fallback(async move || {
            let status = axum::http::StatusCode::from_u16(status).unwrap();
            (status, [("retry-after", "7")], "{}")
        });
        let server = super::server::Server::start(router).await;
        let client = HttpPayments::open(&server.url("", "/pay")).unwrap();
        for failure in failures(&client).await {
            let failure = failure.unwrap();
            assert_eq!(failure.kind(), ErrorKind::Unavailable);
            assert_eq!(failure.retry_after(), Some(Duration::from_secs(7)));
        }
    }
    let (_, gateway) = gateway().await;
    let refused = gateway.client().refund(id(9), money(1)).await.unwrap_err();
    assert_eq!(refused.retry_after(), None);
}

#[tokio::test]
async fn a_gateway_that_does_not_tell_of_refunds_is_believed_to_know_nothing() {
    let (server, _) = canned(200, r#"{"status":"succeeded","amount":500}"#).await;
    let client = HttpPayments::open(&server.url("", "/pay")).unwrap();
    let record = client.record(id(1)).await.unwrap().unwrap();
    assert_eq!((record.captured(), record.refunded), (money(500), None));
    let (server, _) = canned(200, r#"{"status":"succeeded","amount":500,"refunded":200}"#).await;
    let client = HttpPayments::open(&server.url("", "/pay")).unwrap();
    let record = client.record(id(1)).await.unwrap().unwrap();
    assert_eq!(record.refunded, Some(money(200)));
}

#[tokio::test]
async fn one_gateway_has_one_name_however_its_url_is_written() {
    let name = async |text: &str| {
        let url = HttpUrl::parse_gateway(text).unwrap();
        let identity = HttpPayments::open(&url).unwrap().identity().await.unwrap();
        identity.id.to_string()
    };
    let plain = name("https://pay.example/base").await;
    assert_eq!(plain, "https://pay.example:443/base");
    for same in [
        "https://PAY.example:443/base/?timeout=2s",
        "https://shop:hunter2@pay.example/base?currency=EUR",
    ] {
        assert_eq!(name(same).await, plain);
    }
    assert_ne!(name("https://pay.example/other").await, plain);
    assert_ne!(name("http://pay.example/base").await, plain);
}
