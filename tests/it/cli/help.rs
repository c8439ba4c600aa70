//! Help, usage errors, streams.

use std::process::Stdio;

use super::Place;

#[test]
fn the_help_names_every_command_and_exit_code() {
    let help = Place::new().ok(&["--help"]);
    insta::assert_snapshot!(help, @"");
}

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::new();
    for command in [
        &["seed"][..],
        &["worker"],
        &["order", "status"],
        &["order", "list"],
        &["order", "why"],
        &["order", "watch"],
        &["order", "create"],
        &["order", "place"],
        &["order", "cancel"],
        &["inventory", "list"],
        &["inventory", "show"],
        &["inventory", "adjust"],
        &["dead-letters", "list"],
        &["dead-letters", "show"],
        &["dead-letters", "replay"],
        &["dead-letters", "drop"],
        &["statuses", "rebuild"],
        &["migrate"],
        &["doctor"],
        &["config"],
        &["completions"],
        &["man"],
    ] {
        let args: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let help = place.ok(&args);
        let example = format!("\n  oms {}", command.join(" "));
        assert!(help.contains("Example"), "{args:?}: {help}");
        assert!(help.contains(&example), "{args:?}: {help}");
    }
    assert!(!place.data_dir().exists(), "help opens nothing");
}

#[test]
fn wrong_usage_is_one_line_and_code_2() {
    let place = Place::new();
    for args in [
        &["seeed"][..],
        &["seed"],
        &["seed", "--items", "10k"],
        &["seed", "--items", "5", "--stock", "-1"],
        &["order", "status"],
        &["order", "status", "not-a-uuid"],
        &["order", "create"],
        &["order", "create", "--line", "A=0"],
        &["order", "create", "--line", "A=-1"],
        &["order", "create", "--line", "A=99999999999999999999"],
        &["order", "create", "--line", "A=1", "--customer", ""],
        &[
            "order", "create", "--line", "A=600000", "--line", "A=600000",
        ],
        &[
            "order",
            "place",
            "01890a5d-ac96-774b-bcce-b302099a8057",
            "--wait",
            "15mins",
        ],
        &["inventory", "adjust", "A", "--by", "0", "--reason", "x"],
        &["inventory", "adjust", "A", "--by", "1", "--reason", " "],
        &["inventory", "adjust", "A", "--by", "1"],
        &["dead-letters", "replay"],
        &["dead-letters", "drop", "1"],
        &["worker", "--batch-max", "0"],
        &["-q", "-v", "config"],
        &["--inventory-url", "oms.db", "config"],
        &["--payment-url", "simulated:?ledger=", "config"],
        &["completions", "tcsh-but-not-quite"],
    ] {
        let line = place.fails(2, args);
        assert_eq!(line.lines().count(), 1, "{line}");
    }
    let line = place.fails(2, &["order", "place", "x", "--wait", "15mins"]);
    assert!(line.contains("not an order id"), "{line}");
    assert!(!place.data_dir().exists(), "wrong usage opens nothing");
}

#[test]
fn global_flags_may_stand_before_or_after_the_command() {
    let place = Place::new();
    let before = place.ok(&["--json", "--data-dir", "d", "config"]);
    assert_eq!(before, place.ok(&["config", "--data-dir", "d", "--json"]));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let place = Place::new();
    for args in [
        &["config"][..],
        &["completions", "zsh"],
        &["config", "--json"],
    ] {
        let mut child = place
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
    }
}

#[test]
fn colours_come_only_where_they_are_wanted() {
    let place = Place::seeded(1, 5);
    let created = place.json(&["order", "create", "--line", "SKU-00001"]);
    let id = created["order_id"].as_str().unwrap();
    let escapes = |args: &[&str]| {
        let args: Vec<&str> = ["order", "status", id]
            .iter()
            .chain(args)
            .copied()
            .collect();
        place.ok(&args).contains('\u{1b}')
    };
    assert!(!escapes(&[]));
    assert!(escapes(&["--color", "always"]));
    assert!(!escapes(&["--color", "never"]));
}
