//! A day of a real shop, where the data is at hand.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{audited, number, sum, went_well};
use crate::place::Place;
use crate::process::Process;

/// The folder that has it, if it is not beside the project.
const FOLDER: &str = "OMS_TEST_RETAIL_DIR";

/// The day, or none: then that is said.
fn day() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/online-retail");
    let folder = std::env::var_os(FOLDER).map_or(beside, PathBuf::from);
    let file = folder.join("2011-11-29.csv");
    if file.exists() {
        return Some(file);
    }
    eprintln!(
        "SKIPPED: a real day: there is no {}; {FOLDER} names the folder that has it",
        file.display()
    );
    None
}

fn replay(stock: &str) {
    let Some(file) = day() else { return };
    let file = file.to_str().unwrap();
    let place = Place::new();
    place.ok(&["seed", "--items", file, "--stock", stock]);
    let storm = Process::start(
        &place,
        &["simulate", "--trace", file, "--speed", "100000x", "--json"],
    );
    let report = went_well(&storm.ended());
    let trace = &report["trace"];
    assert!(number(&trace["rows"]) > 3_000, "{}", trace["rows"]);
    assert_eq!(
        number(&trace["rows"]),
        number(&trace["order_lines"]) + number(&trace["merged"]) + sum(&trace["skipped"]),
        "no row vanishes"
    );
    let invoices: &Vec<Value> = trace["invoices"].as_array().unwrap();
    assert_eq!(u64::try_from(invoices.len()).ok(), report["users"].as_u64());
    let audit = audited(&place);
    assert_eq!(audit["units_sold"], report["units_sold"]);
    assert!(
        number(&report["orders"]["placed"]) > 0,
        "{}",
        report["orders"]
    );
}

#[test]
fn a_real_day_with_five_units_of_each_item_is_replayed_and_no_row_vanishes() {
    replay("5");
}

#[test]
fn a_real_day_with_five_hundred_units_of_each_item_is_replayed_and_no_row_vanishes() {
    replay("500");
}
