//! placeOrder: who waits, for how long, and what goes on without them.

use std::time::Duration;

use oms::flow::Settings;
use oms::http::{Limits, Phase};
use serde_json::json;
use tokio::time::Instant;

use super::fixture::{Shop, cart, request, says};
use crate::faults::{Fault, Op};
use crate::make::{customer, id};
use crate::model::{Call, Gate, Outcome};

fn place(id: &str) -> String {
    format!("/v1/orders/{id}/place")
}

#[tokio::test(start_paused = true)]
async fn an_order_is_placed_or_fails_with_its_reason() {
    let shop = Shop::open([("A", 10)]).await;
    let id = shop.placed([("A", 1)]).await;
    let again = shop.post(&place(&id), "{}").await.ok(200);
    assert_eq!(again["status"], "PLACED");
    shop.payments.otherwise(Outcome::Decline);
    let id = shop.accepted([("A", 1)]).await;
    let failed = shop.post(&place(&id), "{}").await.ok(200);
    let expected = json!({"order_id": id, "status": "FAILED", "reason": "declined"});
    assert_eq!(failed, expected);
}

#[tokio::test(start_paused = true)]
async fn a_cart_hash_that_does_not_match_charges_nobody() {
    let shop = Shop::open([("A", 10)]).await;
    let accepted = shop.post("/v1/carts", cart("c1", [("A", 1)])).await.ok(202);
    let id = accepted["order_id"].as_str().unwrap();
    let wrong = json!({"cart_hash": "00112233445566778899aabbccddeeff"});
    let problem = shop
        .post(&place(id), wrong)
        .await
        .problem(409, "cart-mismatch");
    assert_eq!(problem["order_id"], json!(id));
    assert_eq!(shop.payments.count(Call::Charge(id.parse().unwrap())), 0);
    let right = json!({"cart_hash": accepted["cart_hash"]});
    assert_eq!(
        shop.post(&place(id), right).await.ok(200)["status"],
        "PLACED"
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_place_does_not_take_is_refused() {
    let shop = Shop::open([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    for (body, status, kind, what) in [
        ("{", 400, "malformed", "line 1"),
        (
            "{\"cart_hash\":\"short\"}",
            422,
            "invalid",
            "not a cart hash",
        ),
        ("{\"hash\":1}", 422, "invalid", "unknown field `hash`"),
    ] {
        let problem = shop.post(&place(&id), body).await.problem(status, kind);
        says(&problem, what);
        assert_eq!(problem["order_id"], json!(id));
    }
    let mut form = request(axum::http::Method::POST, &place(&id), "a=b".into());
    form.headers_mut().remove("content-type");
    shop.send(form).await.problem(415, "not-json");
    assert_eq!(shop.payments.count(Call::Charge(id.parse().unwrap())), 0);
    // No body, and no media type for it.
    let mut bare = request(
        axum::http::Method::POST,
        &place(&id),
        axum::body::Body::empty(),
    );
    bare.headers_mut().remove("content-type");
    assert_eq!(shop.send(bare).await.ok(200)["status"], "PLACED");
}

#[tokio::test(start_paused = true)]
async fn a_wait_bounds_the_answer_and_a_repeat_goes_on_waiting() {
    let shop = Shop::undecided([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    for (wait, least) in [("0s", 0), ("2s", 2_000), ("500ms", 500)] {
        let began = Instant::now();
        let answer = shop
            .post(&format!("{}?wait={wait}", place(&id)), "{}")
            .await;
        assert_eq!(answer.ok(202), json!({"order_id": id, "status": "INIT"}));
        assert_eq!(answer.header("retry-after"), Some("1"));
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(least), "{wait}: {took:?}");
        assert!(
            took < Duration::from_millis(least + 1_000),
            "{wait}: {took:?}"
        );
    }
    shop.start_worker();
    let answer = shop.post(&format!("{}?wait=30s", place(&id)), "{}").await;
    assert_eq!(answer.ok(200)["status"], "PLACED");
    assert_eq!(shop.payments.count(Call::Charge(id.parse().unwrap())), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_bounds_the_answer_although_the_status_store_hangs() {
    let shop = Shop::undecided([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    shop.faults
        .always(Op::STATUSES, &Fault::HoldBefore(Gate::default()));
    let place = format!("{}?wait=2s", place(&id));
    let answer = tokio::time::timeout(Duration::from_secs(4), shop.post(&place, "{}")).await;
    assert_eq!(answer.expect("it hangs").ok(202)["status"], "INIT");
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_is_under_way_is_pending() {
    let shop = Shop::open([("A", 10)]).await;
    shop.payments.script(&customer("c1"), [Outcome::Silence]);
    let id = shop.accepted([("A", 1)]).await;
    let answer = shop.post(&format!("{}?wait=3s", place(&id)), "{}").await;
    assert_eq!(answer.ok(202)["status"], "PAYMENT_PENDING");
}

#[tokio::test(start_paused = true)]
async fn without_a_wait_the_answer_comes_when_the_flow_gives_up() {
    let shop = Shop::undecided([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    let began = Instant::now();
    let answer = shop.post(&place(&id), "{}").await.ok(200);
    assert_eq!(answer["status"], "FAILED");
    assert_eq!(answer["reason"], "gave_up");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(180), "{took:?}");
    assert!(took < Duration::from_secs(200), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_none_is_refused_with_the_right_spelling() {
    let shop = Shop::open([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    for (query, what) in [
        ("wait=10", "write 10s for seconds"),
        ("wait=15mins", "write 15m"),
        ("wait=4m", "at most 3m are allowed"),
        ("wait=-1s", "is not a duration"),
        ("wait=", "is not a duration"),
        ("wiat=10s", "unknown field `wiat`"),
        ("wait=1s&wait=2s", "duplicate field `wait`"),
    ] {
        let problem = shop.post(&format!("{}?{query}", place(&id)), "{}").await;
        says(&problem.problem(400, "malformed"), what);
        let problem = shop.get(&format!("/v1/orders/{id}?{query}")).await;
        says(&problem.problem(400, "malformed"), what);
    }
    assert_eq!(shop.payments.count(Call::Charge(id.parse().unwrap())), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_does_not_end_its_order() {
    let shop = Shop::undecided([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    let path = place(&id);
    let gone = tokio::time::timeout(Duration::from_secs(1), shop.post(&path, "{}")).await;
    assert!(gone.is_err(), "nothing was decided");
    shop.start_worker();
    let order = shop.get(&format!("/v1/orders/{id}?wait=60s")).await.ok(200);
    assert_eq!(order["status"], "PLACED");
}

#[tokio::test(start_paused = true)]
async fn ten_requests_for_one_order_are_one_placement() {
    let shop = Shop::open([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    let path = place(&id);
    let answers = futures::future::join_all((0..10).map(|_| shop.post(&path, "{}"))).await;
    for answer in answers {
        assert_eq!(answer.ok(200)["status"], "PLACED");
    }
    assert_eq!(shop.payments.count(Call::Charge(id.parse().unwrap())), 1);
}

#[tokio::test(start_paused = true)]
async fn too_many_placements_at_once_are_turned_away_and_joining_is_not() {
    let limits = Limits {
        placements_max: 1,
        ..Limits::default()
    };
    let shop = Shop::with([("A", 10)], Settings::default(), limits).await;
    let (first, second) = (
        shop.accepted([("A", 1)]).await,
        shop.accepted([("A", 2)]).await,
    );
    let waiting = format!("{}?wait=1s", place(&first));
    shop.post(&waiting, "{}").await.ok(202);
    let answer = shop.post(&place(&second), "{}").await;
    assert_eq!(answer.problem(503, "overloaded")["order_id"], json!(second));
    shop.post(&waiting, "{}").await.ok(202);
    shop.start_worker();
    shop.post(&place(&first), "{}").await.ok(200);
    shop.post(&place(&second), "{}").await.ok(200);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_answered_when_the_service_stops() {
    let shop = Shop::undecided([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    let (path, watched) = (place(&id), format!("/v1/orders/{id}?wait=60s"));
    let began = Instant::now();
    let ending = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        shop.phase.send_replace(Phase::Stopping);
    };
    let (placing, showing, ()) = tokio::join!(shop.post(&path, "{}"), shop.get(&watched), ending);
    assert_eq!(placing.ok(202)["status"], "INIT");
    assert_eq!(showing.ok(200)["status"], "INIT");
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_leaves_the_order_in_doubt() {
    let shop = Shop::undecided([("A", 10)]).await;
    shop.faults.always(Op::DATABASE, &Fault::Unavailable);
    let id = id(9).to_string();
    let answer = shop.post(&format!("{}?wait=1m", place(&id)), "{}").await;
    let problem = answer.problem(503, "unavailable");
    assert_eq!(problem["order_id"], json!(id));
    says(&problem, "is in doubt");
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_placing_is_answered_and_the_next_request_starts_anew() {
    let shop = Shop::open([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    let decided = shop.get(&format!("/v1/orders/{id}?wait=1s")).await.ok(200);
    assert_eq!(decided["status"], "BLOCK");
    shop.clock.arm();
    let answer = shop.post(&place(&id), "{}").await;
    let problem = answer.problem(500, "internal");
    assert_eq!(problem["order_id"], json!(id));
    assert_eq!(
        shop.post(&place(&id), "{}").await.ok(200)["status"],
        "PLACED"
    );
}
