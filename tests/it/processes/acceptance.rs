//! The storm as it was ordered: exact numbers, and the keys that scripts rely on.

use serde_json::Value;

use super::{audited, number, report, sum, went_well};
use crate::place::Place;
use crate::process::Process;

/// Three thousand buyers and a hundred units.
const HUNDRED: &[&str] = &[
    "simulate",
    "--users",
    "3000",
    "--items",
    "1",
    "--stock",
    "100",
    "--lines",
    "1",
    "--quantity",
    "1",
    "--json",
];

fn run(place: &Place, args: &[&str]) -> Value {
    let args: Vec<&str> = HUNDRED.iter().chain(args).copied().collect();
    went_well(&Process::start(place, &args).ended())
}

#[test]
fn a_hundred_units_are_sold_to_a_hundred_of_three_thousand_buyers() {
    let place = Place::new();
    let report = run(&place, &["--payment-url", "simulated:"]);
    assert_eq!(report["orders"]["placed"], 100, "{report}");
    assert_eq!(report["units_sold"], 100, "{report}");
    assert_eq!(report["users"], 3_000);
    let item = place.json(&["inventory", "show", "SKU-00001"]);
    for (key, units) in [
        ("available", 0),
        ("blocked", 0),
        ("sold", 100),
        ("initial", 100),
    ] {
        assert_eq!(item[key], units, "{item}");
    }
    assert_eq!(audited(&place)["units_sold"], 100);
}

#[test]
fn a_gateway_that_declines_and_loses_answers_leaves_no_unit_unsold() {
    let gateway = [
        "--payment-url",
        "simulated:?success=0.65&unknown=0.05",
        "--hold",
        "5s",
    ];
    let reports = [(); 2].map(|()| {
        let place = Place::new();
        let report = run(&place, &gateway);
        assert_eq!(report["units_sold"], 100, "{report}");
        assert_eq!(audited(&place)["units_sold"], 100);
        report
    });
    let [one, other] = reports;
    assert_eq!(
        one["plan_digest"], other["plan_digest"],
        "the same seed is the same plan"
    );
    let place = Place::new();
    let other = run(&place, &["--seed", "2"]);
    assert_ne!(
        one["plan_digest"], other["plan_digest"],
        "another seed is another plan"
    );
}

#[test]
fn the_report_has_every_promised_key() {
    let place = Place::new();
    let args = [
        "simulate", "--users", "300", "--items", "20", "--stock", "10", "--seed", "9", "--json",
    ];
    let report = went_well(&Process::start(&place, &args).ended());
    for key in ["users", "seed", "peak_rss_bytes", "units_sold"] {
        assert!(report[key].is_u64(), "{key} of {report}");
    }
    for key in ["elapsed_s", "placed_per_s", "decided_per_s"] {
        assert!(report[key].as_f64().unwrap() > 0.0, "{key} of {report}");
    }
    assert_eq!(report["seed"], 9);
    assert!(report["peak_rss_bytes"].as_u64().unwrap() > 1 << 20);
    for key in ["accepted", "placed"] {
        assert!(report["orders"][key].is_u64(), "{key} of {report}");
    }
    for step in ["add_to_cart", "place_order", "end_to_end"] {
        let latency = &report["latency_ms"][step];
        let mut before = 0.0;
        for quantile in ["p50", "p90", "p99", "p999", "max"] {
            let value = latency[quantile].as_f64().unwrap();
            assert!(value >= before, "{step} {quantile} of {report}");
            before = value;
        }
        assert!(before > 0.0, "{step} of {report}");
    }
    let orders = &report["orders"];
    assert_eq!(
        number(&orders["accepted"]),
        number(&orders["placed"]) + sum(&orders["failed"])
    );
    // Everybody who came was refused, or is in an order that counts.
    let left = sum(&orders["refused"]) + number(&orders["placed"]) + sum(&orders["failed"]);
    assert!(left >= number(&report["users"]), "{report}");
    assert!(
        report["plan_digest"]
            .as_str()
            .is_some_and(|digest| !digest.is_empty())
    );
}

#[test]
fn a_second_storm_on_a_sold_out_store_warns_and_counts_only_its_own() {
    let place = Place::new();
    run(&place, &["--payment-url", "simulated:"]);
    let args: Vec<&str> = [
        "simulate", "--users", "50", "--items", "1", "--lines", "1", "--json",
    ]
    .into();
    let done = Process::start(&place, &args).ended();
    assert!(done.stderr.contains("everything is sold out"), "{done:?}");
    let again = report(&done);
    assert_eq!(
        (&again["orders"]["placed"], &again["verdict"]),
        (&0.into(), &"ok".into())
    );
    assert_eq!(sum(&again["orders"]["refused"]), 50, "{again}");
    assert_eq!(audited(&place)["units_sold"], 100);
}
