//! Who may do what: every route without a token, with a wrong one, and with each scope; and the bounds of requests.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, header};
use oms::flow::Settings;
use oms::http::{Access, Auth, Limits, Scope, Tokens, routes};
use serde_json::json;

use super::fixture::{Answer, Shop, ShopPorts, cart, request, says};
use crate::faults::{Fault, Op};

const WRONG: &str = "Bearer wrong-0123456789abcdefghijklmnopqrstuv";

fn token(scope: Scope) -> String {
    format!("token-of-{scope}-0123456789abcdefghijklmnopqrstuv")
}

/// A shop where requests need tokens: there is one for each scope.
async fn guarded() -> Shop {
    let file = tempfile::NamedTempFile::new().unwrap();
    let lines = Scope::ALL.map(|scope| format!("{} {scope}\n", token(scope)));
    std::fs::write(&file, lines.concat()).unwrap();
    let auth = Auth::tokens(Tokens::open(file.path().to_owned()).unwrap());
    let shop = Shop::guarded([("A", 10)], Settings::default(), Limits::default(), auth);
    let shop = shop.await;
    shop.start_worker();
    shop
}

async fn send(shop: &Shop, method: &Method, path: &str, authorization: &[&str]) -> Answer {
    let mut request = request(method.clone(), path, Body::from("{}"));
    for value in authorization {
        let headers = request.headers_mut();
        headers.append(header::AUTHORIZATION, value.parse().unwrap());
    }
    shop.send(request).await
}

