//! `oms order`, with `oms worker`.

use std::process::{Child, Output, Stdio};

use serde_json::Value;

use super::Place;

const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn id_of(created: &Value) -> String {
    created["order_id"].as_str().unwrap().to_owned()
}

fn create(place: &Place, line: &str) -> String {
    id_of(&place.json(&["order", "create", "--line", line]))
}

/// A process that runs beside the test, and never longer.
struct Beside(Option<Child>);

impl Beside {
    fn start(place: &Place, args: &[&str], stdout: Stdio) -> Self {
        Self(Some(place.command(args).stdout(stdout).spawn().unwrap()))
    }

    fn worker(place: &Place) -> Self {
        Self::start(place, &["worker", "-q"], Stdio::null())
    }

    /// Waits for its end.
    fn output(mut self) -> Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

#[test]
fn an_order_goes_all_the_way_and_tells_its_story() {
    let place = Place::seeded(3, 10);
    let created = place.json(&[
        "order",
        "create",
        "--line",
        "SKU-00002=2",
        "--line",
        "SKU-00001",
        "--customer",
        "ann",
    ]);
    assert_eq!(created["status"], "INIT");
    assert_eq!(created["cart_hash"].as_str().unwrap().len(), 32);
    let id = id_of(&created);
    assert_eq!(place.json(&["order", "status", &id])["status"], "INIT");

    let totals = place.json(&["worker", "--drain"]);
    assert_eq!(
        (&totals["carts"], &totals["dead_letters"]),
        (&1.into(), &0.into())
    );
    assert_eq!(place.json(&["order", "status", &id])["status"], "BLOCK");
    assert_eq!(
        place.json(&["inventory", "show", "SKU-00002"])["blocked"],
        2
    );

    let placed = place.json(&["order", "place", &id]);
    assert_eq!(
        (&placed["status"], &placed["reason"]),
        (&"PLACED".into(), &Value::Null)
    );
    let status = place.json(&["order", "status", &id]);
    assert_eq!(status["order_id"], id.as_str());
    assert_eq!(status["status"], "PLACED");
    assert_eq!(status["customer"], "ann");
    assert!(status["amount"].as_i64().unwrap() > 0);
    let lines = status["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[1]["sku"], &lines[1]["quantity"]),
        (&"SKU-00002".into(), &2.into())
    );
    let history: Vec<&str> = (status["history"].as_array().unwrap().iter())
        .map(|change| change["status"].as_str().unwrap())
        .collect();
    assert_eq!(history.first(), Some(&"INIT"));
    assert_eq!(history.last(), Some(&"PLACED"));
    assert!(history.contains(&"PAYMENT_SUCCESS"), "{history:?}");

    let story = place.ok(&["order", "why", &id]);
    for part in [
        "of ann was accepted at",
        "1 × SKU-00001, 2 × SKU-00002",
        "in batch 1 as cart 1 of 1 (1 of them blocked)",
        "captured",
        "It was placed at",
        "stock version",
    ] {
        assert!(story.contains(part), "no `{part}` in {story}");
    }
    let told = place.json(&["order", "why", &id]);
    assert_eq!(told["view"]["status"], "PLACED");
    assert_eq!(told["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(place.json(&["inventory", "show", "SKU-00002"])["sold"], 2);
    // Placing again charges nobody twice.
    assert_eq!(place.json(&["order", "place", &id])["status"], "PLACED");
    assert_eq!(
        place.json(&["order", "why", &id])["attempts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn create_and_place_in_one_go_with_a_worker_elsewhere() {
    let place = Place::seeded(1, 5);
    let _worker = Beside::worker(&place);
    let placed = place.json(&["order", "create", "--line", "SKU-00001=5", "--place"]);
    assert_eq!(placed["status"], "PLACED");
    let line = place.fails(1, &["order", "create", "--line", "SKU-00001"]);
    assert!(
        line.starts_with("error: the cart is refused: sold_out (SKU-00001)"),
        "{line}"
    );
}

#[test]
fn a_declined_payment_fails_and_gives_the_items_back() {
    let place = Place::seeded(1, 5);
    let id = create(&place, "SKU-00001=2");
    place.ok(&["worker", "--drain"]);
    let done = place.run(&[
        "order",
        "place",
        &id,
        "--json",
        "--payment-url",
        "simulated:?success=0",
    ]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let placed: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (&placed["status"], &placed["reason"]),
        (&"FAILED".into(), &"declined".into())
    );
    assert!(
        done.error().contains("the payment was declined"),
        "{done:?}"
    );
    assert_eq!(
        place.json(&["inventory", "show", "SKU-00001"])["available"],
        5
    );
    let failed = place.json_lines(&["order", "list", "--state", "failed", "--reason", "declined"]);
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["order_id"], id.as_str());
    assert!(
        place
            .ok(&["order", "why", &id])
            .contains("its items went back")
    );
}

#[test]
fn refused_carts_say_why_and_nothing_is_queued() {
    let place = Place::seeded(1, 5);
    for (line, reason) in [("SKU-00001=6", "sold_out"), ("NO-SUCH", "unknown_sku")] {
        let done = place.run(&["order", "create", "--line", line, "--json"]);
        assert_eq!(done.code, Some(1), "{done:?}");
        let refused: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(refused["refused"], reason);
        assert!(refused["order_id"].is_string());
        assert!(done.error().contains(reason));
    }
    assert_eq!(place.json(&["worker", "--drain"])["carts"], 0);
}

#[test]
fn a_held_cart_is_told_when_to_try_again() {
    let place = Place::seeded(1, 1);
    create(&place, "SKU-00001");
    place.ok(&["worker", "--drain"]);
    let done = place.run(&["order", "create", "--line", "SKU-00001", "--json"]);
    let refused: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(refused["refused"], "held");
    let after = refused["retry_after_ms"].as_u64().unwrap();
    assert!((1..=600_000).contains(&after), "{after}");
}

#[test]
fn one_id_is_one_cart() {
    let place = Place::seeded(2, 5);
    let args = ["order", "create", "--id", NOBODY, "--line", "SKU-00001"];
    let first = place.json(&args);
    assert_eq!(first["order_id"], NOBODY);
    assert_eq!(place.json(&args), first);
    let line = place.fails(
        1,
        &["order", "create", "--id", NOBODY, "--line", "SKU-00002"],
    );
    assert!(line.contains("was used with another cart"), "{line}");
    place.ok(&["worker", "--drain"]);
    assert_eq!(place.json(&args)["status"], "BLOCK");
    assert_eq!(
        place.json(&["inventory", "show", "SKU-00001"])["blocked"],
        1
    );
}

#[test]
fn an_unknown_order_is_an_error_that_counts_who_waits() {
    let place = Place::seeded(1, 5);
    for verb in ["status", "why", "watch"] {
        let line = place.fails(1, &["order", verb, NOBODY]);
        assert!(
            line.starts_with(&format!("error: there is no order {NOBODY};")),
            "{line}"
        );
    }
    for verb in ["place", "cancel"] {
        let line = place.fails(1, &["order", verb, NOBODY]);
        assert!(line.contains("there is no order"), "{line}");
    }
    create(&place, "SKU-00001");
    create(&place, "SKU-00001");
    let line = place.fails(1, &["order", "status", NOBODY]);
    assert!(line.contains("2 carts undecided"), "{line}");
}

#[test]
fn placing_answers_within_the_wait_and_can_be_resumed() {
    let place = Place::seeded(1, 5);
    let id = create(&place, "SKU-00001");
    let done = place.run(&["order", "place", &id, "--wait", "100ms"]);
    assert_eq!(done.code, Some(1));
    assert!(done.stdout.contains("INIT"), "{done:?}");
    assert!(
        done.error().contains("place it again to resume"),
        "{done:?}"
    );
    let _worker = Beside::worker(&place);
    assert!(place.ok(&["order", "place", &id]).contains("PLACED"));
}

#[test]
fn a_cancelled_order_gives_its_items_back_and_a_placed_one_stays() {
    let place = Place::seeded(1, 5);
    let id = create(&place, "SKU-00001=3");
    place.ok(&["worker", "--drain"]);
    let cancelled = place.json(&["order", "cancel", &id]);
    assert_eq!(
        (&cancelled["status"], &cancelled["reason"]),
        (&"FAILED".into(), &"cancelled".into())
    );
    assert_eq!(place.json(&["order", "cancel", &id])["reason"], "cancelled");
    assert_eq!(
        place.json(&["inventory", "show", "SKU-00001"])["available"],
        5
    );
    let id = create(&place, "SKU-00001=3");
    place.ok(&["worker", "--drain"]);
    place.ok(&["order", "place", &id]);
    let line = place.fails(1, &["order", "cancel", &id]);
    assert!(line.contains("is placed"), "{line}");
}

#[test]
fn watching_follows_an_order_to_its_end() {
    let place = Place::seeded(1, 5);
    let id = create(&place, "SKU-00001");
    let args = ["order", "watch", &id, "--json", "--exit-status"];
    let watch = Beside::start(&place, &args, Stdio::piped());
    place.ok(&["worker", "--drain"]);
    place.ok(&["order", "place", &id]);
    let output = watch.output();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["status"], &last["order_id"]),
        (&"PLACED".into(), &id.as_str().into())
    );

    let failed = create(&place, "SKU-00001");
    place.ok(&["worker", "--drain"]);
    place.ok(&["order", "cancel", &failed]);
    let done = place.run(&["order", "watch", &failed, "--exit-status"]);
    assert_eq!(done.code, Some(1));
    assert!(done.stdout.contains("FAILED (cancelled)"), "{done:?}");
    assert_eq!(place.run(&["order", "watch", &failed]).code, Some(0));
}

#[test]
fn orders_are_listed_by_state_customer_and_page() {
    let place = Place::seeded(1, 100);
    for customer in ["ann", "ann", "bob"] {
        place.ok(&[
            "order",
            "create",
            "--line",
            "SKU-00001",
            "--customer",
            customer,
        ]);
    }
    place.ok(&["worker", "--drain"]);
    let all = place.json_lines(&["order", "list"]);
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|order| order["state"] == "BLOCK"));
    let of = |args: &[&str]| {
        let args: Vec<&str> = ["order", "list"].iter().chain(args).copied().collect();
        place.json_lines(&args).len()
    };
    assert_eq!(of(&["--customer", "ann"]), 2);
    assert_eq!(of(&["--state", "placed"]), 0);
    assert_eq!(of(&["--state", "block", "--limit", "2"]), 2);
    assert_eq!(of(&["--after", &id_of(&all[1])]), 1);
    let page = place.run(&["order", "list", "--limit", "2"]);
    assert_eq!(page.stdout.lines().count(), 3);
    assert!(
        page.stderr.contains(&format!("--after {}", id_of(&all[1]))),
        "{page:?}"
    );
}
