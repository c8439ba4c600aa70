//! `oms dead-letters`.

use oms::config::{Config, Flags, System};
use oms::queue::{Message, Queue};

use super::Place;

/// Puts messages into the queue that nobody can read, and lets a worker set them aside.
fn with_letters(payloads: &[&[u8]]) -> Place {
    let place = Place::seeded(1, 5);
    let flags = Flags {
        data_dir: Some(place.data_dir()),
        ..Flags::default()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        // Nothing of what surrounds the tests.
        let system = System {
            variable: &|_| None,
            folder: &place.path(""),
        };
        let config = Config::load_from(&flags, &system).unwrap();
        let ports = oms::wiring::open(&config).await.unwrap();
        let messages = payloads.iter().map(|payload| Message {
            key: b"SKU-00001".to_vec(),
            payload: payload.to_vec(),
        });
        ports.queue.publish(messages.collect()).await.unwrap();
    });
    let totals = place.json(&["worker", "--drain"]);
    assert_eq!(totals["dead_letters"], payloads.len());
    place
}

/// serde quotes the whole string in its error; a MySQL `TEXT` has 65,535 bytes.
#[test]
fn a_long_message_is_recorded_whole_with_a_short_detail() {
    let long = format!("\"{}\"", "x".repeat(100_000));
    let place = with_letters(&[long.as_bytes()]);
    let letter = place.json(&["dead-letters", "show", "1"]);
    assert_eq!(letter["payload"], long.as_str());
    assert!(
        letter["original_bytes"].is_null(),
        "{}",
        letter["original_bytes"]
    );
    let detail = letter["detail"].as_str().unwrap();
    assert!(detail.len() < 1_024, "{} bytes", detail.len());
}

#[test]
fn a_message_that_was_cut_is_shown_as_such_and_not_replayed() {
    let place = with_letters(&[b"one", b"two"]);
    let store = rusqlite::Connection::open(place.data_dir().join("oms.db")).unwrap();
    store
        .execute(
            "UPDATE dead_letters SET original_bytes = 20000000, original_sha256 = ?1 WHERE letter_id = 1",
            ["ab".repeat(32)],
        )
        .unwrap();
    drop(store);
    let shown = place.ok(&["dead-letters", "show", "1"]);
    assert!(
        shown.contains("of 20000000 bytes with SHA-256 abab"),
        "{shown}"
    );
    let line = place.fails(1, &["dead-letters", "replay", "1", "2"]);
    assert!(line.contains("dead letter 1 was cut"), "{line}");
    let done = place.run(&["dead-letters", "replay", "--all"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.stderr
            .contains("not replayed, since they were cut: 1 message"),
        "{done:?}"
    );
    let pending = place.json_lines(&["dead-letters", "list", "--pending"]);
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0]["original_bytes"], 20_000_000);
}

#[test]
fn what_nobody_can_read_is_listed_shown_replayed_and_dropped() {
    let place = with_letters(&[b"not json", b"\xff\xfe"]);
    let letters = place.json_lines(&["dead-letters", "list"]);
    assert_eq!(letters.len(), 2);
    let letter = &letters[0];
    assert_eq!(
        (&letter["reason"], &letter["state"]),
        (&"poison".into(), &"pending".into())
    );
    assert_eq!(
        (&letter["payload"], &letter["key"]),
        (&"not json".into(), &"SKU-00001".into())
    );
    assert!(letter["detail"].as_str().unwrap().len() > 3);
    assert!(letters[1]["payload"].is_null());
    assert_eq!(letters[1]["payload_hex"], "fffe");
    let number = letter["id"].to_string();
    assert_eq!(&place.json(&["dead-letters", "show", &number]), letter);
    assert!(
        place
            .ok(&["dead-letters", "show", "2"])
            .contains(r"\xff\xfe")
    );

    assert_eq!(
        place.json(&["dead-letters", "replay", &number])["replayed"],
        1
    );
    let line = place.fails(1, &["dead-letters", "replay", &number]);
    assert!(line.contains("is replayed already"), "{line}");
    // It is as unreadable as before, and set aside again.
    assert_eq!(place.json(&["worker", "--drain"])["dead_letters"], 1);
    assert_eq!(
        place.json(&["dead-letters", "replay", "--all"])["replayed"],
        2
    );
    assert_eq!(
        place
            .json_lines(&["dead-letters", "list", "--pending"])
            .len(),
        0
    );

    place.ok(&["worker", "--drain"]);
    let pending = place.json_lines(&["dead-letters", "list", "--pending"]);
    let numbers: Vec<String> = pending.iter().map(|row| row["id"].to_string()).collect();
    assert_eq!(numbers.len(), 2);
    let line = place.fails(2, &["dead-letters", "drop", &numbers[0]]);
    assert!(line.contains("--yes"), "{line}");
    let args = ["dead-letters", "drop", &numbers[0], &numbers[1], "--yes"];
    assert_eq!(place.json(&args)["dropped"], 2);
    place.fails(1, &args);
    assert_eq!(place.json_lines(&["dead-letters", "list"]).len(), 5);
}

#[test]
fn a_letter_that_does_not_exist_is_an_error() {
    let place = Place::seeded(1, 5);
    assert_eq!(place.json_lines(&["dead-letters", "list"]).len(), 0);
    for args in [
        &["dead-letters", "show", "1"][..],
        &["dead-letters", "show", "0"],
        &["dead-letters", "replay", "7"],
        &["dead-letters", "drop", "7", "--yes"],
    ] {
        let line = place.fails(1, args);
        assert!(line.contains("there is no dead letter"), "{line}");
    }
    assert_eq!(
        place.json(&["dead-letters", "replay", "--all"])["replayed"],
        0
    );
}
