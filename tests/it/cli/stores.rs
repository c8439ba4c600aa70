//! Stores: `oms migrate`, `oms doctor`, `oms statuses rebuild`, and files that cannot be used.

use rusqlite::Connection;

use super::Place;

fn sql(place: &Place, file: &str, statements: &str) {
    let connection = Connection::open(place.data_dir().join(file)).unwrap();
    connection.execute_batch(statements).unwrap();
}

#[test]
fn migrating_makes_the_stores_and_twice_is_harmless() {
    let place = Place::new();
    let first = place.json_lines(&["migrate"]);
    let schemas: Vec<&str> = first
        .iter()
        .map(|row| row["schema"].as_str().unwrap())
        .collect();
    assert_eq!(schemas, ["inventory", "queue", "statuses", "payments"]);
    assert!(
        first
            .iter()
            .all(|row| row["version"].as_u64().unwrap() >= 1)
    );
    assert!(
        first[0]["store"]
            .as_str()
            .unwrap()
            .ends_with("oms-data/oms.db")
    );
    assert!(
        first[3]["store"]
            .as_str()
            .unwrap()
            .ends_with("oms-data/payments.db")
    );
    assert_eq!(place.json_lines(&["migrate"]), first);
}

#[test]
fn ports_may_live_in_files_of_their_own() {
    let place = Place::new();
    let urls = [
        "--inventory-url",
        "sqlite:i/i.db",
        "--queue-url",
        "sqlite:q.db",
        "--status-url",
        "sqlite:./q.db",
        "--payment-url",
        "simulated:?ledger=q.db",
    ];
    let with = |args: &[&str]| -> Vec<String> {
        args.iter()
            .chain(&urls)
            .map(|arg| (*arg).to_owned())
            .collect()
    };
    let run = |args: &[&str]| {
        let args = with(args);
        place.ok(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    run(&["seed", "--items", "3"]);
    run(&["order", "create", "--line", "SKU-00001"]);
    run(&["worker", "--drain"]);
    let orders = run(&["order", "list", "--json"]);
    assert_eq!(orders.lines().count(), 1);
    assert!(place.path("i/i.db").exists() && place.path("q.db").exists());
    assert!(
        !place.data_dir().exists(),
        "nothing is left for the data directory"
    );
}

#[test]
fn a_doctor_finds_good_stores_well() {
    let place = Place::seeded(1, 5);
    let checks = place.json_lines(&["doctor"]);
    assert!(checks.iter().all(|check| check["ok"] == true), "{checks:?}");
    let names: Vec<&str> = checks
        .iter()
        .map(|check| check["check"].as_str().unwrap())
        .collect();
    for name in [
        "data directory",
        "inventory",
        "payments",
        "store id",
        "backlog",
        "dead letters",
        "clock",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    place.ok(&["order", "create", "--line", "SKU-00001"]);
    let done = place.run(&["doctor"]);
    assert_eq!(done.code, Some(0));
    assert!(done.stdout.contains("1 cart undecided"), "{done:?}");
    assert!(
        done.stderr.contains("everything is in working order"),
        "{done:?}"
    );
}

#[test]
fn a_store_of_a_newer_program_is_refused_and_the_doctor_says_what_to_do() {
    let place = Place::seeded(1, 5);
    sql(
        &place,
        "oms.db",
        "UPDATE oms_schema SET version = 99 WHERE scope = 'queue'",
    );
    let line = place.fails(1, &["order", "list"]);
    assert!(line.contains("schema has version 99"), "{line}");
    assert!(line.contains("oms doctor"), "{line}");
    let done = place.run(&["doctor", "--json"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let wrong = done
        .stdout
        .lines()
        .find(|line| line.contains("\"ok\":false"))
        .unwrap();
    assert!(wrong.contains("use the newer program"), "{wrong}");
    place.fails(1, &["migrate"]);
}

#[test]
fn foreign_files_are_left_alone() {
    let place = Place::new();
    std::fs::create_dir(place.data_dir()).unwrap();
    sql(
        &place,
        "oms.db",
        "CREATE TABLE precious (x); INSERT INTO precious VALUES (1)",
    );
    let line = place.fails(1, &["seed", "--items"]);
    assert!(line.contains("another program"), "{line}");
    sql(&place, "oms.db", "SELECT x FROM precious");
    std::fs::write(
        place.data_dir().join("oms.db"),
        "no database at all, but some text",
    )
    .unwrap();
    place.fails(1, &["seed", "--items"]);
    assert_eq!(place.run(&["doctor"]).code, Some(1));
    // What is not ours and not asked for does no harm.
    let other = Place::seeded(1, 1);
    std::fs::write(other.data_dir().join("notes.txt"), "mine").unwrap();
    other.ok(&["inventory", "list"]);
}

#[test]
fn a_full_store_fails_with_a_reason_and_loses_nothing() {
    let place = Place::seeded(1, 5);
    let pages: i64 = Connection::open(place.data_dir().join("oms.db"))
        .unwrap()
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    let url = format!("sqlite:oms-data/oms.db?max_page_count={pages}");
    let args = ["seed", "--items", "5000", "--inventory-url", &url];
    let line = place.fails(1, &args);
    assert!(line.contains("full"), "{line}");
    let done = place.run(&["doctor", "--inventory-url", &url]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stdout.contains("raise max_page_count"), "{done:?}");
    assert_eq!(place.json_lines(&["inventory", "list"])[0]["available"], 5);
}

#[test]
fn doctor_shows_free_and_required_space_of_each_file() {
    let place = Place::seeded(1, 1);
    let done = place.run(&["doctor", "--json", "--queue-url", "sqlite:queue.db"]);
    let mut files = 0;
    for line in done.stdout.lines() {
        let check: serde_json::Value = serde_json::from_str(line).unwrap();
        let detail = check["detail"].as_str().unwrap();
        if detail.contains(".db: holds") {
            files += 1;
            assert!(
                detail.contains(" MiB free, ") && detail.ends_with(" MiB required"),
                "{detail}"
            );
        }
    }
    assert_eq!(files, 3, "{done:?}");
}

#[test]
fn a_data_directory_that_is_a_file_is_an_error() {
    let place = Place::new();
    place.write("oms-data", "a file");
    let line = place.fails(1, &["order", "list"]);
    assert!(line.contains("cannot"), "{line}");
    let done = place.run(&["doctor"]);
    assert_eq!(done.code, Some(1));
    assert!(done.stdout.contains("is no folder"), "{done:?}");
}

#[test]
fn one_file_with_two_bounds_is_an_error() {
    let place = Place::new();
    let line = place.fails(
        1,
        &[
            "order",
            "list",
            "--inventory-url",
            "sqlite:a.db?max_page_count=100",
            "--queue-url",
            "sqlite:./a.db?max_page_count=200",
        ],
    );
    assert!(
        line.contains("max_page_count is 100 in one URL and 200 in another"),
        "{line}"
    );
}

#[test]
fn lost_statuses_are_rebuilt_from_database_and_gateway() {
    let place = Place::seeded(1, 100);
    let urls = ["--status-url", "sqlite:statuses.db"];
    let run = |args: &[&str]| {
        let args: Vec<&str> = args
            .iter()
            .chain(&urls)
            .copied()
            .chain(["--json"])
            .collect();
        serde_json::from_str::<serde_json::Value>(&place.ok(&args)).unwrap()
    };
    let mut ids = Vec::new();
    for _ in 0..3 {
        let created = run(&["order", "create", "--line", "SKU-00001"]);
        ids.push(created["order_id"].as_str().unwrap().to_owned());
    }
    run(&["worker", "--drain"]);
    run(&["order", "place", &ids[0]]);
    run(&["order", "cancel", &ids[1]]);
    for name in ["statuses.db", "statuses.db-wal", "statuses.db-shm"] {
        if place.path(name).exists() {
            std::fs::remove_file(place.path(name)).unwrap();
        }
    }
    run(&["order", "create", "--line", "SKU-00001"]);
    let counts = run(&["statuses", "rebuild"]);
    assert_eq!(
        (&counts["orders"], &counts["written"]),
        (&3.into(), &3.into())
    );
    assert_eq!(
        (&counts["kept"], &counts["undecided"]),
        (&0.into(), &1.into())
    );
    let again = run(&["statuses", "rebuild"]);
    assert_eq!((&again["written"], &again["kept"]), (&0.into(), &3.into()));
    let connection = Connection::open(place.path("statuses.db")).unwrap();
    let count: i64 = connection
        .query_row("SELECT count(*) FROM statuses", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 4);
    let statuses = ["PLACED", "FAILED", "BLOCK"];
    for (id, status) in ids.iter().zip(statuses) {
        assert_eq!(run(&["order", "status", id])["status"], status);
    }
}
