//! `kill -9` in the middle of a storm.

use std::time::{Duration, Instant};

use super::{Store, audited, number, put_extra, storm, went_well};
use crate::place::Place;
use crate::process::{Process, Serve, within};

#[test]
fn a_killed_worker_that_is_started_again_decides_every_order() {
    let place = Place::seeded(200, 8);
    let store = Store::of(&place);
    let serve = Serve::start(&place, &["--no-worker"]);
    let worker = Process::worker(&place, &[]);
    let storm = storm(&place, &serve, 1_000, "3s");
    store.has_decided(150);
    worker.kill();
    let _worker = Process::worker(&place, &[]);
    let report = went_well(&storm.ended());
    assert!(number(&report["orders"]["placed"]) > 200, "{report}");
    assert_eq!((store.open(), store.backlog()), (0, 0));
    assert_eq!(store.accepted(), store.orders());
    audited(&place);
}

#[test]
fn a_killed_server_that_is_started_again_loses_no_order() {
    let place = Place::seeded(200, 8);
    let store = Store::of(&place);
    let serve = Serve::start(&place, &["--no-worker"]);
    let _worker = Process::worker(&place, &[]);
    let storm = storm(&place, &serve, 1_000, "3s");
    store.has_decided(150);
    let address = serve.address.clone();
    serve.process.kill();
    let _serve = Serve::start_at(&place, &address, &["--no-worker"]);
    let report = went_well(&storm.ended());
    assert!(number(&report["orders"]["errors"]) > 0, "{report}");
    assert!(number(&report["orders"]["placed"]) > 200, "{report}");
    assert_eq!((store.open(), store.backlog()), (0, 0));
    audited(&place);
}

/// A storm in one process, which has the worker, the buyers and what they pay with; holds are short.
fn embedded_storm(place: &Place, users: &str) -> Process {
    let args = [
        "simulate",
        "--users",
        users,
        "--ramp",
        "4s",
        "--hold",
        "2s",
        "--json",
        // Some are killed while they wait for the gateway.
        "--payment-url",
        "simulated:?success=0.9&unknown=0.05&latency=10ms..300ms",
    ];
    Process::start(place, &args)
}

#[test]
fn after_a_killed_storm_a_drained_queue_and_the_end_of_the_holds_end_every_order() {
    let place = Place::seeded(200, 8);
    // Whoever decides what is left in the queue gives it as short a hold.
    place.write("oms.toml", "hold = \"2s\"\n");
    let store = Store::of(&place);
    let storm = embedded_storm(&place, "1500");
    store.has_decided(300);
    storm.kill();
    let open = store.open() + store.backlog();
    assert!(open > 0, "nothing was under way: this tests nothing");
    within(Duration::from_secs(20), "the end of every order", || {
        place.ok(&["worker", "--drain"]);
        (store.open() == 0).then_some(())
    });
    assert_eq!(store.backlog(), 0);
    assert_eq!(store.accepted(), store.orders());
    assert_eq!(store.number("SELECT sum(blocked) FROM items"), 0);
    audited(&place);
}

#[test]
fn what_a_killed_worker_had_in_hand_is_taken_over_within_five_seconds() {
    let place = Place::seeded(200, 8);
    put_extra(&place);
    let store = Store::of(&place);
    let storm = embedded_storm(&place, "1500");
    store.has_decided(200);
    // It stands by: the storm's own worker has the queue.
    let worker = Process::worker(&place, &[]);
    store.has_decided(300);
    storm.kill();
    let killed = Instant::now();
    let created = place.json(&["order", "create", "--line", "EXTRA"]);
    let id = created["order_id"].as_str().unwrap();
    let left = Duration::from_secs(5).saturating_sub(killed.elapsed());
    within(left, "the next cart's decision", || {
        (store.knows(id) && store.backlog() == 0).then_some(())
    });
    within(Duration::from_secs(20), "the end of every hold", || {
        let since = "SELECT count(*) FROM orders WHERE hold_until - json_extract(body, '$[2]') <= 2000 \
             AND order_id NOT IN (SELECT order_id FROM settlements)";
        (store.number(since) == 0).then_some(())
    });
    assert!(worker.stderr().lines().count() <= 5, "{}", worker.stderr());
    audited(&place);
}
