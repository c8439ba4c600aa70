//! Help, usage errors, streams.

use std::process::Stdio;

use super::Place;

#[test]
fn the_help_names_every_command_and_exit_code() {
    let help = Place::new().ok(&["--help"]);
    insta::assert_snapshot!(help, @r#"
    Takes orders in a rush and never sells what is not there.

    Usage: oms [OPTIONS] <COMMAND>

    Commands:
      seed          Fill the catalogue
      worker        Decide queued carts until Ctrl-C
      serve         Serve the HTTP API
      simulate      Let a storm of buyers loose, then audit
      bench         Compare reservation strategies on the configured stores
      report        Make the outputs of a storm again, and one result of its shards
      order         Look at orders, make them, place them, cancel them
      inventory     Look at stock and correct it
      dead-letters  Look at messages nobody could process, and deal with them
      recover       Mend what a failover of the database has lost
      refunds       Inspect and execute refunds that are due
      audit         Check every invariant; exit code 3 when one is broken
      statuses      Look after the status store
      token         Make tokens for `oms serve`
      migrate       Bring the schemas of all stores up to date
      doctor        Check that everything is in working order
      config        Show the effective configuration and where each value comes from
      completions   Print a completion script for a shell
      man           Write manual pages
      help          Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Global options:
          --data-dir <DIR>             Where the embedded stores are [default: ./oms-data]
          --config <FILE>              The configuration file [default: oms.toml, if there is one]
          --inventory-url <URL>        Where stock and orders are [default: sqlite:DIR/oms.db]
          --queue-url <URL>            Where accepted carts queue [default: sqlite:DIR/oms.db]
          --status-url <URL>           Where statuses are [default: sqlite:DIR/oms.db]
          --payment-url <URL>          The payment gateway [default: simulated:]
          --json                       Print data as JSON; lists as one object per line
          --color <auto|always|never>  When to use colours [default: auto]
      -q, --quiet                      Only data and errors
      -v, --verbose...                 Log more; repeat for more

    Examples:
      oms simulate --users 10000          a storm of buyers, then the audit
      oms seed --items 1000               a synthetic catalogue
      oms serve                           the HTTP API with a worker in it
      oms order create --line SKU-00001=2 --place
      oms order why <id>                  what happened to an order, and why

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 an invariant is broken, 4 a threshold missed,
    5 slower than the baseline, 6 the run is invalid, 130 or 143 interrupted.
    "#);
}

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::new();
    for command in [
        &["seed"][..],
        &["worker"],
        &["bench"],
        &["report", "render"],
        &["report", "merge"],
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
        &["token", "new"],
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
        &["--payment-url", "simulated:?success=2", "order", "list"],
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
