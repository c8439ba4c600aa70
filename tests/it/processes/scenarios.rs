//! Every scenario that is built in, made small: nothing is wrong, and a seed repeats it.

use serde_json::Value;

use super::{found_nothing, number};
use crate::place::Place;
use crate::process::Process;

/// Runs a scenario with flags over it.
fn run(place: &Place, name: &str, flags: &[&str]) -> Value {
    let args: Vec<&str> = ["simulate", "--scenario", name, "--json"]
        .iter()
        .chain(flags)
        .copied()
        .collect();
    found_nothing(&Process::start(place, &args).ended())
}

/// The same seed twice, in two places.
fn is_repeated(name: &str, flags: &[&str]) -> Value {
    is_repeated_at(&Place::new(), name, flags)
}

/// The same seed twice, here and in another place.
fn is_repeated_at(place: &Place, name: &str, flags: &[&str]) -> Value {
    let one = run(place, name, flags);
    let other = run(&Place::new(), name, flags);
    assert_eq!(one["plan_digest"], other["plan_digest"], "{name}");
    assert_eq!(
        one["settings"]["payment_url"],
        other["settings"]["payment_url"]
    );
    assert!(number(&one["orders"]["attempts"]) > 0, "{one:#}");
    one
}

#[test]
fn a_flash_sale_sells_what_there_is() {
    let flags = [
        "--users", "300", "--items", "5", "--stock", "20", "--hold", "5s",
    ];
    let report = is_repeated("flash-sale", &flags);
    assert!(number(&report["units_sold"]) <= 100, "{report:#}");
    assert!(number(&report["orders"]["placed"]) > 0, "{report:#}");
    let fairness = &report["fairness"];
    let refused = number(&fairness["refused_held"]) + number(&fairness["refused_sold_out"]);
    assert!(refused > 0, "{fairness:#}");
    assert!(
        fairness["items"][0]["winners"].as_u64().unwrap() > 0,
        "{fairness:#}"
    );
}

#[test]
fn the_last_unit_is_sold_once() {
    let report = is_repeated("last-unit", &["--users", "100", "--hold", "5s"]);
    assert!(number(&report["units_sold"]) <= 1, "{report:#}");
}

#[test]
fn hot_carts_block_each_other_and_nothing_is_lost() {
    let flags = [
        "--users", "100", "--ramp", "200ms", "--stock", "100", "--hold", "5s",
    ];
    let report = is_repeated("hot-cart", &flags);
    assert!(number(&report["units_sold"]) > 0, "{report:#}");
}

#[test]
fn an_outage_of_the_gateway_delays_orders_and_fails_none() {
    let flags = [
        "--users",
        "60",
        "--payment-url",
        "simulated:?outage=0s..1s",
        "--stock",
        "1000",
    ];
    let report = is_repeated("payment-outage", &flags);
    assert_eq!(number(&report["orders"]["placed"]), 60, "{report:#}");
}

#[test]
fn bots_are_in_the_account_as_what_they_are() {
    let report = is_repeated("bots", &["--users", "60", "--hold", "5s"]);
    let attempts = number(&report["orders"]["attempts"]);
    assert!(
        attempts > 120,
        "a fifth of them sent ten carts and more: {attempts}"
    );
}

#[test]
fn buyers_who_abandon_or_leave_are_waited_for() {
    let flags = ["--users", "30", "--duration", "2s", "--hold", "2s"];
    let report = is_repeated("returning-buyers", &flags);
    assert_eq!(report["users"], 30);
    assert!(
        number(&report["orders"]["failed"]["expired"]) > 0,
        "{report:#}"
    );
    assert!(number(&report["arrivals"]["offered"]) > 30, "{report:#}");
}

#[test]
fn an_everyday_cart_has_many_lines() {
    let report = is_repeated("everyday", &["--users", "60", "--hold", "2s"]);
    assert_eq!(report["arrivals"]["model"], "open");
    let bands = report["series"]["stages"].as_array().unwrap();
    assert_eq!(bands.len(), 4, "{bands:?}");
    // Twelve lines of four units and more.
    assert!(number(&report["units_sold"]) > 60 * 20, "{report:#}");
}

#[test]
fn units_that_come_in_under_way_are_sold() {
    let flags = [
        "--rate",
        "20",
        "--arrivals",
        "constant",
        "--duration",
        "4s",
        "--items",
        "1",
        "--stock",
        "5",
        "--lines",
        "1",
        "--quantity",
        "1",
        "--payment-url",
        "simulated:",
        "--restock",
        "500ms:top1:+7",
        "--return-later",
        "0%:1s",
    ];
    let place = Place::new();
    let report = is_repeated_at(&place, "restock", &flags);
    assert_eq!(number(&report["units_sold"]), 12, "{report:#}");
    let item = place.json(&["inventory", "show", "SKU-00001"]);
    assert_eq!(
        (&item["sold"], &item["adjusted"]),
        (&12.into(), &7.into()),
        "{item}"
    );
    let course = &report["series"]["stock"][0];
    assert_eq!(course["sku"], "SKU-00001");
    let available = course["available"].as_array().unwrap();
    assert_eq!(
        available.len(),
        report["series"]["offered"].as_array().unwrap().len()
    );
}

#[test]
fn scenarios_are_listed_by_name_with_what_they_are() {
    let place = Place::new();
    let listed = place.json_lines(&["simulate", "--list"]);
    let names: Vec<&str> = listed
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    for name in ["bots", "everyday", "flash-sale", "hot-cart", "last-unit"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(
        listed
            .iter()
            .all(|one| one["about"].as_str().unwrap().len() > 20)
    );
}

#[test]
fn a_scenario_of_ones_own_is_a_file_and_its_faults_are_told_by_line() {
    let place = Place::new();
    place.write(
        "mine.toml",
        "about = \"Mine.\"\nusers = 30\nitems = 3\nseed = 5\n",
    );
    let report = run(&place, "mine.toml", &[]);
    assert_eq!((&report["users"], &report["seed"]), (&30.into(), &5.into()));
    place.write("bad.toml", "about = \"Mine.\"\nuser = 30\n");
    let line = place.fails(2, &["simulate", "--scenario", "bad.toml"]);
    assert!(line.contains("bad.toml:2: unknown key `user`"), "{line}");
    let line = place.fails(2, &["simulate", "--scenario", "flash-sail"]);
    assert!(line.contains("oms simulate --list"), "{line}");
}
