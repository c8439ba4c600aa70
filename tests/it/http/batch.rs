//! The batch routes of the inventory service: what their adapter's contract does not show.

use axum::body::Body;
use axum::http::Method;
use oms::inventory::wire::{Audit, Call, Cover, LastCheckpoint, Reserve, SettleAll, Stock};
use serde_json::json;

use super::fixture::{Shop, request, says};
use crate::faults::{Fault, Op};
use crate::make::id;

fn reserve(customer: &str) -> serde_json::Value {
    let lines = [json!({"sku": "A", "quantity": 1})];
    let carts =
        [json!({"order_id": id(1), "customer": customer, "lines": lines, "accepted_at": 0})];
    json!({"carts": carts, "hold_ms": 1_000})
}

fn path<C: Call>() -> String {
    format!("/v1/inventory/batch/{}", C::NAME)
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_decided_and_a_used_id_is_told_apart() {
    let shop = Shop::undecided([("A", 1)]).await;
    let told = shop.post(&path::<Reserve>(), reserve("c1")).await.ok(200);
    assert_eq!(told["outcomes"][0]["order"]["state"], "BLOCK");
    assert_eq!(told["levels"][0]["available"], 0);
    let told = shop.post(&path::<Reserve>(), reserve("c2")).await.ok(200);
    assert_eq!(told["outcomes"][0], "id_conflict");
}

#[tokio::test(start_paused = true)]
async fn the_problem_says_of_which_kind_the_error_is() {
    let shop = Shop::undecided([("A", 1)]).await;
    for (fault, status, problem, kind) in [
        (Fault::Unavailable, 503, "unavailable", "unavailable"),
        (Fault::LostBefore, 503, "in-doubt", "outcome_unknown"),
        (Fault::Permanent, 422, "impossible", "permanent"),
    ] {
        shop.faults.next(Op::Reserve, [fault]);
        let answer = shop.post(&path::<Reserve>(), reserve("c1")).await;
        assert_eq!(answer.problem(status, problem)["kind"], kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_makes_no_sense_says_what_is_wrong() {
    let shop = Shop::undecided([]).await;
    let no_lines = json!({"carts": [{"order_id": id(1), "customer": "c1", "lines": [], "accepted_at": 0}],
        "hold_ms": 1});
    let answer = shop.post(&path::<Reserve>(), no_lines).await;
    says(&answer.problem(422, "invalid"), "the cart is empty");
    let answer = shop.post(&path::<Reserve>(), "{}").await;
    says(
        &answer.problem(422, "invalid"),
        "/carts: this field is missing",
    );
    let arrays = json!({"carts": [[id(1), "c1", [["A", 1]], 0]], "hold_ms": 1});
    let problem = shop.post(&path::<Reserve>(), arrays).await;
    let problem = problem.problem(422, "invalid");
    says(&problem, "expected an object, found an array");
    assert_eq!(problem["pointer"], "/carts/0");
    let answer = shop.post(&path::<Reserve>(), "{").await;
    answer.problem(400, "malformed");
    // A newer version may send more than this one knows.
    let newer = json!({"skus": ["A"], "with_holds": false, "of_2030": 1});
    let told = shop.post(&path::<Stock>(), newer).await.ok(200);
    assert_eq!(told["levels"], json!([null]));
}

#[tokio::test(start_paused = true)]
async fn batches_may_be_larger_than_public_requests_and_are_bounded_too() {
    let shop = Shop::undecided([]).await;
    let post = async |path: &str, bytes: usize| {
        let body = Body::from(vec![b' '; bytes]);
        shop.send(request(Method::POST, path, body)).await
    };
    let answer = post(&path::<Reserve>(), 2 << 20).await;
    answer.problem(400, "malformed");
    let answer = post("/v1/carts", 2 << 20).await;
    says(&answer.problem(413, "body-too-large"), "at most 1048576");
    let answer = post(&path::<Reserve>(), (16 << 20) + 1).await;
    says(&answer.problem(413, "body-too-large"), "at most 16777216");
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_is_written_once_for_what_an_audit_can_cover() {
    let shop = Shop::undecided([("A", 1)]).await;
    shop.post(&path::<Reserve>(), reserve("c1")).await.ok(200);
    let release = json!({"release": {"reason": "expired"}});
    let settles = json!({"settles": [{"order_id": id(1), "action": release}]});
    shop.post(&path::<SettleAll>(), settles).await.ok(200);
    let call = json!({"grace_ms": 0, "full": true, "with_orders": true});
    let told = shop.post(&path::<Audit>(), &call).await.ok(200);
    assert_eq!(told["checked"][0]["order_id"], id(1).to_string());
    let mut cover = json!({"coverage": told["coverage"], "audited_at": 5});
    for written in [true, false] {
        let answer = shop.post(&path::<Cover>(), &cover).await.ok(200);
        assert_eq!(answer, written);
    }
    let last = shop
        .post(&path::<LastCheckpoint>(), json!({}))
        .await
        .ok(200);
    assert_eq!(last, json!({"number": 1, "audited_at": 5, "orders": 1}));
    let call = json!({"grace_ms": 0});
    let told = shop.post(&path::<Audit>(), &call).await.ok(200);
    assert_eq!(
        (&told["orders"], &told["checked"]),
        (&json!(0), &json!(null))
    );
    cover["coverage"]["batches"] = json!([{"first": 3, "last": 2}]);
    let answer = shop.post(&path::<Cover>(), &cover).await;
    says(&answer.problem(422, "invalid"), "ascending order");
}

#[tokio::test(start_paused = true)]
async fn a_read_says_nothing_about_whether_the_store_can_write() {
    let shop = Shop::undecided([("A", 1)]).await;
    shop.faults.next(Op::Reserve, [Fault::Unavailable]);
    let answer = shop.post(&path::<Reserve>(), reserve("c1")).await;
    answer.problem(503, "unavailable");
    let stock = json!({"skus": ["A"], "with_holds": true});
    shop.post(&path::<Stock>(), &stock).await.ok(200);
    shop.get("/readyz").await.problem(503, "unavailable");
    shop.post(&path::<Reserve>(), reserve("c1")).await.ok(200);
    shop.get("/readyz").await.ok(200);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_called_batch_is_an_item() {
    let shop = Shop::undecided([("batch", 1)]).await;
    let item = shop.get("/v1/inventory/batch").await.ok(200);
    assert_eq!(item["sku"], "batch");
    let by = json!({"by": 1, "reason": "recount"});
    let path = "/v1/inventory/batch/adjustments";
    assert_eq!(shop.post(path, by).await.ok(200)["available"], 2);
}
