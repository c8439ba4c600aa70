//! The inventory service's own reservations.

use serde_json::json;

use super::fixture::{Shop, cart, says};
use crate::make::id;

const RESERVATIONS: &str = "/v1/inventory/reservations";

#[tokio::test(start_paused = true)]
async fn all_lines_are_blocked_or_none() {
    let shop = Shop::undecided([("A", 3), ("B", 1)]).await;
    let blocked = shop
        .post(RESERVATIONS, cart("c1", [("A", 2), ("B", 1)]))
        .await
        .ok(200);
    assert_eq!(blocked["state"], "BLOCK");
    assert_eq!(blocked["amount"], 750);
    assert!(blocked["hold_until"].as_i64().unwrap() > 1_700_000_000_000);
    let failed = shop
        .post(RESERVATIONS, cart("c2", [("A", 1), ("B", 1)]))
        .await
        .ok(200);
    assert_eq!(failed["state"], "FAILED");
    assert_eq!(failed["reason"], "held");
    let item = shop.get("/v1/inventory/A").await.ok(200);
    assert_eq!(
        (&item["available"], &item["blocked"]),
        (&json!(1), &json!(2))
    );
}

#[tokio::test(start_paused = true)]
async fn a_repeated_reservation_answers_what_was_decided() {
    let shop = Shop::undecided([("A", 3)]).await;
    let key = id(1).to_string();
    let first = shop
        .post_with_key(RESERVATIONS, &key, cart("c1", [("A", 1)]))
        .await
        .ok(200);
    assert_eq!(first["order_id"], json!(key));
    let again = shop
        .post_with_key(RESERVATIONS, &key, cart("c1", [("A", 1)]))
        .await
        .ok(200);
    assert_eq!(again, first);
    let other = shop
        .post_with_key(RESERVATIONS, &key, cart("c1", [("A", 2)]))
        .await;
    other.problem(422, "id-conflict");
    assert_eq!(shop.get("/v1/inventory/A").await.ok(200)["blocked"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_reservation_can_be_placed_or_given_back() {
    let shop = Shop::undecided([("A", 3)]).await;
    let reserve = |customer| shop.post(RESERVATIONS, cart(customer, [("A", 1)]));
    let one = reserve("c1").await.ok(200)["order_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let given_back = shop.delete(&format!("{RESERVATIONS}/{one}")).await.ok(200);
    assert_eq!(
        given_back,
        json!({"order_id": one, "status": "FAILED", "reason": "cancelled"})
    );
    let two = reserve("c2").await.ok(200)["order_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let placed = shop
        .post(&format!("/v1/orders/{two}/place"), "{}")
        .await
        .ok(200);
    assert_eq!(placed["status"], "PLACED");
    let late = shop.delete(&format!("{RESERVATIONS}/{two}")).await;
    late.problem(409, "already-placed");
    let item = shop.get("/v1/inventory/A").await.ok(200);
    assert_eq!((&item["available"], &item["sold"]), (&json!(2), &json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_reservation_is_not_given_back_for_another_customer() {
    let shop = Shop::undecided([("A", 3)]).await;
    let reserved = shop
        .post(RESERVATIONS, cart("c1", [("A", 1)]))
        .await
        .ok(200);
    let path = format!("{RESERVATIONS}/{}", reserved["order_id"].as_str().unwrap());
    let answer = shop.delete(&format!("{path}?customer=c2")).await;
    let problem = answer.problem(403, "customer-mismatch");
    assert!(!problem.to_string().contains("c1"), "{problem}");
    let answer = shop.delete(&format!("{path}?customer=")).await;
    assert_eq!(answer.problem(400, "malformed")["parameter"], "customer");
    assert_eq!(shop.get("/v1/inventory/A").await.ok(200)["blocked"], 1);
    shop.delete(&format!("{path}?customer=c1")).await.ok(200);
    assert_eq!(shop.get("/v1/inventory/A").await.ok(200)["blocked"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_reservation_of_no_cart_is_refused() {
    let shop = Shop::undecided([("A", 3)]).await;
    let answer = shop.post(RESERVATIONS, cart("c1", [("A", 0)])).await;
    says(
        &answer.problem(422, "invalid"),
        "/lines/0/quantity: the quantity 0",
    );
    shop.post(RESERVATIONS, "[").await.problem(400, "malformed");
    shop.clock.arm();
    let answer = shop.post(RESERVATIONS, cart("c1", [("A", 1)])).await;
    answer.problem(500, "internal");
}
