//! `oms bench`: every strategy sells what is there, and nothing is left behind.

use std::path::PathBuf;

use mysql_async::prelude::Queryable as _;
use nix::sys::signal::Signal;
use serde_json::Value;
use uuid::Uuid;

use super::Place;
use crate::contracts::{Database, coverage, until};
use crate::place::{Done, nowhere};
use crate::process::{self, Process};

/// Few orders for scarce units, by few callers.
const SCARCE: [&str; 15] = [
    "bench",
    "--json",
    "--orders",
    "300",
    "--skus",
    "4",
    "--stock",
    "10",
    "--zipf",
    "0,1.5",
    "--connections",
    "8",
    "--in-flight",
    "60",
    "--seed",
];

const KEYS: [&str; 8] = [
    "strategy",
    "zipf",
    "orders",
    "orders_per_s",
    "p50_ms",
    "p99_ms",
    "oversold",
    "undersold",
];

fn scarce<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SCARCE.iter().chain(&["7"]).chain(more).copied().collect()
}

/// What was measured, in order; each row as it has to be of scarce units.
#[track_caller]
fn measured(done: &Done) -> Vec<String> {
    assert_eq!(done.code, Some(0), "{done:?}");
    let rows: Value = serde_json::from_str(&done.stdout).unwrap();
    let check = |row: &Value| {
        let object = row.as_object().unwrap();
        let keys: Vec<&str> = object.keys().map(String::as_str).collect();
        let mut expected = KEYS;
        expected.sort_unstable();
        assert_eq!(keys, expected, "{row}");
        assert_eq!(row["orders"], 300, "{row}");
        assert_eq!(row["oversold"], 0, "{row}");
        assert!(row["orders_per_s"].as_f64().unwrap() > 0.0, "{row}");
        let strategy = row["strategy"].as_str().unwrap();
        if strategy != "skip-locked" {
            assert_eq!(row["undersold"], 0, "{row}");
        }
        format!("{strategy} {}", row["zipf"])
    };
    rows.as_array().unwrap().iter().map(check).collect()
}

fn at_both_exponents(strategies: &[&str]) -> Vec<String> {
    let both = |strategy| [format!("{strategy} 0.0"), format!("{strategy} 1.5")];
    strategies.iter().flat_map(both).collect()
}

/// The name after `the database ` or `the folder ` in what a run says that it measures in.
fn place_of(stderr: &str, what: &str) -> Option<String> {
    let (_, rest) = stderr.split_once(&format!("measuring in the {what} "))?;
    let end = rest.find([' ', ','])?;
    Some(rest[..end].to_owned())
}

async fn databases(database: &Database, name: &str) -> u64 {
    let query =
        format!("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = '{name}'");
    let found: Option<u64> = database.server().await.query_first(query).await.unwrap();
    found.unwrap()
}

/// A store on a server, and Redis; none where they are not there.
fn servers(adapter: &'static str, variable: &str) -> Option<(Database, String)> {
    let redis = "OMS_TEST_REDIS_URL";
    let found = Database::named_by(variable).and_then(|database| {
        let url = std::env::var(redis).map_err(|_| format!("{redis} is not set"))?;
        let separator = if url.contains('?') { '&' } else { '?' };
        let prefix = Uuid::new_v4().simple();
        Ok((
            database,
            format!("{url}{separator}prefix=oms-test-{prefix}:"),
        ))
    });
    found
        .inspect_err(|why| coverage::skipped("bench", adapter, 2, why))
        .ok()
}

async fn keys(url: &str) -> Vec<String> {
    let (server, prefix) = url.split_once("prefix=").unwrap();
    let client = redis::Client::open(server.trim_end_matches(['?', '&'])).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("KEYS")
        .arg(format!("{prefix}*"))
        .query_async(&mut connection)
        .await
        .unwrap()
}

