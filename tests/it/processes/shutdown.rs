//! Ctrl-C and SIGTERM while much is under way.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{Store, audited, is_sound, number, report, storm, sum, went_well};
use crate::place::Place;
use crate::process::{Process, Serve, until};

/// How long an end in good order may take.
const SOON: Duration = Duration::from_secs(15);

/// How long the end of a command may take that has nothing to bring to an end.
const AT_ONCE: Duration = Duration::from_secs(4);

#[test]
fn workers_that_are_told_to_end_in_a_storm_commit_what_they_have_in_hand() {
    let place = Place::seeded(200, 8);
    let store = Store::of(&place);
    let serve = Serve::start(&place, &["--no-worker"]);
    let first = Process::worker(&place, &["--json"]);
    let storm = storm(&place, &serve, 900, "3s");
    let mut worker = first;
    let mut carts = 0;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        // However much the one before has decided: each has some in hand.
        store.has_decided(store.orders() + 80);
        let done = worker.stopped_by(signal, SOON);
        assert_eq!(done.code, Some(0), "{signal}: {done:?}");
        let totals: Value = serde_json::from_str(&done.stdout).unwrap();
        assert!(number(&totals["carts"]) > 0, "{totals}");
        carts += number(&totals["carts"]);
        worker = Process::worker(&place, &["--json"]);
    }
    went_well(&storm.ended());
    until("the last offset", || (store.backlog() == 0).then_some(()));
    let done = worker.stopped_by(Signal::SIGTERM, SOON);
    let totals: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        carts + number(&totals["carts"]),
        store.accepted(),
        "whoever ends in good order leaves nothing to be delivered again"
    );
    audited(&place);
}

#[test]
fn servers_that_are_told_to_end_in_a_storm_answer_who_waits_and_exit_with_0() {
    let place = Place::seeded(200, 8);
    let store = Store::of(&place);
    let mut serve = Serve::start(&place, &[]);
    let address = serve.address.clone();
    let storm = storm(&place, &serve, 900, "3s");
    for (signal, decided) in [(Signal::SIGTERM, 80), (Signal::SIGINT, 160)] {
        store.has_decided(decided);
        let done = serve.process.stopped_by(signal, SOON);
        assert_eq!(done.code, Some(0), "{signal}: {done:?}");
        assert!(!done.stderr.contains("panicked"), "{done:?}");
        serve = Serve::start_at(&place, &address, &[]);
    }
    went_well(&storm.ended());
    assert_eq!(store.accepted(), store.orders());
    audited(&place);
}

/// What a storm reports that was told to end.
#[track_caller]
fn interrupted(storm: Process, signal: Signal) -> Value {
    let code = if signal == Signal::SIGINT { 130 } else { 143 };
    let done = storm.stopped_by(signal, SOON);
    assert_eq!(done.code, Some(code), "{done:?}");
    let report = report(&done);
    assert_eq!(report["interrupted"], true, "{report}");
    is_sound(&report);
    report
}

#[test]
fn a_storm_that_is_told_to_end_reports_first() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let place = Place::seeded(200, 8);
        let storm = Process::start(&place, &["simulate", "--ramp", "60s", "--json"]);
        Store::of(&place).has_decided(5);
        let report = interrupted(storm, signal);
        assert!(number(&report["orders"]["accepted"]) >= 5, "{report}");
        audited(&place);
    }
}

#[test]
fn a_storm_over_http_that_is_told_to_end_reports_first() {
    let place = Place::seeded(200, 8);
    let serve = Serve::start(&place, &[]);
    let storm = storm(&place, &serve, 1_000, "60s");
    Store::of(&place).has_decided(5);
    interrupted(storm, Signal::SIGINT);
    audited(&place);
}

/// Nobody has done anything wrong: the buyers were sent away too early to be told.
#[test]
fn orders_that_were_under_way_when_a_storm_was_told_to_end_are_not_called_lost_or_stuck() {
    let slow_gateway = "simulated:?latency=30s";
    for args in [
        &["--no-worker"][..],
        &["--payment-url", slow_gateway],
        &["--payment-url", "simulated:?timeout=1"],
    ] {
        let place = Place::seeded(10, 80);
        let args: Vec<&str> = ["simulate", "--users", "40", "--items", "10", "--json"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        let storm = Process::start(&place, &args);
        let store = Store::of(&place);
        until("forty carts", || (store.accepted() == 40).then_some(()));
        let report = interrupted(storm, Signal::SIGINT);
        let orders = &report["orders"];
        assert_eq!(number(&orders["accepted"]), 40, "{report}");
        let open = 40 - number(&orders["placed"]) - sum(&orders["failed"]);
        assert!(open > 0, "{report}");
        let notes = report["notes"].to_string();
        assert!(
            notes.contains(&format!("{open} accepted orders were not final")),
            "{notes}"
        );
        audited(&place);
    }
}

/// Fifty of fifty orders await the gateway: that is no plain "ok; every order final".
#[test]
fn a_storm_that_is_told_to_end_while_the_gateway_is_away_names_the_orders_that_await_it() {
    let place = Place::seeded(10, 80);
    let args = ["simulate", "--users", "50", "--items", "10"];
    let away = ["--payment-url", "simulated:?outage=0s..1h"];
    let storm = Process::start(&place, &[&args[..], &away].concat());
    let store = Store::of(&place);
    until("fifty reservations", || (store.open() == 50).then_some(()));
    let done = storm.stopped_by(Signal::SIGINT, Duration::from_secs(30));
    assert_eq!(done.code, Some(130), "{done:?}");
    let verdict = done.stdout.lines().next().unwrap();
    let said = "verdict: ok so far (interrupted): nothing oversold, undersold or lost; 50 orders await the gateway";
    assert_eq!(verdict, said);
    audited(&place);
}

/// A gateway that knows no charge, and while it hangs never answers who wants to cancel one.
struct HangingGateway {
    url: String,
    hangs: Arc<AtomicBool>,
    cancels: Arc<AtomicUsize>,
}

impl HangingGateway {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cancels = Arc::<AtomicUsize>::default();
        let hangs = Arc::new(AtomicBool::new(true));
        let (counted, hanging) = (Arc::clone(&cancels), Arc::clone(&hangs));
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (counted, hanging) = (Arc::clone(&counted), Arc::clone(&hanging));
                std::thread::spawn(move || answer(stream, &counted, &hanging));
            }
        });
        Self {
            url,
            hangs,
            cancels,
        }
    }
}

