//! What a storm measures: a service that stands still shows in the latency of all who came meanwhile, and a generator
//! that cannot keep up says so.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use oms::simulate::decode_histogram;
use serde_json::Value;

use super::{Store, is_sound, number, report, storm_by};
use crate::place::Place;
use crate::process::{Process, Serve, until};

/// How many values of a distribution are above a number of microseconds.
fn above(distribution: &Value, us: u64) -> u64 {
    let histogram = decode_histogram(distribution.as_str().unwrap()).unwrap();
    histogram.len() - histogram.count_between(0, us)
}

#[test]
fn a_pause_of_the_service_shows_in_the_latency_of_all_who_came_meanwhile() {
    let place = Place::seeded(50, 10_000);
    let serve = Serve::start(&place, &[]);
    let flags = [
        "--rate",
        "100",
        "--arrivals",
        "constant",
        "--duration",
        "6s",
    ];
    let storm = storm_by(&place, &serve, &flags);
    Store::of(&place).has_decided(50);
    serve.process.stop();
    let paused = Instant::now();
    until("two seconds of standing still", || {
        (paused.elapsed() >= Duration::from_secs(2)).then_some(())
    });
    serve.process.signal(Signal::SIGCONT);
    let report = report(&storm.ended());
    is_sound(&report);
    assert_eq!(number(&report["arrivals"]["offered"]), 600, "{report:#}");
    // A hundred came in the first second of the pause, and waited for a second and more.
    let adding = &report["histograms"]["add_to_cart"];
    let waited = above(&adding["intended"], 900_000);
    assert!(waited >= 90, "{waited} waited");
    assert!(above(&adding["intended"], 0) >= above(&adding["service"], 0));
    // In the course of the run, they are where the pause was.
    let intervals = report["series"]["latency"]["add_to_cart"]
        .as_array()
        .unwrap();
    let slow = intervals
        .iter()
        .filter(|interval| above(interval, 900_000) > 0);
    assert!(slow.count() >= 1, "{intervals:?}");
}

#[test]
fn a_generator_that_cannot_keep_up_says_that_the_run_says_nothing() {
    let place = Place::seeded(5, 1_000);
    let args = [
        "simulate",
        "--rate",
        "2000",
        "--duration",
        "500ms",
        "--in-flight",
        "1",
        "--items",
        "5",
        "--json",
    ];
    let done = Process::start(&place, &args).ended();
    assert_eq!(done.code, Some(6), "{done:?}");
    let report = report(&done);
    is_sound(&report);
    assert_eq!(report["valid"], false, "{report:#}");
    let (offered, dropped) = (
        number(&report["arrivals"]["offered"]),
        number(&report["arrivals"]["dropped"]),
    );
    assert!(dropped * 100 > offered, "{dropped} of {offered}");
    let series = |key: &str| {
        let values = report["series"][key].as_array().unwrap();
        values.iter().map(number).sum::<i64>()
    };
    assert_eq!(series("offered"), offered);
    assert_eq!(series("arrived") + series("dropped"), offered);
    assert_eq!(series("placed"), number(&report["orders"]["placed"]));
}

#[test]
fn what_comes_in_the_warm_up_is_in_no_figure_and_in_the_audit() {
    let place = Place::new();
    let args = [
        "simulate",
        "--rate",
        "100",
        "--arrivals",
        "constant",
        "--duration",
        "2s",
        "--warmup",
        "1s",
        "--items",
        "5",
        "--stock",
        "1000",
        "--payment-url",
        "simulated:",
        "--json",
    ];
    let report = report(&Process::start(&place, &args).ended());
    is_sound(&report);
    assert_eq!(report["arrivals"]["warmed_up"], 100, "{report:#}");
    assert_eq!(report["orders"]["placed"], 100, "{report:#}");
    assert_eq!(report["latency_ms"]["end_to_end"]["count"], 100);
    let stored = Store::of(&place).orders();
    assert_eq!(stored, 200);
    assert_eq!(report["series"]["stages"][0]["name"], "warm-up");
}

#[test]
fn flags_that_do_not_fit_each_other_are_usage_errors_before_anything_is_opened() {
    let place = Place::new();
    for (args, text) in [
        (&["--think", "1s"][..], "--duration"),
        (&["--arrivals", "constant"], "--rate"),
        (
            &["--rate", "5", "--duration", "2s", "--warmup", "2s"],
            "leaves nothing",
        ),
        (
            &["--stage", "9s:5", "--duration", "2s"],
            "ramp and stages take 9s",
        ),
        (&["--abandon", "110%"], "is not a share"),
        (&["--rate", "5/m"], "is not a rate"),
    ] {
        let args: Vec<&str> = ["simulate"].iter().chain(args).copied().collect();
        let line = place.fails(2, &args);
        assert!(line.contains(text), "{line}");
    }
    assert!(!place.data_dir().exists());
}
