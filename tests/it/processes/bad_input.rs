//! What no program should be given: each is one clear error, and the store is as it was.

use std::process::Command;
use std::time::{Duration, Instant};

use super::audited;
use crate::place::Place;
use crate::process::{Process, Serve};

/// An order id that nobody has.
const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[test]
fn broken_files_name_the_line_and_leave_the_store_as_it_was() {
    let place = Place::seeded(2, 5);
    let before = place.ok(&["inventory", "list", "--json"]);
    let trace = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
        536365,A,HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n";
    for (text, line, what) in [
        (
            "sku,name,price,stock\nA,Lamp,1,1\nB,Cup,1\n".into(),
            3,
            "3 fields",
        ),
        (
            "sku,name,price,stock\nA,Lamp,1,1\nB,\"Cup,1,1\n".into(),
            3,
            "a quoted field is not closed",
        ),
        ("sku,name,price,stock\nA,Lamp,1,-1\n".into(), 2, "-1"),
        (
            "sku,name,price,stock\nA,Lamp,1,99999999999999999999\n".into(),
            2,
            "99999999999999999999",
        ),
        (
            format!("{trace}536365,\"B,CUP,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n"),
            3,
            "not closed",
        ),
    ] {
        place.write("broken.csv", &text);
        let error = place.fails(1, &["seed", "--items", "broken.csv"]);
        assert!(error.contains(&format!("broken.csv:{line}: ")), "{error}");
        assert!(error.contains(what), "{error}");
        let error = place.fails(1, &["simulate", "--trace", "broken.csv"]);
        assert!(error.contains(&format!("broken.csv:{line}: ")), "{error}");
    }
    place.write(
        "broken.csv",
        b"sku,name,price,stock\nA,Lamp,1,1\nB,\xff,1,1\n",
    );
    let error = place.fails(1, &["simulate", "--trace", "broken.csv"]);
    assert!(
        error.contains("broken.csv:3: ") && error.contains("UTF-8"),
        "{error}"
    );
    assert_eq!(place.ok(&["inventory", "list", "--json"]), before);
    audited(&place);
}

#[test]
fn quantities_that_cannot_be_are_wrong_usage() {
    let place = Place::seeded(1, 5);
    for (line, what) in [
        ("SKU-00001=-1", "1 to 1000000 are allowed"),
        ("SKU-00001=0", "1 to 1000000 are allowed"),
        ("SKU-00001=1000001", "1 to 1000000 are allowed"),
        ("SKU-00001=99999999999999999999", "expected a whole number"),
        ("SKU-00001=1.5", "expected a whole number"),
        ("SKU-00001=", "expected a whole number"),
        ("=1", "the SKU is empty"),
    ] {
        let error = place.fails(2, &["order", "create", "--line", line]);
        assert!(error.contains(what), "{error}");
        assert!(error.contains("--line"), "{error}");
    }
    // Together they are more than a cart can have.
    let error = place.fails(
        2,
        &[
            "order",
            "create",
            "--line",
            "SKU-00001=1000000",
            "--line",
            "SKU-00001=1000000",
        ],
    );
    assert!(error.contains("SKU-00001"), "{error}");
    assert_eq!(place.json(&["worker", "--drain"])["carts"], 0);
    audited(&place);
}

#[test]
fn an_order_that_nobody_knows_is_unknown_within_seconds_however_it_is_asked_for() {
    let place = Place::seeded(1, 5);
    for args in [
        &["order", "place", NOBODY][..],
        &["order", "cancel", NOBODY],
        &["order", "status", NOBODY],
    ] {
        let asked = Instant::now();
        let error = place.fails(1, args);
        assert!(
            error.contains(&format!("there is no order {NOBODY}")),
            "{error}"
        );
        assert!(
            asked.elapsed() < Duration::from_secs(8),
            "{:?}",
            asked.elapsed()
        );
    }
    let serve = Serve::start(&place, &[]);
    for head in [
        format!("POST /v1/orders/{NOBODY}/place"),
        format!("POST /v1/orders/{NOBODY}/cancel"),
        format!("GET /v1/orders/{NOBODY}"),
        format!("GET /v1/orders/{NOBODY}/history"),
    ] {
        let asked = Instant::now();
        let (status, problem) = serve.send(&head, "");
        assert_eq!(status, 404, "{head}: {problem}");
        assert!(
            asked.elapsed() < Duration::from_secs(8),
            "{head}: {:?}",
            asked.elapsed()
        );
    }
    let audit = audited(&place);
    assert_eq!(audit["orders"], 0, "asking writes nothing");
}

