//! One store, one gateway (rule 20): a second directory on the same store, and how to move.

use std::net::TcpListener;

use super::Place;

/// The inventory, queue and status store of a place, as another one names them.
fn stores_of(place: &Place) -> Vec<String> {
    let path = place.data_dir().join("oms.db");
    ["--inventory-url", "--queue-url", "--status-url"]
        .iter()
        .flat_map(|flag| [(*flag).to_owned(), format!("sqlite:{}", path.display())])
        .collect()
}

fn with<'a>(args: &[&'a str], more: &'a [String]) -> Vec<&'a str> {
    let more = more.iter().map(String::as_str);
    args.iter().copied().chain(more).collect()
}

fn ledger(place: &Place) -> String {
    let path = place.data_dir().join("payments.db");
    path.canonicalize().unwrap().display().to_string()
}

const STORM: [&str; 5] = ["simulate", "--users", "30", "--items", "5"];

#[test]
fn another_directory_is_refused_before_anything_is_bought() {
    let (first, second) = (Place::new(), Place::new());
    first.ok(&STORM);
    let orders = first.json_lines(&["order", "list"]).len();
    let stores = stores_of(&first);
    let create = ["order", "create", "--line", "SKU-00001=1", "--place"];
    for args in [&STORM[..], &["worker", "--drain"], &create, &["audit"]] {
        let error = second.fails(1, &with(args, &stores));
        assert!(!error.contains("unpaid"), "{error}");
        for named in [ledger(&first), ledger(&second)] {
            assert!(error.contains(&named), "{args:?}: {error}");
        }
        let ways_out = [
            format!("--payment-url 'simulated:?ledger={}'", ledger(&first)),
            "oms migrate --adopt-gateway".to_owned(),
        ];
        for way in ways_out {
            assert!(error.contains(&way), "{args:?}: {error}");
        }
    }
    let doctor = second.run(&with(&["doctor"], &stores));
    assert_eq!(doctor.code, Some(1));
    assert!(doctor.stdout.contains(&ledger(&first)), "{doctor:?}");
    // The first directory is none the worse for it, and the way out works.
    assert_eq!(first.json_lines(&["order", "list"]).len(), orders);
    first.ok(&["audit", "--full"]);
    let named = format!("simulated:?ledger={}", ledger(&first));
    second.ok(&with(
        &["audit", "--full", "--payment-url", &named],
        &stores,
    ));
    // The ledger that was refused remembers no store: it is free for one of its own.
    second.ok(&STORM);
    second.ok(&["audit", "--full"]);
}

#[test]
fn a_ledger_serves_one_store_only() {
    let place = Place::new();
    place.ok(&STORM);
    let ledger = format!("simulated:?ledger={}", ledger(&place));
    let other = ["--data-dir", "other"];
    let shared = [&other[..], &["--payment-url", &ledger]].concat();
    let error = place.fails(1, &[&STORM[..], &shared].concat());
    assert!(error.contains("holds the payments of store"), "{error}");
    assert!(error.contains("simulated:?ledger=PATH"), "{error}");
    place.ok(&[&STORM[..], &other].concat());
    // Not even a deliberate move takes the payments of another store over.
    let adopt = ["migrate", "--adopt-gateway", "--yes"];
    let error = place.fails(1, &[&adopt[..], &shared].concat());
    assert!(error.contains("holds the payments of store"), "{error}");
}

#[test]
fn a_store_moves_to_another_gateway_on_purpose_and_back() {
    let place = Place::new();
    place.ok(&STORM);
    let second = ["--payment-url", "simulated:?ledger=second.db"];
    let moved = place.ok(&[&["migrate", "--adopt-gateway"][..], &second].concat());
    assert!(moved.contains("move from simulated:"), "{moved}");
    place.fails(1, &STORM);
    let more = ["--stock", "200"];
    place.ok(&[&STORM[..], &more, &second].concat());
    // What was paid before is not held against the second gateway.
    let audit = place.json(&[&["audit", "--full"][..], &second].concat());
    assert_eq!(audit["ok"], true, "{audit}");
    let notes = audit["notes"].to_string();
    assert!(notes.contains("decided before the store moved"), "{notes}");
}

#[test]
fn nobody_moves_while_orders_are_reserved_unless_told_to() {
    let place = Place::seeded(1, 5);
    let hang = ["--payment-url", "simulated:?timeout=1"];
    let created = place.json(&["order", "create", "--line", "SKU-00001=1"]);
    let id = created["order_id"].as_str().unwrap();
    place.ok(&["worker", "--drain"]);
    let placed = place.run(&[&["order", "place", id, "--wait", "1s"][..], &hang].concat());
    assert_eq!(placed.code, Some(1), "{placed:?}");
    let adopt = [
        "migrate",
        "--adopt-gateway",
        "--payment-url",
        "https://pay.example/x",
    ];
    let error = place.fails(1, &adopt);
    assert!(error.contains("orders are reserved"), "{error}");
    let moved = place.ok(&[&adopt[..], &["--yes"]].concat());
    assert!(moved.contains("to https://pay.example:443/x"), "{moved}");
    let error = place.fails(1, &["worker", "--drain"]);
    let named = "--payment-url 'https://pay.example:443/x'";
    assert!(error.contains(named), "{error}");
}

#[test]
fn a_storm_does_not_begin_while_the_gateway_is_away() {
    let place = Place::new();
    // Nobody listens there any more.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let away = ["--payment-url", &url];
    let error = place.fails(1, &[&STORM[..], &away].concat());
    assert!(
        error.contains("reach the payment gateway http://127.0.0.1:"),
        "{error}"
    );
    assert!(
        error.contains("start the server, or correct its URL"),
        "{error}"
    );
    assert_eq!(place.json_lines(&["order", "list"]).len(), 0);
    // A worker decides carts without it, and says so.
    let done = place.run(&[&["worker", "--drain"][..], &away].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.stderr.contains("reach the payment gateway"),
        "{done:?}"
    );
}
