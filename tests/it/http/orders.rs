//! Where an order stands, its story, and cancelling it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::fixture::{Shop, says};
use crate::faults::{Fault, Op};
use crate::make::{customer, id};
use crate::model::Outcome;

#[tokio::test(start_paused = true)]
async fn an_order_shows_its_lines_amount_and_history_once_it_is_decided() {
    let shop = Shop::undecided([("A", 10), ("B", 10)]).await;
    let id = shop.accepted([("B", 1), ("A", 2)]).await;
    let path = format!("/v1/orders/{id}");
    let order = shop.get(&path).await.ok(200);
    assert_eq!(order["status"], "INIT");
    assert_eq!(order["lines"], Value::Null);
    assert_eq!(order["amount"], Value::Null);
    assert_eq!(order["history"].as_array().unwrap().len(), 1);
    shop.start_worker();
    let placed = shop.post(&format!("{path}/place"), "{}").await.ok(200);
    assert_eq!(placed, json!({"order_id": id, "status": "PLACED"}));
    let order = shop.get(&path).await.ok(200);
    assert_eq!(order["order_id"], json!(id));
    assert_eq!(order["status"], "PLACED");
    assert_eq!(order["reason"], Value::Null);
    assert_eq!(
        order["lines"],
        json!([{"sku": "A", "quantity": 2, "price": 250}, {"sku": "B", "quantity": 1, "price": 250}])
    );
    assert_eq!(order["amount"], 750);
    let history: Vec<&str> = (order["history"].as_array().unwrap().iter())
        .map(|change| change["status"].as_str().unwrap())
        .collect();
    assert_eq!(history.first(), Some(&"INIT"));
    assert_eq!(history.last(), Some(&"PLACED"));
    assert!(order["history"][0]["at"].is_i64());
}