#[test]
fn bodies_that_cannot_be_carts_are_refused_by_the_process_too() {
    let place = Place::seeded(1, 5);
    let serve = Serve::start(&place, &[]);
    let reply = serve.send_bytes("POST /v1/carts", &vec![b'['; 10 << 20]);
    assert_eq!(reply.status, 413, "{reply:?}");
    let reply = serve.send_bytes(
        "POST /v1/carts",
        b"{\"customer\":\"\xff\xfe\",\"lines\":[]}",
    );
    assert_eq!(reply.status, 400, "{reply:?}");
    // Bodies that nest deeper than any stack: one is not JSON, the other one is not a cart.
    let open = vec![b'['; 450_000];
    let reply = serve.send_bytes("POST /v1/carts", &open);
    assert_eq!(reply.status, 400, "{reply:?}");
    let closed = [open, vec![b']'; 450_000]].concat();
    let reply = serve.send_bytes("POST /v1/carts", &closed);
    assert_eq!(reply.status, 422, "{reply:?}");
    let (status, _) = serve.send("GET /readyz", "");
    assert_eq!(status, 200);
    assert!(
        !serve.process.stderr().contains("panicked"),
        "{}",
        serve.process.stderr()
    );
    audited(&place);
}

/// Makes a file immutable, even for root; false where the file system or the rights do not allow it.
fn freeze(path: &std::path::Path, frozen: bool) -> bool {
    let flag = if frozen { "+i" } else { "-i" };
    Command::new("chattr")
        .arg(flag)
        .arg(path)
        .output()
        .is_ok_and(|output| output.status.success())
}

#[test]
fn a_read_only_store_is_an_error_of_every_command_that_writes() {
    let place = Place::seeded(1, 5);
    let database = place.data_dir().join("oms.db");
    if !freeze(&database, true) {
        eprintln!("SKIPPED: a read-only database file: `chattr +i` does not work here");
        return;
    }
    let run = |args: &[&str]| {
        let done = place.run(args);
        (args.join(" "), done)
    };
    let all = [
        run(&["order", "create", "--line", "SKU-00001"]),
        run(&["worker", "--drain"]),
        run(&["serve", "--listen", "127.0.0.1:0"]),
        run(&["simulate", "--users", "5"]),
        run(&[
            "inventory",
            "adjust",
            "SKU-00001",
            "--by",
            "1",
            "--reason",
            "found",
        ]),
    ];
    let doctor = place.run(&["doctor"]);
    assert!(freeze(&database, false));
    for (command, done) in all {
        assert_eq!(done.code, Some(1), "{command}: {done:?}");
        let error = done.error();
        assert!(error.contains("cannot be written to"), "{command}: {error}");
        assert!(error.contains("oms.db"), "{command}: {error}");
    }
    assert!(
        doctor.stdout.contains("make file and folder writable"),
        "{doctor:?}"
    );
    audited(&place);
}

#[test]
fn a_data_directory_that_cannot_be_made_is_an_error_of_every_command() {
    let place = Place::new();
    place.write("file", "no folder");
    for args in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["worker", "--drain"],
        &["simulate", "--users", "5"],
        &["audit"],
    ] {
        for folder in ["file", "file/below"] {
            let args: Vec<&str> = args.iter().copied().chain(["--data-dir", folder]).collect();
            let error = place.fails(1, &args);
            assert!(error.contains(folder), "{args:?}: {error}");
            assert!(error.contains("oms doctor"), "{args:?}: {error}");
        }
    }
    assert_eq!(
        std::fs::read_to_string(place.path("file")).unwrap(),
        "no folder"
    );
}

