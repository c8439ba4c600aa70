//! The inventory service.

use oms::ports::Ports as _;
use oms::statuses::Statuses as _;
use serde_json::{Value, json};

use super::fixture::{Shop, cart, says};
use crate::faults::{Fault, Op};
use crate::make::{id, sku};
use crate::model::Gate;

#[tokio::test(start_paused = true)]
async fn pages_of_the_catalogue_follow_one_another() {
    let shop = Shop::undecided([("A", 1), ("B", 2), ("C", 3), ("a", 4)]).await;
    let mut skus = Vec::new();
    let mut after = String::new();
    loop {
        let page = shop
            .get(&format!("/v1/inventory?limit=2{after}"))
            .await
            .ok(200);
        let items = page["items"].as_array().unwrap();
        skus.extend(
            items
                .iter()
                .map(|item| item["sku"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(skus, ["A", "B", "C", "a"]);
    let all = shop.get("/v1/inventory").await.ok(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 4);
    assert_eq!(all["next"], Value::Null);
    let none = shop.get("/v1/inventory?after=z").await.ok(200);
    assert_eq!(none, json!({"items": [], "next": null}));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_cannot_be_is_refused() {
    let shop = Shop::undecided([("A", 1)]).await;
    for (query, what) in [
        ("limit=0", "1 to 1000 are allowed"),
        ("limit=1001", "1 to 1000 are allowed"),
        ("limit=-1", "limit: `-1` is not a whole number in range"),
        ("limit=x", "limit: `x` is not a whole number in range"),
        ("after=", "the SKU is empty"),
        (
            "page=2",
            "page: unknown query parameter; this path takes `after` and `limit`",
        ),
        (
            "limit=1&limit=2",
            "limit: this query parameter is there more than once",
        ),
    ] {
        let answer = shop.get(&format!("/v1/inventory?{query}")).await;
        let problem = answer.problem(400, "malformed");
        says(&problem, what);
        let (name, _) = query.split_once('=').unwrap();
        assert_eq!(problem["parameter"], name);
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_is_shown_with_its_stock() {
    let shop = Shop::open([("A", 10), ("AB", 5)]).await;
    shop.placed([("A", 2)]).await;
    let reservation = cart("c1", [("A", 3)]);
    shop.post("/v1/inventory/reservations", reservation)
        .await
        .ok(200);
    let item = shop.get("/v1/inventory/A").await.ok(200);
    let version = &item["stock_version"];
    assert!(version.as_u64().unwrap() > 0);
    assert_eq!(
        item,
        json!({
            "sku": "A", "name": "item A", "price": 250, "available": 5, "blocked": 3, "sold": 2,
            "initial": 10, "adjusted": 0, "stock_version": version,
        })
    );
    for unknown in ["a", "AA", "ABC", "B"] {
        let answer = shop.get(&format!("/v1/inventory/{unknown}")).await;
        answer.problem(404, "unknown-sku");
    }
    let long = "A".repeat(65);
    for bad in [long.as_str(), "%20", "%00", "%ff"] {
        let answer = shop.get(&format!("/v1/inventory/{bad}")).await;
        answer.problem(400, "malformed");
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_is_created_and_afterwards_only_its_name_and_price_change() {
    let shop = Shop::undecided([]).await;
    let new = json!({"name": "Lamp", "price": 1999, "stock": 13});
    let created = shop.put("/v1/inventory/L%2F1%20x", &new).await.ok(201);
    assert_eq!(created["sku"], "L/1 x");
    assert_eq!(created["available"], 13);
    let same = shop.put("/v1/inventory/L%2F1%20x", &new).await.ok(200);
    assert_eq!(same["available"], 13);
    let change = json!({"name": " Tall Lamp ", "price": 0, "stock": 99});
    let changed = shop.put("/v1/inventory/L%2F1%20x", change).await.ok(200);
    assert_eq!(changed["name"], "Tall Lamp");
    assert_eq!(changed["price"], 0);
    assert_eq!(changed["available"], 13);
    let without_stock = json!({"name": "Lamp", "price": 5});
    shop.put("/v1/inventory/L%2F1%20x", &without_stock)
        .await
        .ok(200);
    let item = shop.get("/v1/inventory/L%2F1%20x").await.ok(200);
    assert_eq!((&item["name"], &item["price"]), (&json!("Lamp"), &json!(5)));
    let new = shop.put("/v1/inventory/M", without_stock).await;
    says(&new.problem(404, "unknown-sku"), "send `stock`, too");
    shop.get("/v1/inventory/M")
        .await
        .problem(404, "unknown-sku");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_cannot_be_is_refused() {
    let shop = Shop::undecided([]).await;
    for (body, what) in [
        (
            json!({"name": "", "price": 1, "stock": 1}),
            "the name is empty",
        ),
        (
            json!({"name": "é".repeat(101), "price": 1, "stock": 1}),
            "the name has 202 bytes",
        ),
        (
            json!({"name": "a\nb", "price": 1, "stock": 1}),
            "control character",
        ),
        (
            json!({"name": "a", "price": -1, "stock": 1}),
            "/price: the amount -1 is out of range",
        ),
        (
            json!({"name": "a", "price": 1.5, "stock": 1}),
            "/price: expected a whole number, found 1.5",
        ),
        (
            json!({"name": "a", "price": 1, "stock": -1}),
            "/stock: the stock is negative",
        ),
        (
            json!({"name": "a", "price": 1, "stock": 1_000_000_000_001_i64}),
            "the stock is too large",
        ),
        (
            json!({"name": "a", "price": 1, "stock": 1, "sku": "A"}),
            "/sku: unknown field `sku`",
        ),
        (
            json!({"price": 1, "stock": 1}),
            "/name: this field is missing",
        ),
    ] {
        let answer = shop.put("/v1/inventory/A", body).await;
        says(&answer.problem(422, "invalid"), what);
    }
    shop.put("/v1/inventory/A", "{")
        .await
        .problem(400, "malformed");
    assert_eq!(shop.get("/v1/inventory").await.ok(200)["items"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_correction_is_made_once_however_often_it_is_sent() {
    let shop = Shop::undecided([("A", 3)]).await;
    let path = "/v1/inventory/A/adjustments";
    let key = id(1).to_string();
    let by = json!({"by": -5, "reason": "recount"});
    let first = shop.post_with_key(path, &key, &by).await.ok(200);
    assert_eq!(first["adjustment_id"], json!(key));
    assert_eq!(first["repeated"], false);
    assert_eq!(first["available"], -2);
    let second = shop.post_with_key(path, &key, &by).await.ok(200);
    assert_eq!(second["repeated"], true);
    assert_eq!(second["available"], -2);
    let other = json!({"by": 5, "reason": "recount"});
    let conflict = shop.post_with_key(path, &key, &other).await;
    conflict.problem(422, "id-conflict");
    let made = shop.post(path, &other).await.ok(200);
    assert_eq!(made["available"], 3);
    made["adjustment_id"]
        .as_str()
        .unwrap()
        .parse::<uuid::Uuid>()
        .unwrap();
    assert_eq!(shop.get("/v1/inventory/A").await.ok(200)["adjusted"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_correction_that_cannot_be_is_refused() {
    let shop = Shop::undecided([("A", 3)]).await;
    let path = "/v1/inventory/A/adjustments";
    for (body, what) in [
        (json!({"by": 0, "reason": "recount"}), "0 corrects nothing"),
        (json!({"by": 1, "reason": " "}), "say why"),
        (json!({"by": 1, "reason": "r".repeat(501)}), "501 bytes"),
        (
            json!({"by": 1, "reason": "a\u{1b}[2Jb"}),
            "/reason: the reason contains a control character",
        ),
        (json!({"by": 1}), "/reason: this field is missing"),
        (
            json!({"by": "1", "reason": "r"}),
            "/by: expected a whole number, found the string \"1\"",
        ),
        (
            json!({"by": 1_000_000_000_001_i64, "reason": "r"}),
            "/by: 1000000000001 is out of range",
        ),
        (
            json!({"by": i64::MIN, "reason": "r"}),
            "/by: -9223372036854775808 is out of range",
        ),
    ] {
        says(&shop.post(path, body).await.problem(422, "invalid"), what);
    }
    let most = json!({"by": 1_000_000_000_000_i64, "reason": "r"});
    let beyond = shop.post(path, most).await;
    says(
        &beyond.problem(409, "stock-out-of-range"),
        "leave the range",
    );
    let by = json!({"by": 1, "reason": "recount"});
    let unknown = shop.post("/v1/inventory/Z/adjustments", &by).await;
    unknown.problem(404, "unknown-sku");
    let bad_key = shop.post_with_key(path, "7", &by).await;
    says(
        &bad_key.problem(400, "malformed"),
        "Idempotency-Key: expected a UUID",
    );
    assert_eq!(shop.get("/v1/inventory/A").await.ok(200)["available"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_correction_whose_outcome_is_unknown_is_repeated_under_the_id_in_the_error() {
    let shop = Shop::undecided([("A", 3)]).await;
    let path = "/v1/inventory/A/adjustments";
    let by = json!({"by": 7, "reason": "delivery"});
    for (fault, kind, repeated) in [
        (Fault::LostAfter, "in-doubt", true),
        (Fault::LostBefore, "in-doubt", false),
        (Fault::Unavailable, "unavailable", false),
    ] {
        let before = shop.get("/v1/inventory/A").await.ok(200)["available"].as_i64();
        shop.faults.next(Op::Adjust, [fault]);
        let problem = shop.post(path, &by).await.problem(503, kind);
        let id = problem["adjustment_id"].as_str().unwrap().to_owned();
        says(
            &problem,
            &format!("repeat the request with Idempotency-Key: {id}"),
        );
        let made = shop.post_with_key(path, &id, &by).await.ok(200);
        assert_eq!(made["adjustment_id"], json!(id));
        assert_eq!(made["repeated"], repeated);
        let after = shop.get("/v1/inventory/A").await.ok(200)["available"].as_i64();
        assert_eq!(after, before.map(|units| units + 7), "{kind}");
    }
    // The same when the answer does not come.
    shop.faults
        .next(Op::Adjust, [Fault::HoldAfter(Gate::default())]);
    let problem = shop.post(path, &by).await.problem(503, "in-doubt");
    let id = problem["adjustment_id"].as_str().unwrap();
    let made = shop.post_with_key(path, id, &by).await.ok(200);
    assert_eq!(
        (&made["repeated"], &made["available"]),
        (&json!(true), &json!(31))
    );
}

#[tokio::test(start_paused = true)]
async fn every_problem_of_a_correction_carries_its_id() {
    let shop = Shop::undecided([("A", 3)]).await;
    let (path, key) = ("/v1/inventory/A/adjustments", id(1).to_string());
    let by = json!({"by": 1, "reason": "recount"}).to_string();
    for (path, key, body) in [
        (path, Some(key.as_str()), "{"),
        (path, None, "{"),
        (path, None, "{\"by\":0,\"reason\":\"r\"}"),
        (path, Some("7"), &by),
        ("/v1/inventory/Z/adjustments", Some(key.as_str()), &by),
        ("/v1/inventory/Z/adjustments", None, &by),
    ] {
        let answer = match key {
            Some(key) => shop.post_with_key(path, key, body).await,
            None => shop.post(path, body).await,
        };
        assert!((400..500).contains(&answer.status), "{}", answer.text());
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        let id = problem["adjustment_id"].as_str().unwrap();
        id.parse::<uuid::Uuid>().unwrap();
        if let Some(key) = key.filter(|key| key.len() > 1) {
            assert_eq!(id, key);
        }
    }
    // A fault of the program: nobody knows how far it came.
    shop.clock.arm();
    let answer = shop.post_with_key(path, &key, &by).await;
    assert_eq!(answer.problem(500, "internal")["adjustment_id"], json!(key));
}

#[tokio::test(start_paused = true)]
async fn buyers_see_new_stock_at_once() {
    let shop = Shop::undecided([("A", 0)]).await;
    shop.post("/v1/carts", cart("c1", [("A", 1)]))
        .await
        .cart_problem(409, "refused");
    let by = json!({"by": 1, "reason": "delivery"});
    shop.post("/v1/inventory/A/adjustments", by).await.ok(200);
    let statuses = shop.flow.ports().statuses();
    let cached = statuses.cached_stock(vec![sku("A")]).await.unwrap();
    let available = cached[0].as_ref().map(|cached| cached.level.available);
    assert_eq!(available, Some(1), "the other processes are not told");
    tokio::time::sleep(std::time::Duration::from_millis(101)).await;
    shop.post("/v1/carts", cart("c1", [("A", 1)])).await.ok(202);
}

#[tokio::test(start_paused = true)]
async fn a_status_store_that_hangs_does_not_hold_up_a_correction() {
    let shop = Shop::undecided([("A", 1)]).await;
    shop.faults
        .always(Op::STATUSES, &Fault::HoldBefore(Gate::default()));
    let by = json!({"by": 1, "reason": "delivery"});
    let correcting = shop.post("/v1/inventory/A/adjustments", by);
    let answer = tokio::time::timeout(std::time::Duration::from_secs(2), correcting).await;
    assert_eq!(answer.expect("it hangs").ok(200)["available"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_is_a_503() {
    let shop = Shop::undecided([("A", 3)]).await;
    shop.faults
        .always([Op::Adjust, Op::Stock, Op::Reserve], &Fault::Unavailable);
    let by = json!({"by": 1, "reason": "recount"});
    let answer = shop.post("/v1/inventory/A/adjustments", by).await;
    answer.problem(503, "unavailable");
    let put = json!({"name": "A", "price": 1});
    shop.put("/v1/inventory/A", put)
        .await
        .problem(503, "unavailable");
    let answer = shop
        .post("/v1/inventory/reservations", cart("c1", [("A", 1)]))
        .await;
    let problem = answer.problem(503, "unavailable");
    assert!(problem["order_id"].is_string());
}