fn answer(mut stream: TcpStream, cancels: &AtomicUsize, hangs: &AtomicBool) {
    let mut head = Vec::new();
    let mut bytes = [0; 4_096];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        head.extend_from_slice(&bytes[..count]);
        let text = String::from_utf8_lossy(&head);
        let cancels_one = text.contains("/cancel HTTP/1.1\r\n");
        if cancels_one {
            cancels.fetch_add(1, Ordering::SeqCst);
        }
        if cancels_one && hangs.load(Ordering::SeqCst) {
            // Until the other end has had enough.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
            return;
        }
        if text.contains("\r\n\r\n") {
            let status = if cancels_one {
                "200 OK"
            } else {
                "404 Not Found"
            };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
            return;
        }
    }
}

/// More overdue orders than a sweep asks about at a time, each question taking as long as a payment may: one round over
/// all of them would take a minute and more.
#[test]
fn workers_and_servers_whose_gateway_hangs_end_in_time_and_lose_nothing() {
    let gateway = HangingGateway::start();
    let paying = ["--payment-url", &gateway.url];
    let place = Place::seeded(10, 800);
    let carts = [
        "simulate",
        "--users",
        "400",
        "--no-worker",
        "--abandon",
        "1",
        "--json",
    ];
    let storm = Process::start(&place, &[&carts[..], &paying].concat());
    let store = Store::of(&place);
    until("the carts", || (store.accepted() >= 300).then_some(()));
    storm.kill();
    // Decided with a hold that is over at once.
    let accepted = store.accepted();
    let drain = [&["worker", "--drain"][..], &paying].concat();
    let drained = place.run_with(&drain, &[("OMS_HOLD", "1s")]);
    assert_eq!(drained.code, Some(0), "{drained:?}");
    for args in [&["worker"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let before = gateway.cancels.load(Ordering::SeqCst);
        let process = Process::start(&place, &[args, &paying].concat());
        until("the sweep", || {
            (gateway.cancels.load(Ordering::SeqCst) >= before + 32).then_some(())
        });
        let done = process.stopped_by(Signal::SIGTERM, SOON * 2);
        assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
        assert!(!done.stderr.contains("panicked"), "{done:?}");
    }
    assert_eq!(store.orders(), accepted);
    assert_eq!((store.backlog(), store.open() > 0), (0, true));
    // Nothing was lost: as soon as it answers, everything is released.
    gateway.hangs.store(false, Ordering::SeqCst);
    let worker = Process::start(&place, &[&["worker"][..], &paying].concat());
    until("the last release", || (store.open() == 0).then_some(()));
    assert_eq!(worker.stopped_by(Signal::SIGTERM, SOON).code, Some(0));
    let audit = [&["audit", "--full"][..], &paying].concat();
    assert_eq!(place.json(&audit)["ok"], true);
}

#[test]
fn every_command_that_waits_or_works_for_long_ends_at_once() {
    let place = Place::seeded(1, 5);
    let nobody = "http://127.0.0.1:9";
    for (args, sign) in [
        (
            &["order", "create", "--line", "SKU-00001", "--place"][..],
            "waiting up to",
        ),
        (&["-v", "seed", "--items", "10000000"], ""),
        (&["simulate", "--target", nobody, "--json"], ""),
        (&["simulate", "--items", "10000000", "--json"], ""),
    ] {
        for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
            let process = Process::start(&place, args);
            if sign.is_empty() {
                process.listens_for_signals();
            } else {
                process.complains(sign);
            }
            let done = process.stopped_by(signal, AT_ONCE);
            assert_eq!(done.code, Some(code), "{args:?}: {done:?}");
            assert!(!done.stderr.contains("panicked"), "{done:?}");
        }
    }
    audited(&place);
}
