//! placeOrder: who waits, for how long, and what goes on without them.

use std::time::Duration;

use futures::StreamExt as _;
use oms::flow::{Flow, Settings};
use oms::http::{Limits, Phase};
use oms::inventory::Inventory as _;
use oms::wiring::OmsPorts;
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
        ("null", 422, "invalid", "expected an object, found null"),
        (
            "[null]",
            422,
            "invalid",
            "expected an object, found an array",
        ),
        (
            "{\"customer\":\"\"}",
            422,
            "invalid",
            "/customer: the customer is empty",
        ),
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
        ("wait=-1s", "is not a duration"),
        ("wait=", "is not a duration"),
        ("wiat=10s", "wiat: unknown query parameter"),
        (
            "wait=1s&wait=2s",
            "wait: this query parameter is there more than once",
        ),
    ] {
        let problem = shop.post(&format!("{}?{query}", place(&id)), "{}").await;
        says(&problem.problem(400, "malformed"), what);
        let problem = shop.get(&format!("/v1/orders/{id}?{query}")).await;
        says(&problem.problem(400, "malformed"), what);
    }
    assert_eq!(shop.payments.count(Call::Charge(id.parse().unwrap())), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_longer_than_the_service_waits_is_cut_to_that() {
    let shop = Shop::undecided([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    for wait in ["4m", "999999999d"] {
        let began = Instant::now();
        let order = shop.get(&format!("/v1/orders/{id}?wait={wait}")).await;
        assert_eq!(order.ok(200)["status"], "INIT");
        let waited = began.elapsed();
        assert!(waited >= Duration::from_secs(180), "{waited:?}");
        assert!(waited < Duration::from_secs(200), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_is_not_placed_for_another_customer_decided_or_not() {
    for decided in [true, false] {
        let shop = Shop::undecided([("A", 10)]).await;
        let id = shop.accepted([("A", 1)]).await;
        if decided {
            shop.start_worker();
            while shop.get("/v1/inventory/A").await.ok(200)["blocked"] != 1 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        let other = json!({"customer": "c2"});
        let path = place(&id);
        let asked = shop.post(&path, &other);
        let (answer, ()) = tokio::join!(asked, async {
            if !decided {
                tokio::time::sleep(Duration::from_millis(500)).await;
                shop.start_worker();
            }
        });
        let problem = answer.problem(403, "customer-mismatch");
        assert_eq!(problem["order_id"], json!(id));
        assert!(!problem.to_string().contains("c1"), "{problem}");
        assert_eq!(shop.payments.count(Call::Charge(id.parse().unwrap())), 0);
        let order = shop.get(&format!("/v1/orders/{id}")).await.ok(200);
        assert_eq!(order["status"], "BLOCK");
        let right = shop.post(&path, json!({"customer": " c1 "})).await.ok(200);
        assert_eq!(right["status"], "PLACED");
        // Nothing of a final order is told to others, either.
        let late = shop.post(&path, &other).await;
        late.problem(403, "customer-mismatch");
    }
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

/// A shop where few clients may wait for unknown ids, with a cart that nobody decides.
async fn with_room_for(placements_max: usize, unknown_placements_max: usize) -> Shop {
    let limits = Limits {
        placements_max,
        unknown_placements_max,
        ..Limits::default()
    };
    let shop = Shop::with([("A", 100)], Settings::default(), limits).await;
    shop.accepted([("A", 1)]).await;
    shop
}

#[tokio::test(start_paused = true)]
async fn ids_that_no_store_knows_take_no_room_from_orders_and_leave_no_trace() {
    let shop = with_room_for(20, 5).await;
    let answers = (1_000..1_500).map(|number| {
        let path = format!("{}?wait=1ms", place(&id(number).to_string()));
        let shop = &shop;
        async move { shop.post(&path, "{}").await }
    });
    // As many at once as there is room for orders, so that each is looked up.
    let answers: Vec<_> = futures::stream::iter(answers)
        .buffer_unordered(20)
        .collect()
        .await;
    for answer in answers {
        match answer.status {
            202 => assert_eq!(answer.ok(202)["status"], "INIT"),
            _ => says(&answer.problem(503, "overloaded"), "is not known yet"),
        }
    }
    // Each of these needs a place of its own.
    let real: Vec<String> = {
        let accepted = (0..20).map(|_| shop.accepted([("A", 1)]));
        futures::future::join_all(accepted).await
    };
    for id in &real {
        let path = format!("{}?wait=1ms", place(id));
        assert_eq!(shop.post(&path, "{}").await.ok(202)["status"], "INIT");
    }
    // The wait of everyone is over, and only what is known was given up.
    tokio::time::sleep(Settings::default().wait * 2).await;
    let ids = (1_000..1_500).map(id).collect();
    let rows = shop.flow.ports().inventory.orders(ids).await.unwrap();
    assert!(rows.iter().all(Option::is_none), "a tombstone was written");
    for id in &real {
        let order = shop.get(&format!("/v1/orders/{id}")).await.ok(200);
        assert_eq!(order["reason"], "gave_up");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_id_keeps_its_room_until_the_last_client_that_waits_for_it_leaves() {
    let shop = with_room_for(10, 1).await;
    let (first, other) = (place(&id(1).to_string()), place(&id(2).to_string()));
    let wait = |path: &str, wait: &str| {
        let (router, path) = (shop.router.clone(), format!("{path}?wait={wait}"));
        tokio::spawn(async move {
            let request = request(axum::http::Method::POST, &path, "{}".into());
            tower::ServiceExt::oneshot(router, request).await.unwrap()
        })
    };
    let short = wait(&first, "5s");
    let gone = wait(&first, "60s");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let full = |answer: super::fixture::Answer| {
        let problem = answer.problem(503, "overloaded");
        assert_eq!(problem["order_id"], json!(id(2)));
        assert_eq!(problem["retry_after_ms"], 1_000);
    };
    full(shop.post(&format!("{other}?wait=1s"), "{}").await);
    assert_eq!(short.await.unwrap().status(), 202);
    full(shop.post(&format!("{other}?wait=1s"), "{}").await);
    // A client that closes its connection.
    gone.abort();
    assert!(gone.await.is_err());
    tokio::time::sleep(Duration::from_millis(1)).await;
    let answer = shop.post(&format!("{other}?wait=1s"), "{}").await;
    assert_eq!(answer.ok(202)["status"], "INIT");
    let answer = shop.post(&format!("{first}?wait=1s"), "{}").await;
    assert_eq!(answer.ok(202)["status"], "INIT");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_id_that_becomes_known_takes_room_among_the_orders() {
    for (room, placed) in [(3, true), (1, false)] {
        let shop = with_room_for(room, 1).await;
        let id = id(1).to_string();
        let place = |id: &str| format!("{}?wait=60s", place(id));
        let placing = place(&id);
        let arriving = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let busy = shop.accepted([("A", 1)]).await;
            let path = format!("/v1/orders/{busy}/place?wait=1ms");
            shop.post(&path, "{}").await.ok(202);
            shop.post_with_key("/v1/carts", &id, cart("c1", [("A", 1)]))
                .await
                .ok(202);
            tokio::time::sleep(Duration::from_secs(3)).await;
            if placed {
                // Its room among the unknown is free again.
                let path = format!("/v1/orders/{}/place?wait=1s", crate::make::id(2));
                shop.post(&path, "{}").await.ok(202);
            }
            shop.start_worker();
            tokio::time::sleep(Duration::from_secs(3)).await;
        };
        let (answer, ()) = tokio::join!(shop.post(&placing, "{}"), arriving);
        if placed {
            assert_eq!(answer.ok(200)["status"], "PLACED");
        } else {
            says(&answer.problem(503, "overloaded"), "1 orders are being");
            let again = shop.post(&placing, "{}").await.ok(200);
            assert_eq!(again["status"], "PLACED");
        }
    }
}

/// The size of what a call of the flow over the program's own stores keeps in memory while it runs.
fn bytes_of<F>(_: impl FnOnce(&'static Flow<OmsPorts>) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn waiting_for_an_unknown_id_costs_about_a_kilobyte() {
    let waiting = bytes_of(|flow| flow.until_known(id(1), Instant::now()));
    assert!(waiting <= 1_024, "{waiting} bytes");
}

#[tokio::test(start_paused = true)]
async fn every_answer_comes_within_its_wait_although_the_database_hangs() {
    let shop = Shop::undecided([("A", 10)]).await;
    let id = shop.accepted([("A", 1)]).await;
    shop.faults
        .always(Op::DATABASE, &Fault::HoldBefore(Gate::default()));
    shop.faults
        .always([Op::Adjust], &Fault::HoldBefore(Gate::default()));
    let order = format!("/v1/orders/{id}");
    let by = json!({"by": 1, "reason": "recount"}).to_string();
    let one = cart("c1", [("A", 1)]).to_string();
    for (method, path, body, most) in [
        ("GET", order.clone(), "", 5),
        ("GET", format!("{order}?wait=1s"), "", 4),
        ("GET", format!("{order}/history"), "", 5),
        ("POST", format!("{order}/cancel"), "", 15),
        ("DELETE", format!("/v1/inventory/reservations/{id}"), "", 15),
        ("POST", "/v1/inventory/reservations".to_owned(), &one, 15),
        ("POST", "/v1/inventory/A/adjustments".to_owned(), &by, 15),
    ] {
        let began = Instant::now();
        let method: axum::http::Method = method.parse().unwrap();
        let sent = request(method.clone(), &path, body.to_owned().into());
        let answer = tokio::time::timeout(Duration::from_secs(60), shop.send(sent)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{method} {path} hangs"));
        let took = began.elapsed();
        let most = Duration::from_millis(most * 1_000 + 100);
        assert!(took <= most, "{method} {path} took {took:?}");
        assert_eq!(answer.status, 503, "{method} {path}: {}", answer.text());
        assert_eq!(answer.header("retry-after"), Some("1"), "{method} {path}");
    }
    // Placing goes on, and a repeat joins it.
    let began = Instant::now();
    let answer = shop.post(&format!("{order}/place?wait=1s"), "{}").await;
    assert_eq!(answer.ok(202)["status"], "INIT");
    assert!(began.elapsed() <= Duration::from_millis(4_100));
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
