//! `oms inventory`.

use rusqlite::Connection;

use super::Place;

#[test]
fn items_are_listed_a_page_at_a_time() {
    let place = Place::seeded(30, 7);
    let all = place.json_lines(&["inventory", "list"]);
    assert_eq!(all.len(), 30);
    let some = place.json_lines(&["inventory", "list", "--after", "SKU-00005", "--limit", "2"]);
    assert_eq!(some[..], all[5..7]);
    let item = &some[0];
    assert_eq!(item["sku"], "SKU-00006");
    for (key, value) in [
        ("available", 7),
        ("blocked", 0),
        ("sold", 0),
        ("initial", 7),
        ("adjusted", 0),
    ] {
        assert_eq!(item[key], value, "{key}");
    }
    let text = place.ok(&["inventory", "list", "--limit", "1"]);
    assert!(text.starts_with("sku "), "{text}");
    assert_eq!(text.lines().count(), 2);
}

#[test]
fn a_correction_is_recorded_once_however_often_it_is_sent() {
    let place = Place::seeded(12, 7);
    let id = "6f1c8f0e-6d0b-4a6f-9d3c-2d1f3c9f7a11";
    let args = [
        "inventory",
        "adjust",
        "SKU-00002",
        "--by",
        "-9",
        "--reason",
        "recount",
        "--id",
        id,
    ];
    let first = place.json(&args);
    assert_eq!(
        (&first["available"], &first["repeated"]),
        (&(-2).into(), &false.into())
    );
    let again = place.json(&args);
    assert_eq!(
        (&again["available"], &again["repeated"]),
        (&(-2).into(), &true.into())
    );
    let line = place.fails(
        1,
        &[
            "inventory",
            "adjust",
            "SKU-00002",
            "--by",
            "1",
            "--reason",
            "recount",
            "--id",
            id,
        ],
    );
    assert!(line.contains("used for another correction"), "{line}");
    let text = place.ok(&[
        "inventory",
        "adjust",
        "SKU-00002",
        "--by",
        "2",
        "--reason",
        "found",
    ]);
    let item = place.json(&["inventory", "show", "SKU-00002"]);
    let made = item["adjustments"][0]["id"].as_str().unwrap();
    assert_eq!(
        text,
        format!(
            "SKU-00002 is corrected by +2: 0 available, 0 blocked, 0 sold (correction {made})\n"
        )
    );
    assert_eq!(item["adjusted"], -7);
    let rows = item["adjustments"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["by"], &rows[0]["reason"]),
        (&2.into(), &"found".into())
    );
    assert_eq!(
        (&rows[1]["id"], &rows[1]["available_after"]),
        (&id.into(), &(-2).into())
    );
    let text = place.ok(&["inventory", "show", "SKU-00002"]);
    assert!(text.contains("recount") && text.contains("-9"), "{text}");
}

#[test]
fn a_reason_that_no_terminal_should_print_is_refused() {
    let place = Place::seeded(1, 7);
    let long = "x".repeat(501);
    for (reason, what) in [
        ("a\u{1b}[2Jb", "contains a control character"),
        (&long, "has 501 bytes: at most 500 are allowed"),
        (" ", "is empty: say why the stock is corrected"),
    ] {
        let args = [
            "inventory",
            "adjust",
            "SKU-00001",
            "--by",
            "1",
            "--reason",
            reason,
        ];
        let line = place.fails(2, &args);
        assert!(
            line.contains(&format!("--reason: the reason {what}")),
            "{line}"
        );
    }
    assert_eq!(
        place.json(&["inventory", "show", "SKU-00001"])["adjusted"],
        0
    );
}

#[test]
fn an_unknown_item_is_an_error_that_says_where_to_look() {
    let place = Place::seeded(12, 7);
    for args in [
        &["inventory", "show", "SKU-0000"][..],
        &["inventory", "show", "SKU-00013"],
        &["inventory", "show", "a"],
        &["inventory", "adjust", "NO", "--by", "1", "--reason", "x"],
    ] {
        let line = place.fails(1, args);
        assert!(line.starts_with("error: there is no item "), "{line}");
        assert!(line.contains("oms inventory list"), "{line}");
    }
    let by = |units| {
        [
            "inventory",
            "adjust",
            "SKU-00001",
            "--by",
            units,
            "--reason",
            "x",
        ]
    };
    for units in [
        "0",
        "1000000000001",
        "9223372036854775807",
        "-9223372036854775808",
    ] {
        let line = place.fails(2, &by(units));
        assert!(line.starts_with(&format!("error: --by {units} ")), "{line}");
    }
    let line = place.fails(1, &by("1000000000000"));
    assert!(line.contains("would leave the range"), "{line}");
}

#[test]
fn a_correction_is_seen_by_the_next_cart() {
    let place = Place::seeded(1, 1);
    place.ok(&["order", "create", "--line", "SKU-00001"]);
    place.ok(&[
        "inventory",
        "adjust",
        "SKU-00001",
        "--by",
        "-1",
        "--reason",
        "broken",
    ]);
    // Processes that serve are told through the cache.
    let connection = Connection::open(place.data_dir().join("oms.db")).unwrap();
    let cached: i64 = connection
        .query_row("SELECT available FROM stock_cache", [], |row| row.get(0))
        .unwrap();
    assert_eq!(cached, 0);
    let line = place.fails(1, &["order", "create", "--line", "SKU-00001"]);
    assert!(line.contains("sold_out (SKU-00001)"), "{line}");
}