#[tokio::test(start_paused = true)]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let shop = guarded().await;
    let mut guarded_routes = 0;
    for route in routes::<ShopPorts>() {
        let path = route
            .path
            .replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057");
        let path = path.replace("{sku}", "A");
        let mut methods = vec![route.method.clone()];
        if route.method == Method::GET {
            methods.push(Method::HEAD);
        }
        for method in methods {
            let what = format!("{method} {path}");
            let answer = async |authorization: &[&str]| {
                let answer = send(&shop, &method, &path, authorization).await;
                let challenge = answer.header("www-authenticate").map(str::to_owned);
                if method != Method::HEAD && [401, 403].contains(&answer.status) {
                    let kind = if answer.status == 401 {
                        "unauthorized"
                    } else {
                        "forbidden"
                    };
                    answer.problem(answer.status, kind);
                    let text = answer.text();
                    assert!(!text.contains("0123456789"), "{what}: {text}");
                }
                (answer.status, challenge)
            };
            let Access::AnyOf(scopes) = route.access else {
                for authorization in [&[][..], &[WRONG]] {
                    let (status, challenge) = answer(authorization).await;
                    assert!(![401, 403].contains(&status), "{what}: {status}");
                    assert_eq!(challenge, None, "{what}");
                }
                continue;
            };
            guarded_routes += 1;
            assert!(!scopes.is_empty(), "{what}");
            let bearer = format!("Bearer {}", token(scopes[0]));
            let basic = format!("Basic {}", token(scopes[0]));
            for authorization in [&[][..], &[&*basic], &["Bearer"], &[&*bearer, &*bearer]] {
                let (status, challenge) = answer(authorization).await;
                assert_eq!(status, 401, "{what}");
                assert_eq!(challenge.unwrap(), "Bearer realm=\"oms\"", "{what}");
            }
            for wrong in [WRONG, "Bearer x", &bearer[..bearer.len() - 1]] {
                let (status, challenge) = answer(&[wrong]).await;
                assert_eq!(status, 401, "{what}");
                assert!(
                    challenge.unwrap().ends_with("error=\"invalid_token\""),
                    "{what}"
                );
            }
            for scope in Scope::ALL {
                let bearer = format!("Bearer {}", token(scope));
                let (status, challenge) = answer(&[&bearer]).await;
                if scopes.contains(&scope) {
                    assert!(
                        ![401, 403].contains(&status),
                        "{what} with {scope}: {status}"
                    );
                    assert_eq!(challenge, None, "{what}");
                } else {
                    assert_eq!(status, 403, "{what} with {scope}");
                    let challenge = challenge.unwrap();
                    assert!(
                        challenge.contains("error=\"insufficient_scope\""),
                        "{challenge}"
                    );
                    assert!(challenge.contains(scopes[0].as_str()), "{challenge}");
                }
            }
        }
    }
    assert!(guarded_routes > 25, "{guarded_routes}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_allowed_is_not_done() {
    let shop = guarded().await;
    let with = async |scope: Option<Scope>, method: Method, path: &str, body: String| {
        let mut request = request(method, path, body.into());
        if let Some(scope) = scope {
            let value = format!("Bearer {}", token(scope)).parse().unwrap();
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        shop.send(request).await
    };
    let correction = json!({"by": 5, "reason": "recount"}).to_string();
    let cart = cart("c1", [("A", 1)]).to_string();
    let adjustments = "/v1/inventory/A/adjustments";
    let post = Method::POST;
    for (scope, path, body) in [
        (None, adjustments, &correction),
        (Some(Scope::Orders), adjustments, &correction),
        (Some(Scope::Internal), adjustments, &correction),
        (None, "/v1/carts", &cart),
        (Some(Scope::Stock), "/v1/carts", &cart),
        (Some(Scope::Orders), "/v1/inventory/reservations", &cart),
        (Some(Scope::Stock), "/v1/inventory/reservations", &cart),
    ] {
        let answer = with(scope, post.clone(), path, body.clone()).await;
        let expected = if scope.is_some() { 403 } else { 401 };
        assert_eq!(answer.status, expected, "{path}");
    }
    let item = async || {
        let answer = with(
            Some(Scope::Orders),
            Method::GET,
            "/v1/inventory/A",
            String::new(),
        );
        answer.await.ok(200)
    };
    let untouched = item().await;
    assert_eq!(
        (&untouched["available"], &untouched["blocked"]),
        (&json!(10), &json!(0))
    );
    let answer = with(Some(Scope::Stock), post.clone(), adjustments, correction).await;
    answer.ok(200);
    assert_eq!(item().await["available"], json!(15));
    let answer = with(Some(Scope::Orders), post, "/v1/carts", cart).await;
    answer.ok(202);
}

#[tokio::test(start_paused = true)]
async fn a_customer_gets_as_many_carts_as_it_may_have() {
    let limits = Limits {
        rates: "customer=2/m".parse().unwrap(),
        ..Limits::default()
    };
    let shop = Shop::with([("A", 100)], Settings::default(), limits).await;
    for _ in 0..2 {
        shop.post("/v1/carts", cart("c1", [("A", 1)])).await.ok(202);
    }
    let answer = shop.post("/v1/carts", cart("c1", [("A", 1)])).await;
    let problem = answer.cart_problem(429, "rate-limited");
    says(&problem, "at most 2/m");
    assert!(
        problem["retry_after_ms"].as_u64().unwrap() <= 30_000,
        "{problem}"
    );
    shop.post("/v1/carts", cart("c2", [("A", 1)])).await.ok(202);
}

#[tokio::test(start_paused = true)]
async fn one_audit_runs_at_a_time() {
    let shop = Shop::undecided([("A", 1)]).await;
    let audit = || shop.post("/v1/inventory/batch/audit", r#"{"grace_ms":0}"#);
    shop.faults
        .next(Op::Audit, [Fault::DelayBefore(Duration::from_secs(10))]);
    let (first, second) = tokio::join!(audit(), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        audit().await
    });
    first.ok(200);
    says(&second.problem(503, "overloaded"), "an audit is running");
    audit().await.ok(200);
}

#[tokio::test(start_paused = true)]
async fn bodies_in_memory_are_bounded_together() {
    let limits = Limits {
        bodies_bytes_max: 1_000,
        ..Limits::default()
    };
    let shop = Shop::with([("A", 1)], Settings::default(), limits).await;
    let large = cart(&"c".repeat(60), (0..50).map(|_| ("A", 1)));
    assert!(large.to_string().len() > 1_000);
    let answer = shop.post("/v1/carts", &large).await;
    let problem = answer.cart_problem(503, "overloaded");
    says(&problem, "too many bytes");
    // Nothing is kept of it.
    shop.post("/v1/carts", cart("c1", [("A", 1)])).await.ok(202);
}

#[tokio::test(start_paused = true)]
async fn encoded_bodies_are_refused() {
    let shop = Shop::undecided([("A", 1)]).await;
    let encoded = async |path: &str, encoding: &str| {
        let mut request = request(
            Method::POST,
            path,
            cart("c1", [("A", 1)]).to_string().into(),
        );
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
        shop.send(request).await
    };
    for encoding in ["gzip", "br", "identity, gzip"] {
        let answer = encoded("/v1/carts", encoding).await;
        answer.cart_problem(415, "encoded-body");
        let answer = encoded("/v1/inventory/batch/items", encoding).await;
        answer.problem(415, "encoded-body");
    }
    encoded("/v1/carts", "Identity").await.ok(202);
}

#[tokio::test(start_paused = true)]
async fn every_answer_names_its_request() {
    let shop = Shop::undecided([("A", 1)]).await;
    let send = async |path: &str, ids: &[&str]| {
        let mut request = Request::builder().uri(path).header(header::HOST, "oms");
        for id in ids {
            request = request.header("request-id", *id);
        }
        let answer = shop.send(request.body(Body::empty()).unwrap()).await;
        answer.header("request-id").unwrap().to_owned()
    };
    for path in ["/healthz", "/nowhere", "/v1/carts", "/v1/orders/x"] {
        assert_eq!(send(path, &["my-id/7"]).await, "my-id/7");
        let made = send(path, &[]).await;
        made.parse::<uuid::Uuid>().unwrap();
        assert_ne!(made, send(path, &[]).await);
    }
    let long = "x".repeat(129);
    for unusable in [&["a b"][..], &[""], &[&long], &["a", "b"]] {
        let made = send("/healthz", unusable).await;
        made.parse::<uuid::Uuid>().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn large_answers_are_compressed_for_those_who_accept_it() {
    let skus: Vec<String> = (0..100).map(|number| format!("SKU-{number}")).collect();
    let shop = Shop::undecided(skus.iter().map(|sku| (&**sku, 1))).await;
    let get = async |path: &str, accepted: Option<&str>| {
        let mut request = request(Method::GET, path, Body::empty());
        if let Some(accepted) = accepted {
            let value = accepted.parse().unwrap();
            request.headers_mut().insert(header::ACCEPT_ENCODING, value);
        }
        shop.send(request).await
    };
    let plain = get("/v1/inventory", None).await;
    assert_eq!(plain.header("content-encoding"), None);
    assert!(plain.body.len() > 1_024);
    let compressed = get("/v1/inventory", Some("gzip")).await;
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    assert!(compressed.body.len() < plain.body.len() / 4);
    let (magic, header) = (&compressed.body[..2], &plain.body[..1]);
    assert_eq!((magic, header), (&[0x1f, 0x8b][..], &b"{"[..]));
    let small = get("/healthz", Some("gzip")).await;
    assert_eq!(small.header("content-encoding"), None);
}

/// A request body with a limit in it.
type RequestBody<'a> = &'a dyn Fn(u64) -> serde_json::Value;

#[tokio::test(start_paused = true)]
async fn every_limit_has_a_limit() {
    let shop = Shop::undecided([("A", 1)]).await;
    let filter = |limit: u64| json!({"filter": {"state": null, "reason": null, "customer": null, "after": null, "limit": limit}});
    let calls: [(&str, RequestBody<'_>); 6] = [
        ("expired", &|limit| json!({"limit": limit})),
        ("refunds-due", &|limit| json!({"limit": limit})),
        ("items", &|limit| json!({"after": null, "limit": limit})),
        ("corrections", &|limit| json!({"sku": "A", "limit": limit})),
        ("find-orders", &filter),
        ("letters", &|limit| json!({"after": 0, "limit": limit})),
    ];
    for (name, body) in calls {
        let path = format!("/v1/inventory/batch/{name}");
        shop.post(&path, body(100_000)).await.ok(200);
        for limit in [100_001, u64::MAX >> 1] {
            let answer = shop.post(&path, body(limit)).await;
            says(&answer.problem(422, "invalid"), "at most 100000");
        }
    }
    for limit in [0, 1_001, u64::MAX] {
        let answer = shop.get(&format!("/v1/inventory?limit={limit}")).await;
        answer.problem(400, "malformed");
    }
}
