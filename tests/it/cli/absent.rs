//! Servers that are absent when a command starts.

use std::time::Duration;

use super::every::{WITH_STORES, a_few_at_a_time};
use crate::place::{Done, Place, nowhere};
use crate::process::Process;

/// Within this time every command says what is absent.
const SAID_WITHIN: Duration = Duration::from_secs(10);

/// What every command does without one server; the others are embedded.
#[track_caller]
fn every_command_says(flag: &str, url: &str, name: &str, address: &str) {
    let place = Place::new();
    // Made before, so that not all of them make the files at once.
    place.ok(&["inventory", "list"]);
    a_few_at_a_time(&WITH_STORES, |command| {
        let args: Vec<&str> = command.iter().copied().chain([flag, url]).collect();
        let done = Process::start(&place, &args).ended_within(SAID_WITHIN);
        let said = said(&done);
        assert_eq!(done.code, Some(1), "{args:?}: {done:?}");
        for text in [name, address, "start the server, or correct its URL"] {
            assert!(said.contains(text), "{args:?} without {text}: {done:?}");
        }
        assert!(!said.contains("hunter2"), "{args:?}: {done:?}");
    });
}

/// Everything on one line; tables break theirs.
fn said(done: &Done) -> String {
    let errors = done.stderr.lines();
    let count = errors.filter(|line| line.starts_with("error: ")).count();
    assert_eq!(count, 1, "{done:?}");
    let all = format!("{} {}", done.stdout, done.stderr);
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn without_mysql_every_command_says_so_and_where_and_what_to_do() {
    let address = nowhere().to_string();
    let url = format!("mysql://oms:hunter2@{address}/oms");
    every_command_says("--inventory-url", &url, "mysql", &address);
}

#[test]
fn without_kafka_every_command_says_so_and_where_and_what_to_do() {
    let address = nowhere().to_string();
    let url = format!(
        "kafka://{address}/carts?security.protocol=SASL_PLAINTEXT&sasl.mechanism=PLAIN&sasl.username=oms&\
         sasl.password=hunter2"
    );
    every_command_says("--queue-url", &url, "Kafka", &address);
}

#[test]
fn without_redis_every_command_says_so_and_where_and_what_to_do() {
    let address = nowhere().to_string();
    let url = format!("redis://:hunter2@{address}");
    every_command_says("--status-url", &url, "Redis", &address);
}

#[test]
fn without_the_inventory_service_every_command_says_so_and_where_and_what_to_do() {
    let address = nowhere().to_string();
    let url = format!("http://oms:hunter2@{address}");
    every_command_says("--inventory-url", &url, "inventory service", &address);
}
