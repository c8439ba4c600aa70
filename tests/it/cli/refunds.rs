//! `oms refunds`: what is owed, and paying it by hand.

use serde_json::Value;

use super::Place;

/// A place that owes a refund, and the order that it is owed for.
fn owing() -> (Place, String) {
    let place = Place::seeded(1, 5);
    let created = place.json(&["order", "create", "--line", "SKU-00001=2"]);
    let id = created["order_id"].as_str().unwrap().to_owned();
    place.ok(&["worker", "--drain"]);
    let lost = [
        "inventory",
        "adjust",
        "SKU-00001",
        "--by",
        "-5",
        "--reason",
        "lost",
    ];
    place.ok(&lost);
    // Nobody sweeps: the refund stays due.
    let placed = place.run(&["order", "place", &id]);
    assert_eq!(placed.code, Some(1), "{placed:?}");
    (place, id)
}

fn outcome(place: &Place, args: &[&str]) -> (Option<i32>, Value) {
    let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    let done = place.run(&args);
    (done.code, serde_json::from_str(&done.stdout).unwrap())
}

#[test]
fn due_refunds_are_listed_and_executed_once() {
    let (place, id) = owing();
    let due = place.json(&["refunds", "list"]);
    assert_eq!(due["order_id"], id.as_str());
    assert_eq!(due["reason"], "negative_inventory");
    assert!(due["amount"].as_i64().unwrap() > 0, "{due}");
    assert!(place.ok(&["refunds", "list"]).contains(&id));
    let (code, retried) = outcome(&place, &["refunds", "retry", &id]);
    assert_eq!((code, &retried["outcome"]), (Some(0), &"executed".into()));
    assert_eq!(place.json_lines(&["refunds", "list"]).len(), 0);
    let (code, retried) = outcome(&place, &["refunds", "retry", &id]);
    assert_eq!(code, Some(0));
    assert_eq!(retried["outcome"], "executed_before");
    place.ok(&["audit", "--full"]);
}

#[test]
fn a_refund_that_fails_says_why_and_stays_due() {
    let (place, id) = owing();
    let away = [
        "refunds",
        "retry",
        "--all",
        "--payment-url",
        "simulated:?outage=0s..1h",
    ];
    let (code, retried) = outcome(&place, &away);
    assert_eq!((code, &retried["outcome"]), (Some(1), &"failed".into()));
    let detail = retried["detail"].as_str().unwrap();
    assert!(detail.contains("the gateway is away"), "{detail}");
    assert_eq!(place.json_lines(&["refunds", "list"]).len(), 1);
    let nobody = "0190a000-0000-7000-8000-000000000001";
    let (code, retried) = outcome(&place, &["refunds", "retry", nobody]);
    assert_eq!((code, &retried["outcome"]), (Some(1), &"no_refund".into()));
    // The worker pays it without being asked.
    place.ok(&["worker", "--drain"]);
    let (_, retried) = outcome(&place, &["refunds", "retry", &id]);
    assert!(
        ["executed", "executed_before"].contains(&retried["outcome"].as_str().unwrap()),
        "{retried}"
    );
}