#[test]
fn a_store_of_a_newer_program_is_refused_by_every_long_command_and_left_alone() {
    let place = Place::seeded(1, 5);
    let change = |version: u32| {
        super::Store::of(&place)
            .0
            .execute(
                "UPDATE oms_schema SET version = ?1 WHERE scope = 'inventory'",
                [version],
            )
            .unwrap();
    };
    change(99);
    for args in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["worker", "--drain"],
        &["simulate", "--users", "5"],
        &["seed", "--items"],
        &["audit"],
    ] {
        let error = place.fails(1, args);
        assert!(
            error.contains("schema has version 99") && error.contains("use a newer oms"),
            "{error}"
        );
    }
    change(1);
    assert_eq!(place.json_lines(&["inventory", "list"]).len(), 1);
    audited(&place);
}

#[test]
fn a_target_where_nobody_listens_is_one_error_after_ten_seconds() {
    let place = Place::seeded(1, 5);
    let asked = Instant::now();
    // The discard port: nobody listens there.
    let done = Process::start(&place, &["simulate", "--target", "http://127.0.0.1:9"]).ended();
    let took = asked.elapsed();
    assert_eq!(done.code, Some(1), "{done:?}");
    let error = done.error();
    assert!(error.contains("was not ready within 10 s"), "{error}");
    assert!(
        error.contains("start `oms serve`, or check --target"),
        "{error}"
    );
    assert!(error.contains("Connection refused"), "{error}");
    assert!(
        took > Duration::from_secs(9) && took < Duration::from_secs(14),
        "{took:?}"
    );
    audited(&place);
}

#[test]
fn a_url_that_is_none_does_not_show_its_password() {
    let place = Place::seeded(1, 5);
    for args in [
        &["audit", "--inventory-url", "mysql//root:hunter2@db/oms"][..],
        &["audit", "--queue-url", "kafka:/root:hunter2@db/oms"],
        &["audit", "--payment-url", "root:hunter2@gateway"],
        &["simulate", "--target", "http//root:hunter2@shop"],
        &["simulate", "--target", "root:hunter2@shop"],
    ] {
        let done = place.run(args);
        assert_ne!(done.code, Some(0), "{done:?}");
        assert!(!done.stderr.contains("hunter2"), "{done:?}");
        assert!(done.error().contains(args[1]), "{done:?}");
    }
    // This one is a URL, and is refused for another reason.
    let error = place.fails(1, &["simulate", "--target", "http://root:hunter2@shop"]);
    assert!(!error.contains("hunter2"), "{error}");
    audited(&place);
}

#[test]
fn a_target_on_another_store_is_refused_before_anybody_buys() {
    let place = Place::seeded(1, 5);
    let serve = Serve::start(&place, &[]);
    let elsewhere = Place::seeded(1, 5);
    let error = elsewhere.fails(1, &["simulate", "--users", "5", "--target", &serve.url()]);
    assert!(error.contains("--data-dir"), "{error}");
    assert_eq!(audited(&place)["orders"], 0);
}

#[test]
fn a_report_file_that_cannot_be_written_is_said_before_the_storm() {
    let place = Place::seeded(1, 5);
    let error = place.fails(
        1,
        &[
            "simulate",
            "--users",
            "5",
            "--report-file",
            "no/such/folder.json",
        ],
    );
    assert!(error.contains("no/such/folder.json"), "{error}");
    assert_eq!(
        audited(&place)["orders"],
        0,
        "nobody has bought for nothing"
    );
}

#[test]
fn a_pipe_that_closes_in_the_middle_ends_a_long_list_quietly() {
    let place = Place::seeded(20_000, 5);
    for args in [
        &["inventory", "list", "--limit", "20000"][..],
        &["audit", "--sql"],
    ] {
        let mut child = place
            .command(args)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}
