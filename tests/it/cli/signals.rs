//! Ctrl-C and SIGTERM in every kind of command.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Place;

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

/// Reads lines until one contains a text; fails at the end of the stream.
fn wait_for(stream: &mut impl BufRead, text: &str) {
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert_ne!(
            stream.read_line(&mut line).unwrap(),
            0,
            "no line with `{text}`"
        );
    }
}

#[test]
fn a_worker_ends_gracefully_with_its_totals() {
    let place = Place::seeded(1, 5);
    place.ok(&["order", "create", "--line", "SKU-00001"]);
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut worker = place
            .command(&["worker", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(worker.stderr.take().unwrap());
        wait_for(&mut stderr, "Ctrl-C ends it");
        send(&worker, signal);
        let output = worker.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{signal}");
        let totals: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(totals["batches"].is_u64(), "{totals}");
    }
}

#[test]
fn a_command_that_waits_ends_with_the_signals_code() {
    let place = Place::seeded(1, 5);
    let created = place.json(&["order", "create", "--line", "SKU-00001"]);
    let id = created["order_id"].as_str().unwrap();
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let mut watch = place
            .command(&["order", "watch", id])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(watch.stdout.take().unwrap());
        wait_for(&mut stdout, "INIT");
        send(&watch, signal);
        assert_eq!(watch.wait().unwrap().code(), Some(code));

        let mut waiting = place
            .command(&["order", "place", id])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(waiting.stderr.take().unwrap());
        wait_for(&mut stderr, "waiting up to 3m");
        send(&waiting, signal);
        assert_eq!(waiting.wait().unwrap().code(), Some(code));
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert!(!rest.contains("panic"), "{rest}");
    }
    assert_eq!(place.json(&["order", "status", id])["status"], "INIT");
}