#[tokio::test(start_paused = true)]
async fn waiting_for_an_order_ends_with_its_end_or_with_the_wait() {
    let shop = Shop::undecided([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    let path = format!("/v1/orders/{id}");
    let began = Instant::now();
    let order = shop.get(&format!("{path}?wait=5s")).await.ok(200);
    assert_eq!(order["status"], "INIT");
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(5), "{waited:?}");
    assert!(waited < Duration::from_secs(7), "{waited:?}");
    shop.start_worker();
    let waiting = format!("{path}?wait=60s");
    let place = format!("{path}/place");
    let began = Instant::now();
    let (order, placed) = tokio::join!(shop.get(&waiting), shop.post(&place, "{}"));
    placed.ok(200);
    assert_eq!(order.ok(200)["status"], "PLACED");
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_is_not_enough_to_say_that_there_is_no_such_order() {
    let shop = Shop::undecided([("A", 10)]).await;
    // Only the queue knows it.
    shop.faults.always([Op::Transition], &Fault::Forget);
    let id = shop.accepted([("A", 1)]).await;
    let path = format!("/v1/orders/{id}?wait=100ms");
    let deciding = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        shop.start_worker();
    };
    let (found, ()) = tokio::join!(shop.get(&path), deciding);
    assert_eq!(found.ok(200)["status"], "BLOCK");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_order_is_said_to_be_unknown_within_seconds() {
    let shop = Shop::open([("A", 10)]).await;
    let id = id(404);
    let began = Instant::now();
    for (method, path) in [
        ("GET", format!("/v1/orders/{id}")),
        ("GET", format!("/v1/orders/{id}?wait=60s")),
        ("GET", format!("/v1/orders/{id}/history")),
        ("POST", format!("/v1/orders/{id}/place")),
        ("POST", format!("/v1/orders/{id}/cancel")),
        ("DELETE", format!("/v1/inventory/reservations/{id}")),
    ] {
        let answer = match method {
            "GET" => shop.get(&path).await,
            "POST" => shop.post(&path, "").await,
            _ => shop.delete(&path).await,
        };
        let problem = answer.problem(404, "unknown-order");
        assert_eq!(problem["order_id"], json!(id.to_string()), "{path}");
    }
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn an_order_is_not_cancelled_for_another_customer() {
    let shop = Shop::open([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    while shop.get("/v1/inventory/A").await.ok(200)["blocked"] != 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let path = format!("/v1/orders/{id}/cancel");
    let answer = shop.post(&path, json!({"customer": "c2"})).await;
    let problem = answer.problem(403, "customer-mismatch");
    assert!(!problem.to_string().contains("c1"), "{problem}");
    assert_eq!(shop.get("/v1/inventory/A").await.ok(200)["blocked"], 1);
    for (body, what) in [
        ("null", "expected an object, found null"),
        ("{\"cart_hash\":null}", "unknown field `cart_hash`"),
        ("{\"customer\":\"\"}", "/customer: the customer is empty"),
    ] {
        says(&shop.post(&path, body).await.problem(422, "invalid"), what);
    }
    let cancelled = shop.post(&path, json!({"customer": "c1"})).await.ok(200);
    assert_eq!(cancelled["reason"], "cancelled");
    let late = shop.post(&path, json!({"customer": "c2"})).await;
    late.problem(403, "customer-mismatch");
}

#[tokio::test(start_paused = true)]
async fn an_undecided_order_does_not_fail_at_the_word_of_a_customer_who_may_be_another() {
    let shop = Shop::undecided([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    let path = format!("/v1/orders/{id}/cancel");
    for customer in ["c2", "c1"] {
        let answer = shop.post(&path, json!({"customer": customer})).await;
        assert_eq!(answer.ok(202)["status"], "INIT", "{customer}");
    }
    shop.start_worker();
    while shop.get("/v1/inventory/A").await.ok(200)["blocked"] != 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let other = shop.post(&path, json!({"customer": "c2"})).await;
    other.problem(403, "customer-mismatch");
    let cancelled = shop.post(&path, json!({"customer": "c1"})).await;
    assert_eq!(cancelled.ok(200)["reason"], "cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_no_order_id_is_malformed() {
    let shop = Shop::undecided([]).await;
    for bad in [
        "7",
        "order-7",
        "%ff%fe",
        "%20",
        "01890a5d-ac96-774b-bcce-b302099a805",
    ] {
        let path = format!("/v1/orders/{bad}");
        shop.get(&path).await.problem(400, "malformed");
        let history = shop.get(&format!("{path}/history")).await;
        history.problem(400, "malformed");
        let place = shop.post(&format!("{path}/place"), "{}").await;
        place.problem(400, "malformed");
        let cancel = shop.post(&format!("{path}/cancel"), "").await;
        cancel.problem(400, "malformed");
        let remove = shop
            .delete(&format!("/v1/inventory/reservations/{bad}"))
            .await;
        remove.problem(400, "malformed");
    }
}

#[tokio::test(start_paused = true)]
async fn the_history_tells_batch_stock_attempts_and_refunds() {
    let shop = Shop::open([("A", 10)]).await;
    shop.payments.script(&customer("c1"), [Outcome::Decline]);
    let id = shop.accepted([("A", 2)]).await;
    let failed = shop
        .post(&format!("/v1/orders/{id}/place"), "")
        .await
        .ok(200);
    assert_eq!(failed["reason"], "declined");
    let story = shop.get(&format!("/v1/orders/{id}/history")).await.ok(200);
    assert_eq!(story["status"], "FAILED");
    assert_eq!(story["reason"], "declined");
    assert_eq!(story["order"]["lines"][0]["available_before"], 10);
    assert!(story["batch"]["id"].is_u64(), "{story}");
    assert!(!story["attempts"].as_array().unwrap().is_empty());
    assert_eq!(story["refund"], Value::Null);
    assert_eq!(story["history"][0]["status"], "INIT");
}

#[tokio::test(start_paused = true)]
async fn a_blocked_order_can_be_cancelled_and_a_placed_one_cannot() {
    let shop = Shop::open([("A", 10)]).await;
    let reservation = super::fixture::cart("c1", [("A", 3)]);
    let blocked = shop
        .post("/v1/inventory/reservations", reservation)
        .await
        .ok(200);
    let id = blocked["order_id"].as_str().unwrap();
    let cancel = format!("/v1/orders/{id}/cancel");
    let failed = json!({"order_id": id, "status": "FAILED", "reason": "cancelled"});
    assert_eq!(shop.post(&cancel, "").await.ok(200), failed);
    assert_eq!(shop.post(&cancel, "").await.ok(200), failed);
    assert_eq!(shop.get("/v1/inventory/A").await.ok(200)["available"], 10);
    // What is cancelled stays cancelled.
    let placed = shop
        .post(&format!("/v1/orders/{id}/place"), "")
        .await
        .ok(200);
    assert_eq!(placed, failed);

    let id = shop.placed([("A", 1)]).await;
    let cancel = shop.post(&format!("/v1/orders/{id}/cancel"), "").await;
    let problem = cancel.problem(409, "already-placed");
    assert_eq!(problem["order_id"], json!(id));
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_that_nobody_can_decide_yet_is_to_be_repeated() {
    let shop = Shop::undecided([("A", 10)]).await;
    let blocked = shop
        .post(
            "/v1/inventory/reservations",
            super::fixture::cart("c1", [("A", 1)]),
        )
        .await
        .ok(200);
    let id = blocked["order_id"].as_str().unwrap();
    shop.payments.set_away(true);
    let answer = shop.post(&format!("/v1/orders/{id}/cancel"), "").await;
    let body = answer.ok(202);
    assert_eq!(body["order_id"], json!(id));
    assert_eq!(answer.header("retry-after"), Some("1"));
    shop.payments.set_away(false);
    let answer = shop.post(&format!("/v1/orders/{id}/cancel"), "").await;
    assert_eq!(answer.ok(200)["reason"], "cancelled");
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_not_decided_yet_is_cancelled_for_good() {
    let shop = Shop::undecided([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    let cancel = format!("/v1/orders/{id}/cancel");
    let failed = json!({"order_id": id, "status": "FAILED", "reason": "cancelled"});
    assert_eq!(shop.post(&cancel, "").await.ok(200), failed);
    let order = shop.get(&format!("/v1/orders/{id}")).await.ok(200);
    assert_eq!(
        (&order["status"], &order["reason"]),
        (&json!("FAILED"), &json!("cancelled"))
    );
    // Nobody knows another id, and the cart that was queued may be it: nothing is promised.
    let other = crate::make::id(7);
    let answer = shop.post(&format!("/v1/orders/{other}/cancel"), "").await;
    let problem = answer.problem(503, "not-known-yet");
    assert_eq!(problem["order_id"], json!(other.to_string()));
    assert_eq!(answer.header("retry-after"), Some("1"));
    says(&problem, "nothing was changed");
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_rows_are_damaged_is_a_500_that_says_so_and_the_service_stays_ready() {
    let shop = Shop::undecided([("A", 10)]).await;
    let blocked = shop
        .post(
            "/v1/inventory/reservations",
            super::fixture::cart("c1", [("A", 1)]),
        )
        .await
        .ok(200);
    let id = blocked["order_id"].as_str().unwrap();
    shop.faults.always([Op::Settle], &Fault::Permanent);
    for verb in ["place", "cancel"] {
        let answer = shop.post(&format!("/v1/orders/{id}/{verb}"), "").await;
        let problem = answer.problem(500, "damaged");
        assert_eq!(problem["order_id"], json!(id));
        says(&problem, "`oms audit`");
    }
    shop.get("/readyz").await.ok(200);
    let metrics = shop.get("/metrics").await;
    let counted = "oms_damaged_orders_total 2";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_is_a_503_with_the_order_and_a_time_to_come_back() {
    let shop = Shop::undecided([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    shop.faults.always(Op::DATABASE, &Fault::Unavailable);
    let problem = shop
        .get(&format!("/v1/orders/{id}"))
        .await
        .problem(503, "unavailable");
    assert_eq!(problem["order_id"], json!(id));
    says(&problem, "repeat");
    let cancel = shop.post(&format!("/v1/orders/{id}/cancel"), "").await;
    cancel.problem(503, "unavailable");
}
