//! Several workers and servers on one data directory.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{Store, audited, number, storm, went_well};
use crate::place::Place;
use crate::process::{Process, Serve, until};

#[test]
fn two_workers_and_two_servers_decide_each_order_once() {
    let place = Place::seeded(100, 8);
    let store = Store::of(&place);
    let workers = [(); 2].map(|()| Process::worker(&place, &["--json"]));
    let servers = [(); 2].map(|()| Serve::start(&place, &["--no-worker"]));
    let storms = [&servers[0], &servers[1]].map(|serve| storm(&place, serve, 500, "2s"));
    let mut accepted = 0;
    for storm in storms {
        let report = went_well(&storm.ended());
        accepted += number(&report["orders"]["accepted"]);
    }
    assert_eq!(store.accepted(), accepted);
    assert_eq!(store.orders(), accepted);
    until("the last offset", || (store.backlog() == 0).then_some(()));
    let mut decided = 0;
    for worker in workers {
        let done = worker.stopped_by(Signal::SIGTERM, Duration::from_secs(10));
        assert_eq!(done.code, Some(0), "{done:?}");
        let totals: Value = serde_json::from_str(&done.stdout).unwrap();
        decided += number(&totals["carts"]);
        assert_eq!(totals["dead_letters"], 0);
    }
    assert_eq!(decided, accepted, "each cart was delivered once");
    audited(&place);
}

#[test]
fn an_audit_of_a_shop_that_is_open_finds_nothing_wrong() {
    let place = Place::seeded(100, 8);
    // Payments are slow, so that there is always an order between two stores.
    let gateway = "simulated:?success=0.8&unknown=0.1&latency=1ms..50ms";
    let serve = Serve::start(&place, &["--payment-url", gateway]);
    let mut storm = storm(&place, &serve, 600, "3s");
    let mut audits = 0;
    while storm.runs() {
        audited(&place);
        audits += 1;
    }
    assert!(audits > 1);
    went_well(&storm.ended());
    audited(&place);
}

#[test]
fn servers_with_a_worker_each_share_the_queue_and_an_order_can_be_placed_at_any() {
    let place = Place::seeded(1, 40);
    let servers = [(); 2].map(|()| Serve::start(&place, &[]));
    let cart = r#"{"customer":"c1","lines":[{"sku":"SKU-00001","quantity":1}]}"#;
    for turn in 0..10 {
        let (here, there) = (&servers[turn % 2], &servers[(turn + 1) % 2]);
        let (status, accepted) = here.send("POST /v1/carts", cart);
        assert_eq!(status, 202, "{accepted}");
        let id = accepted["order_id"].as_str().unwrap();
        let place_it = format!("POST /v1/orders/{id}/place");
        // At both at once: one charge.
        let answers = std::thread::scope(|scope| {
            [here, there]
                .map(|server| scope.spawn(|| server.send(&place_it, "{}")))
                .map(|sent| sent.join().unwrap())
        });
        for (status, placed) in answers {
            assert_eq!((status, placed["status"].as_str()), (200, Some("PLACED")));
        }
    }
    let item = place.json(&["inventory", "show", "SKU-00001"]);
    assert_eq!(
        (number(&item["available"]), number(&item["sold"])),
        (30, 10)
    );
    audited(&place);
}