async fn all_on_a_server(adapter: &'static str, variable: &str) {
    let Some((database, redis)) = servers(adapter, variable) else {
        return;
    };
    let place = Place::new();
    let store = database.text();
    place.ok(&[
        "seed",
        "--items",
        "3",
        "--stock",
        "5",
        "--inventory-url",
        &store,
    ]);
    let items = || place.ok(&["inventory", "list", "--json", "--inventory-url", &store]);
    let before = items();
    let done = place.run(&scarce(&[
        "--inventory-url",
        &store,
        "--status-url",
        &redis,
    ]));
    let all = [
        "per-order",
        "conditional-update",
        "skip-locked",
        "redis-lua",
        "batched",
        "reserve",
    ];
    assert_eq!(measured(&done), at_both_exponents(&all));
    assert_eq!(items(), before, "the store is as it was");
    assert_eq!(
        place.ok(&["order", "list", "--json", "--inventory-url", &store]),
        ""
    );
    let name = place_of(&done.stderr, "database").unwrap();
    assert!(name.starts_with("oms_bench_"), "{name}");
    assert_eq!(databases(&database, &name).await, 0, "{name} is left");
    assert_eq!(keys(&redis).await, Vec::<String>::new());
    coverage::ran("bench", adapter, 2);
}

async fn interrupted_on_a_server(adapter: &'static str, variable: &str) {
    let Some((database, redis)) = servers(adapter, variable) else {
        return;
    };
    let place = Place::new();
    let store = database.text();
    for (strategy, signal, code) in [
        ("redis-lua", Signal::SIGINT, 130),
        ("batched", Signal::SIGTERM, 143),
    ] {
        let args = [
            "bench",
            "--strategy",
            strategy,
            "--zipf",
            "0",
            "--duration",
            "1h",
            "--connections",
            "8",
            "--in-flight",
            "60",
            "--inventory-url",
            &store,
            "--status-url",
            &redis,
        ];
        let process = Process::start(&place, &args);
        process.complains("measuring in");
        let name = place_of(&process.stderr(), "database").unwrap();
        let mut server = database.server().await;
        let query = format!("SELECT COUNT(*) FROM {name}.orders");
        until(async || {
            // The database may not be there yet.
            let orders: Option<u64> = server.query_first(&query).await.ok()?;
            orders.filter(|orders| *orders > 0)
        })
        .await;
        process.signal(signal);
        let done = process.ended();
        assert_eq!(done.code, Some(code), "{done:?}");
        assert_eq!(databases(&database, &name).await, 0, "{name} is left");
        assert_eq!(keys(&redis).await, Vec::<String>::new());
    }
    coverage::ran("bench", adapter, 2);
}

mod mysql {
    #[tokio::test]
    async fn every_strategy_sells_what_is_there_and_leaves_nothing_behind() {
        super::all_on_a_server("mysql", "OMS_TEST_MYSQL_URL").await;
    }

    #[tokio::test]
    async fn an_interrupted_run_leaves_nothing_behind() {
        super::interrupted_on_a_server("mysql", "OMS_TEST_MYSQL_URL").await;
    }
}

mod mariadb {
    #[tokio::test]
    async fn every_strategy_sells_what_is_there_and_leaves_nothing_behind() {
        super::all_on_a_server("mariadb", "OMS_TEST_MARIADB_URL").await;
    }

    #[tokio::test]
    async fn an_interrupted_run_leaves_nothing_behind() {
        super::interrupted_on_a_server("mariadb", "OMS_TEST_MARIADB_URL").await;
    }
}

