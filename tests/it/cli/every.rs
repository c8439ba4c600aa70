//! Every command, for what has to hold for all of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use clap::CommandFactory as _;

/// An order that nobody has made.
const NOBODY: &str = "0190a000-0000-7000-8000-000000000001";

/// Every command that opens stores.
pub const WITH_STORES: [&[&str]; 26] = [
    &["serve", "--listen", "127.0.0.1:0"],
    &["worker"],
    &["worker", "--drain"],
    &["seed", "--items", "3"],
    &["simulate", "--users", "3"],
    &["order", "status", NOBODY],
    &["order", "list"],
    &["order", "why", NOBODY],
    &["order", "watch", NOBODY],
    &["order", "create", "--line", "A=1"],
    &["order", "place", NOBODY],
    &["order", "cancel", NOBODY],
    &["inventory", "list"],
    &["inventory", "show", "A"],
    &["inventory", "adjust", "A", "--by", "1", "--reason", "x"],
    &["dead-letters", "list"],
    &["dead-letters", "show", "1"],
    &["dead-letters", "replay", "1"],
    &["dead-letters", "drop", "1", "--yes"],
    &["recover", "--since", "1h"],
    &["refunds", "list"],
    &["refunds", "retry", "--all"],
    &["audit"],
    &["statuses", "rebuild"],
    &["migrate"],
    &["doctor"],
];

/// Every command that opens databases of its own beside the stores, and no queue.
pub const BESIDE_STORES: [&[&str]; 1] = [&[
    "bench",
    "--orders",
    "20",
    "--zipf",
    "0",
    "--connections",
    "2",
    "--in-flight",
    "10",
]];

/// Every command that opens none.
pub const WITHOUT_STORES: [&[&str]; 6] = [
    &["config"],
    &["completions", "bash"],
    &["man", "man"],
    &["token", "new"],
    &["report", "render", "run.json"],
    &["report", "merge", "1.json", "2.json"],
];

/// The commands there are, each with the nouns before it.
fn leaves(command: &clap::Command, before: &[String]) -> Vec<Vec<String>> {
    let verbs = command
        .get_subcommands()
        .filter(|verb| verb.get_name() != "help");
    let mut all = Vec::new();
    for verb in verbs {
        let path = [before, &[verb.get_name().to_owned()]].concat();
        let below = leaves(verb, &path);
        if below.is_empty() {
            all.push(path);
        } else {
            all.extend(below);
        }
    }
    all
}

#[test]
fn the_lists_of_every_command_leave_none_out() {
    let listed: Vec<&[&str]> = (WITH_STORES.into_iter())
        .chain(BESIDE_STORES)
        .chain(WITHOUT_STORES)
        .collect();
    let all = leaves(&oms::cli::Cli::command(), &[]);
    assert!(all.len() > 20, "{all:?}");
    for path in all {
        let is_this = |args: &&&[&str]| args.iter().zip(&path).all(|(arg, name)| arg == name);
        assert!(listed.iter().any(|args| is_this(&args)), "{path:?}");
    }
}

/// Does something with each of many things, a few at a time; fails when one of them does.
pub fn a_few_at_a_time<T: Sync>(all: &[T], each: impl Fn(&T) + Sync) {
    const AT_ONCE: usize = 6;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(one);
                }
            });
        }
    });
}
