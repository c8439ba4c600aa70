//! addToCart.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, header};
use oms::flow::Settings;
use oms::http::{BODY_BYTES_MAX, Limits};
use serde_json::json;
use tokio::time::Instant;

use super::fixture::{Shop, cart, request, says};
use crate::faults::{Fault, Op};
use crate::make::id;

const CARTS: &str = "/v1/carts";

#[tokio::test(start_paused = true)]
async fn a_cart_in_stock_is_accepted_under_a_time_ordered_id() {
    let shop = Shop::undecided([("A", 10)]).await;
    let accepted = shop.post(CARTS, cart("c1", [("A", 2)])).await.ok(202);
    assert_eq!(accepted["status"], "INIT");
    let id: uuid::Uuid = accepted["order_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    assert_eq!(accepted["cart_hash"].as_str().unwrap().len(), 32);
    assert!(accepted.get("reason").is_none());
}

#[tokio::test(start_paused = true)]
async fn repeated_requests_with_one_id_are_one_order_however_the_id_is_sent() {
    let shop = Shop::undecided([("A", 10)]).await;
    let chosen = id(1).to_string();
    let mut with_id = cart("c1", [("A", 2)]);
    with_id["order_id"] = json!(chosen);
    let first = shop.post(CARTS, &with_id).await.ok(202);
    assert_eq!(first["order_id"], json!(chosen));
    let by_header = shop
        .post_with_key(CARTS, &chosen, cart("c1", [("A", 1), ("A", 1)]))
        .await
        .ok(202);
    assert_eq!(by_header, first);
    let by_both = shop.post_with_key(CARTS, &chosen, &with_id).await.ok(202);
    assert_eq!(by_both, first);
    shop.start_worker();
    let place = format!("/v1/orders/{chosen}/place");
    assert_eq!(shop.post(&place, "").await.ok(200)["status"], "PLACED");
    // A retry answers where the order stands.
    assert_eq!(shop.post(CARTS, &with_id).await.ok(202)["status"], "PLACED");
    let item = shop.get("/v1/inventory/A").await.ok(200);
    assert_eq!(item["sold"], 2);
}

#[tokio::test(start_paused = true)]
async fn two_ids_or_bad_ids_are_refused_with_an_id_to_go_on_with() {
    let shop = Shop::undecided([("A", 10)]).await;
    let mut with_id = cart("c1", [("A", 1)]);
    with_id["order_id"] = json!(id(1).to_string());
    let two = shop
        .post_with_key(CARTS, &id(2).to_string(), &with_id)
        .await;
    says(&two.cart_problem(409, "two-ids"), "name two ids");
    let not_uuid = shop
        .post_with_key(CARTS, "order-7", cart("c1", [("A", 1)]))
        .await;
    says(
        &not_uuid.cart_problem(400, "malformed"),
        "Idempotency-Key: expected a UUID",
    );
    with_id["order_id"] = json!("order-7");
    let in_body = shop
        .post(CARTS, &with_id)
        .await
        .cart_problem(422, "invalid");
    says(&in_body, "`order-7` is not an order id");
    let mut twice = request(
        Method::POST,
        CARTS,
        cart("c1", [("A", 1)]).to_string().into(),
    );
    for number in [1, 2] {
        let key = id(number).to_string().parse().unwrap();
        twice.headers_mut().append("idempotency-key", key);
    }
    let twice = shop.send(twice).await.cart_problem(400, "malformed");
    says(&twice, "more than once");
}

#[tokio::test(start_paused = true)]
async fn an_id_that_was_used_with_another_cart_is_refused() {
    let shop = Shop::undecided([("A", 10)]).await;
    let chosen = id(1).to_string();
    shop.post_with_key(CARTS, &chosen, cart("c1", [("A", 1)]))
        .await
        .ok(202);
    for other in [cart("c1", [("A", 2)]), cart("c2", [("A", 1)])] {
        let answer = shop.post_with_key(CARTS, &chosen, other).await;
        let problem = answer.cart_problem(422, "id-conflict");
        assert_eq!(problem["order_id"], json!(chosen));
        assert_eq!(problem["reason"], "id_conflict");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_why_and_on_which_stock() {
    let shop = Shop::open([("A", 1), ("B", 0)]).await;
    let sold_out = shop.post(CARTS, cart("c1", [("A", 1), ("B", 1)])).await;
    let problem = sold_out.cart_problem(409, "refused");
    assert_eq!(problem["reason"], "sold_out");
    assert_eq!(problem["sku"], "B");
    assert!(problem["stock_version"].is_u64());
    assert!(problem.get("retry_after_ms").is_none());

    let unknown = shop.post(CARTS, cart("c1", [("A", 1), ("a", 1)])).await;
    let problem = unknown.cart_problem(409, "refused");
    assert_eq!(problem["reason"], "unknown_sku");
    assert_eq!(problem["sku"], "a");
    assert_eq!(problem["stock_version"], 0);
}

#[tokio::test(start_paused = true)]
async fn what_others_hold_is_refused_with_the_time_after_which_it_usually_comes_back() {
    let shop = Shop::open([("A", 1)]).await;
    let reservation = shop
        .post("/v1/inventory/reservations", cart("c1", [("A", 1)]))
        .await;
    assert_eq!(reservation.ok(200)["state"], "BLOCK");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let held = shop.post(CARTS, cart("c2", [("A", 1)])).await;
    let problem = held.cart_problem(409, "refused");
    assert_eq!(problem["reason"], "held");
    let wait_ms = problem["retry_after_ms"].as_u64().unwrap();
    // Not when the hold of ten minutes ends.
    assert_eq!(wait_ms, 1_000);
    // Rounded up: a client that obeys does not come too early.
    let seconds: u64 = held.header("retry-after").unwrap().parse().unwrap();
    assert!(seconds * 1_000 >= wait_ms);
}

#[tokio::test(start_paused = true)]
async fn lines_that_make_no_cart_are_refused_with_the_line_at_fault() {
    let shop = Shop::undecided([("A", 10)]).await;
    let long = "A".repeat(65);
    for (lines, what) in [
        (json!([]), "the cart is empty"),
        (
            json!([{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 0}]),
            "/lines/1/quantity: the quantity 0 is out of range",
        ),
        (
            json!([{"sku": "A", "quantity": -1}]),
            "/lines/0/quantity: the quantity -1 is out of range",
        ),
        (
            json!([{"sku": "A", "quantity": 1_000_001}]),
            "/lines/0/quantity: the quantity 1000001 is out of range",
        ),
        (
            json!([{"sku": "A", "quantity": u64::MAX}]),
            "/lines/0/quantity: expected a whole number in range",
        ),
        (
            json!([{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 1.5}]),
            "/lines/1/quantity: expected a whole number, found 1.5",
        ),
        (
            json!([{"sku": "A", "quantity": 1e30}]),
            "/lines/0/quantity: expected a whole number",
        ),
        (
            json!([{"sku": "A", "quantity": "2"}]),
            "/lines/0/quantity: expected a whole number, found the string \"2\"",
        ),
        (
            json!([{"sku": " ", "quantity": 1}]),
            "/lines/0/sku: the SKU is empty",
        ),
        (
            json!([{"sku": long, "quantity": 1}]),
            "/lines/0/sku: the SKU has 65 bytes",
        ),
        (
            json!([{"sku": "A\u{0}", "quantity": 1}]),
            "/lines/0/sku: the SKU contains a control character",
        ),
        (
            json!([{"sku": "A"}]),
            "/lines/0/quantity: this field is missing",
        ),
        (
            json!([["A", 1]]),
            "/lines/0: expected an object, found an array",
        ),
        (
            json!([{"sku": "A", "quantity": 1, "price": 0}]),
            "/lines/0/price: unknown field `price`; the fields are `sku`, `quantity`",
        ),
        (
            json!(vec![json!({"sku": "A", "quantity": 1}); 1_001]),
            "the cart has 1001 lines",
        ),
    ] {
        let body = json!({"customer": "c1", "lines": lines});
        let problem = shop.post(CARTS, body).await.cart_problem(422, "invalid");
        says(&problem, what);
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_that_make_no_cart_are_refused_with_the_field_at_fault() {
    let shop = Shop::undecided([("A", 10)]).await;
    for (body, what) in [
        (
            json!({"customer": "", "lines": []}),
            "the customer is empty",
        ),
        (
            json!({"customer": "c".repeat(65), "lines": []}),
            "the customer has 65 bytes",
        ),
        (json!({"lines": []}), "/customer: this field is missing"),
        (
            json!({"customer": "c1", "lines": [], "coupon": "X"}),
            "/coupon: unknown field `coupon`",
        ),
        (json!([]), "expected an object, found an array"),
        (
            json!([null, "c1", [["A", 1]]]),
            "expected an object, found an array",
        ),
        (
            json!("text"),
            "expected an object, found the string \"text\"",
        ),
    ] {
        let problem = shop.post(CARTS, body).await.cart_problem(422, "invalid");
        says(&problem, what);
    }
    let twice = json!([{"sku": "A", "quantity": 1_000_000}, {"sku": " A", "quantity": 1}]);
    let answer = shop
        .post(CARTS, json!({"customer": "c1", "lines": twice}))
        .await;
    let problem = answer.cart_problem(409, "refused");
    says(&problem, "the lines of A add up to too much");
    assert_eq!(
        (&problem["reason"], &problem["sku"]),
        (&json!("limit"), &json!("A"))
    );
    assert!(shop.get("/v1/inventory/A").await.ok(200)["available"] == 10);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_lines_are_a_cart() {
    let skus: Vec<String> = (0..1_000).map(|number| format!("S{number}")).collect();
    let shop = Shop::undecided(skus.iter().map(|sku| (sku.as_str(), 1))).await;
    let lines = skus.iter().map(|sku| (sku.as_str(), 1));
    shop.post(CARTS, cart("c1", lines)).await.ok(202);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_json_is_refused_with_the_place_at_fault() {
    let shop = Shop::undecided([("A", 10)]).await;
    for (body, what) in [
        ("{\n \"customer\": }", "line 2 column"),
        ("{\"customer\":\"c1\"", "line 1 column 16"),
        ("", "the body is empty"),
        ("{} {}", "line 1"),
    ] {
        let answer = shop.post(CARTS, body).await;
        says(&answer.cart_problem(400, "malformed"), what);
    }
    let bytes = Body::from(&b"{\"customer\":\"\xff\"}"[..]);
    let answer = shop.send(request(Method::POST, CARTS, bytes)).await;
    answer.cart_problem(400, "malformed");
}

#[tokio::test(start_paused = true)]
async fn a_problem_points_to_the_value_at_fault_in_plain_words() {
    let shop = Shop::undecided([("A", 10)]).await;
    let line = json!({"sku": "A", "quantity": 1});
    for (body, pointer) in [
        (json!([]), ""),
        (json!({"customer": 7, "lines": [line]}), "/customer"),
        (json!({"lines": [line]}), "/customer"),
        (json!({"customer": "c1", "lines": {}}), "/lines"),
        (json!({"customer": "c1", "lines": []}), "/lines"),
        (json!({"customer": "c1", "lines": [line, null]}), "/lines/1"),
        (
            json!({"customer": "c1", "lines": [line, {"sku": "A", "quantity": 0}]}),
            "/lines/1/quantity",
        ),
        (
            json!({"customer": "c1", "lines": [{"sku": "A", "quantity": true}]}),
            "/lines/0/quantity",
        ),
        (
            json!({"customer": "c1", "lines": [line], "a/b": 1}),
            "/a~1b",
        ),
        (
            json!({"customer": "c1", "lines": [line], "order_id": "7"}),
            "/order_id",
        ),
    ] {
        let problem = shop.post(CARTS, body).await.cart_problem(422, "invalid");
        assert_eq!(problem["pointer"], pointer, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        for foreign in [
            "struct",
            "field `",
            "i64",
            "u64",
            "sequence",
            "map",
            "invalid type",
            "line 1",
        ] {
            let named = foreign == "field `" && pointer == "/a~1b";
            assert!(named || !detail.contains(foreign), "{detail}");
        }
    }
    // A number that is whole is one however it is written.
    let body = r#"{"customer":"c1","lines":[{"sku":"A","quantity":2.0}]}"#;
    shop.post(CARTS, body).await.ok(202);
}

#[tokio::test(start_paused = true)]
async fn an_order_id_in_another_form_than_the_canonical_one_is_refused() {
    let shop = Shop::open([("A", 10)]).await;
    let chosen = shop.accepted([("A", 1)]).await;
    for other in [
        chosen.to_uppercase(),
        chosen.replace('-', ""),
        format!("{{{chosen}}}"),
        format!("urn:uuid:{chosen}"),
    ] {
        let mut body = cart("c1", [("A", 1)]);
        let answer = shop.post_with_key(CARTS, &other, &body).await;
        let problem = answer.cart_problem(400, "malformed");
        assert_eq!(problem["parameter"], "Idempotency-Key");
        body["order_id"] = json!(other);
        let problem = shop.post(CARTS, &body).await.cart_problem(422, "invalid");
        assert_eq!(problem["pointer"], "/order_id");
        let path = other.replace('{', "%7B").replace('}', "%7D");
        let answer = shop.get(&format!("/v1/orders/{path}")).await;
        assert_eq!(answer.problem(400, "malformed")["parameter"], "id");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_carries_the_id_that_the_client_sent_even_when_the_rest_is_wrong() {
    let shop = Shop::undecided([("A", 10)]).await;
    let chosen = id(7).to_string();
    let body = json!({"order_id": chosen, "customer": 5});
    let problem = shop.post(CARTS, body).await.cart_problem(422, "invalid");
    assert_eq!(problem["order_id"], json!(chosen));
    let answer = shop.post_with_key(CARTS, &chosen, "{").await;
    assert_eq!(
        answer.cart_problem(400, "malformed")["order_id"],
        json!(chosen)
    );
}

#[tokio::test(start_paused = true)]
async fn only_json_is_taken() {
    let shop = Shop::undecided([("A", 10)]).await;
    let body = cart("c1", [("A", 1)]).to_string();
    for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let mut request = request(Method::POST, CARTS, body.clone().into());
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, media_type.parse().unwrap());
        shop.send(request).await.cart_problem(415, "not-json");
    }
    let mut without = request(Method::POST, CARTS, body.clone().into());
    without.headers_mut().remove(header::CONTENT_TYPE);
    shop.send(without).await.cart_problem(415, "not-json");
    let mut charset = request(Method::POST, CARTS, body.into());
    let media_type = "Application/JSON; charset=utf-8".parse().unwrap();
    charset
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    shop.send(charset).await.ok(202);
}

#[tokio::test(start_paused = true)]
async fn a_body_over_a_mebibyte_is_refused_whether_or_not_it_says_so_first() {
    let shop = Shop::undecided([("A", 10)]).await;
    let large = vec![b' '; BODY_BYTES_MAX + 1];
    let mut announced = request(Method::POST, CARTS, large.clone().into());
    let length = large.len().to_string().parse().unwrap();
    announced
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length);
    shop.send(announced)
        .await
        .cart_problem(413, "body-too-large");
    let pieces = large
        .chunks(1_000)
        .map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece)));
    let streamed = Body::from_stream(futures::stream::iter(pieces.collect::<Vec<_>>()));
    let answer = shop.send(request(Method::POST, CARTS, streamed)).await;
    answer.cart_problem(413, "body-too-large");
    // Exactly as much is read.
    let mut padded = cart("c1", [("A", 1)]).to_string();
    padded.push_str(&" ".repeat(BODY_BYTES_MAX - padded.len()));
    shop.post(CARTS, padded).await.ok(202);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_not_waited_for() {
    let shop = Shop::undecided([("A", 10)]).await;
    let began = Instant::now();
    let endless = Body::from_stream(futures::stream::pending::<Result<Bytes, Infallible>>());
    let answer = shop.send(request(Method::POST, CARTS, endless)).await;
    answer.cart_problem(408, "body-timeout");
    assert!(began.elapsed() < Duration::from_secs(60));
    let broken = futures::stream::iter([
        Ok(Bytes::from_static(b"{")),
        Err(std::io::Error::other("reset")),
    ]);
    let broken = request(Method::POST, CARTS, Body::from_stream(broken));
    shop.send(broken).await.cart_problem(400, "malformed");
}

#[tokio::test(start_paused = true)]
async fn a_backlog_over_its_bound_turns_carts_away() {
    let settings = Settings {
        backlog_max: 0,
        ..Settings::default()
    };
    let shop = Shop::with([("A", 10)], settings, Limits::default()).await;
    let answer = shop.post(CARTS, cart("c1", [("A", 1)])).await;
    answer.cart_problem(503, "overloaded");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_away_leaves_the_cart_in_doubt_under_its_id() {
    let shop = Shop::undecided([("A", 10)]).await;
    shop.faults.always([Op::Publish], &Fault::LostAfter);
    let chosen = id(3).to_string();
    let answer = shop
        .post_with_key(CARTS, &chosen, cart("c1", [("A", 1)]))
        .await;
    let problem = answer.cart_problem(503, "unavailable");
    assert_eq!(problem["order_id"], json!(chosen));
    says(&problem, "repeat the request with the same id");
    assert!(answer.header("retry-after").is_some());
    shop.faults.clear();
    shop.post_with_key(CARTS, &chosen, cart("c1", [("A", 1)]))
        .await
        .ok(202);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_answered_with_an_id_to_go_on_with() {
    let shop = Shop::undecided([("A", 10)]).await;
    shop.clock.arm();
    let answer = shop.post(CARTS, cart("c1", [("A", 1)])).await;
    let problem = answer.cart_problem(500, "internal");
    assert!(!problem["detail"].as_str().unwrap().contains("mine"));
    shop.post(CARTS, cart("c1", [("A", 1)])).await.ok(202);
}