#[test]
fn on_sqlite_the_possible_strategies_are_compared_and_the_store_is_left_alone() {
    let place = Place::seeded(3, 5);
    let before = place.ok(&["inventory", "list", "--json"]);
    let done = place.run(&scarce(&[]));
    let possible = ["per-order", "conditional-update", "batched", "reserve"];
    assert_eq!(measured(&done), at_both_exponents(&possible));
    for text in [
        "left out: skip-locked needs row locks",
        "left out: redis-lua needs",
    ] {
        assert!(done.stderr.contains(text), "{done:?}");
    }
    assert_eq!(place.ok(&["inventory", "list", "--json"]), before);
    assert_eq!(place.ok(&["order", "list", "--json"]), "");
    let folder = PathBuf::from(place_of(&done.stderr, "folder").unwrap());
    assert!(
        folder.starts_with(place.data_dir()) || folder.is_relative(),
        "{folder:?}"
    );
    let left: Vec<_> = std::fs::read_dir(place.data_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("oms_bench"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_data_directory_that_was_not_there_is_not_there_afterwards() {
    let place = Place::new();
    measured(&place.run(&scarce(&["--strategy", "batched,per-order"])));
    assert!(!place.data_dir().exists());
}

#[test]
fn an_interrupted_run_removes_its_folder_and_prints_what_it_has() {
    let place = Place::new();
    let args = [
        "bench",
        "--strategy",
        "per-order",
        "--zipf",
        "0",
        "--duration",
        "1h",
        "--json",
    ];
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let process = Process::start(&place, &args);
        process.complains("measuring in");
        process::until("the file of a measurement", || {
            let mut entries = std::fs::read_dir(place.data_dir()).ok()?;
            let folder = entries.next()?.unwrap().path();
            folder.join("orders.db-wal").exists().then_some(())
        });
        process.signal(signal);
        let done = process.ended();
        assert_eq!(done.code, Some(code), "{done:?}");
        assert_eq!(done.stdout, "[]\n");
        assert!(!place.data_dir().exists());
    }
}

#[test]
fn without_scarcity_every_order_is_reserved_and_the_curve_is_written() {
    let place = Place::new();
    for file in ["curve.html", "curve.md"] {
        let table = place.ok(&[
            "bench",
            "--strategy",
            "conditional-update,batched",
            "--zipf",
            "0,1",
            "--orders",
            "200",
            "--skus",
            "1",
            "--report",
            file,
        ]);
        let rows: Vec<&str> = table.lines().collect();
        assert_eq!(rows.len(), 5, "{table}");
        assert!(rows[0].starts_with("strategy"), "{table}");
        for row in &rows[1..] {
            let cells: Vec<&str> = row.split_whitespace().collect();
            assert_eq!(&cells[6..], ["0", "0"], "{table}");
        }
        let text = std::fs::read_to_string(place.path(file)).unwrap();
        for part in ["conditional-update", "batched", "--report"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    let html = std::fs::read_to_string(place.path("curve.html")).unwrap();
    assert!(html.contains("<svg"), "{html}");
}

#[test]
fn wrong_usage_is_one_line_and_opens_nothing() {
    let place = Place::new();
    for (args, text) in [
        (&["--strategy", "magic"][..], "magic"),
        (&["--strategy", "batched,batched"], "batched is given twice"),
        (&["--strategy", "skip-locked"], "row locks"),
        (&["--strategy", "redis-lua"], "MySQL or MariaDB"),
        (&["--zipf", "0,0"], "0 is given twice"),
        (&["--zipf", "11"], "from 0 to 10"),
        (&["--zipf", "-1"], "-1"),
        (&["--zipf", "much"], "from 0 to 10"),
        (&["--connections", "0"], "1 to 10000 connections"),
        (&["--in-flight", "0"], "1 to 1000000 orders in flight"),
        (&["--orders", "0"], "1 to"),
        (
            &["--orders", "5", "--duration", "5s"],
            "cannot be used with",
        ),
        (&["--duration", "0s"], "longer than nothing"),
        (&["--skus", "0"], "items"),
        (&["--quantity", "0"], "0"),
        (&["--report", "curve.json"], ".html or .md"),
        (
            &["--inventory-url", "http://stock"],
            "needs the database itself",
        ),
    ] {
        let args: Vec<&str> = ["bench"].iter().chain(args).copied().collect();
        let line = place.fails(2, &args);
        assert!(line.contains(text), "{args:?}: {line}");
    }
    assert!(!place.data_dir().exists());
}

#[test]
fn an_absent_database_is_named_with_what_to_do() {
    let address = nowhere().to_string();
    let url = format!("mysql://oms:hunter2@{address}/oms");
    let line = Place::new().fails(1, &["bench", "--orders", "5", "--inventory-url", &url]);
    for text in [address.as_str(), "start the server, or correct its URL"] {
        assert!(line.contains(text), "{line}");
    }
    assert!(!line.contains("hunter2"), "{line}");
}
