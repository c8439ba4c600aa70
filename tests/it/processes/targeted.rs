//! Storms that a scenario or corrections of stock make, over HTTP against `oms serve`.

use serde_json::Value;

use super::{audited, found_nothing, is_sound, number, report, storm_by, went_well};
use crate::place::Place;
use crate::process::{Process, Serve};

/// Buyers of one unit each, at regular intervals, while stock is corrected; the report, and the item afterwards.
fn corrected(stock: i64, rate: &str, correction: &str) -> (Value, Value) {
    let place = Place::seeded(1, stock);
    let serve = Serve::start(&place, &["--payment-url", "simulated:"]);
    let flags = [
        "--rate",
        rate,
        "--arrivals",
        "constant",
        "--duration",
        "4s",
        "--lines",
        "1",
        "--quantity",
        "1",
        "--restock",
        correction,
    ];
    let report = found_nothing(&storm_by(&place, &serve, &flags).ended());
    let audit = audited(&place);
    assert_eq!(audit["units_sold"], report["units_sold"], "{audit:#}");
    let item = place.json(&["inventory", "show", "SKU-00001"]);
    (report, item)
}

#[test]
fn units_that_come_in_at_a_service_are_sold() {
    let (report, item) = corrected(5, "20", "500ms:top1:+7");
    assert_eq!(number(&report["units_sold"]), 12, "{report:#}");
    for (key, units) in [("available", 0), ("sold", 12), ("adjusted", 7)] {
        assert_eq!(item[key], units, "{key} of {item}");
    }
}

#[test]
fn units_that_are_found_missing_at_a_service_are_not_sold() {
    // Forty buyers for thirty units; the thirteenth comes a second after the correction.
    let (report, item) = corrected(30, "10", "200ms:SKU-00001:-18");
    assert_eq!(number(&report["units_sold"]), 12, "{report:#}");
    for (key, units) in [("available", 0), ("sold", 12), ("adjusted", -18)] {
        assert_eq!(item[key], units, "{key} of {item}");
    }
}

#[test]
fn a_scenario_storms_a_service_as_it_would_this_process() {
    let scenario = ["--scenario", "flash-sale", "--users", "300"];
    let place = Place::seeded(5, 20);
    place.write("oms.toml", "hold = \"5s\"\n");
    let gateway = "simulated:?success=0.9&latency=5ms..50ms";
    let serve = Serve::start(&place, &["--payment-url", gateway]);
    let served = went_well(&storm_by(&place, &serve, &scenario).ended());
    let target = served["settings"]["target"].as_str().unwrap();
    assert!(target.starts_with(&serve.url()), "{target}");
    let sold = number(&served["units_sold"]);
    assert!(0 < sold && sold <= 100, "{served:#}");
    assert!(number(&served["orders"]["placed"]) > 0, "{served:#}");
    let thresholds = served["thresholds"].as_array().unwrap();
    assert!(!thresholds.is_empty(), "{served:#}");
    assert!(
        thresholds.iter().all(|threshold| threshold["ok"] == true),
        "{thresholds:?}"
    );
    assert_eq!(audited(&place)["units_sold"], served["units_sold"]);

    let place = Place::new();
    let here = ["--items", "5", "--stock", "20", "--hold", "5s", "--json"];
    let args = [&["simulate"], &scenario[..], &here].concat();
    let done = Process::start(&place, &args).ended();
    is_sound(&report(&done));
    assert_eq!(
        report(&done)["plan_digest"],
        served["plan_digest"],
        "the same buyers, wherever they go"
    );
}
