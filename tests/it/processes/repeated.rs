//! A seed repeats a storm down to who pays: where there is enough for all, nothing depends on who came first.

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::{audited, number, went_well};
use crate::place::Place;
use crate::process::Process;

/// Everything a buyer can do that does not depend on how fast it is answered, and everything a gateway can do.
const ENOUGH_FOR_ALL: &[&str] = &[
    "simulate",
    "--users",
    "300",
    "--items",
    "20",
    "--stock",
    "100000",
    "--ramp",
    "500ms",
    "--click-twice",
    "20%",
    "--retry",
    "20%:2ms",
    "--return-later",
    "50%:50ms..200ms",
    "--bots",
    "5%:2..4",
    "--json",
];

/// A storm of a seed, and a gateway with a seed of its own.
fn run(seed: &str, gateway_seed: &str) -> (Place, Value) {
    let place = Place::new();
    let gateway = format!(
        "simulated:?success=0.6&timeout=0.1&unknown=0.1&latency=1ms..10ms&seed={gateway_seed}"
    );
    let args: Vec<&str> = (ENOUGH_FOR_ALL.iter().copied())
        .chain(["--seed", seed, "--payment-url", &gateway])
        .collect();
    let report = went_well(&Process::start(&place, &args).ended());
    audited(&place);
    (place, report)
}

/// What became of each order, without what a clock or chance has to do with: customer, cart and outcome.
fn outcomes(place: &Place) -> Vec<String> {
    let orders = place.json_lines(&["order", "list", "--limit", "100000"]);
    let mut outcomes: Vec<String> = orders
        .iter()
        .map(|order| {
            let keys = ["customer", "cart_hash", "amount", "state", "reason"];
            keys.map(|key| order[key].to_string()).join(" ")
        })
        .collect();
    outcomes.sort();
    outcomes
}

/// What each attempt to charge came to: customer, the number of its attempt, and the code of the outcome.
fn attempts(place: &Place) -> Vec<(String, i64, i64)> {
    let ledger = place.data_dir().join("payments.db");
    let ledger = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let mut attempts = ledger
        .prepare("SELECT customer, number, outcome FROM attempts ORDER BY customer, number")
        .unwrap();
    let rows = attempts.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_seed_repeats_every_outcome_and_every_payment_when_there_is_enough_for_all() {
    let (one, report) = run("7", "3");
    let (other, again) = run("7", "3");
    assert_eq!(report["plan_digest"], again["plan_digest"]);
    assert_eq!(attempts(&one), attempts(&other));
    assert_eq!(outcomes(&one), outcomes(&other));
    for key in ["accepted", "placed", "failed", "refused", "attempts"] {
        assert_eq!(report["orders"][key], again["orders"][key], "{key}");
    }
    assert_eq!(report["units_sold"], again["units_sold"]);
    // It is no storm in which nothing could have differed.
    let drawn = attempts(&one);
    for code in 1..=4 {
        let drawn = drawn.iter().filter(|attempt| attempt.2 == code).count();
        assert!(drawn > 10, "{drawn} attempts came to {code}");
    }
    let orders = &report["orders"];
    assert!(number(&orders["placed"]) > 100, "{orders}");
    assert!(number(&orders["failed"]["declined"]) > 30, "{orders}");
    assert_eq!(report["orders"]["refused"], serde_json::json!({}));
}

#[test]
fn another_seed_of_the_gateway_is_the_same_plan_and_other_payments() {
    let (one, report) = run("7", "3");
    let (other, again) = run("7", "4");
    assert_eq!(report["plan_digest"], again["plan_digest"]);
    assert_ne!(attempts(&one), attempts(&other));
    assert_ne!(outcomes(&one), outcomes(&other));
}
