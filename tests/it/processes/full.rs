//! A full disk, played by `max_page_count`: nothing is acknowledged that is not stored, and space heals.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use super::{Store, audited};
use crate::place::Place;
use crate::process::{PATIENCE, Serve, until};

/// What fills the disk until it is taken away.
const FILLER_BYTES: i64 = 2 << 20;

fn ids(store: &Store, sql: &str) -> BTreeSet<String> {
    let mut statement = store.0.prepare(sql).unwrap();
    let rows = statement
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// How many messages name an order.
fn is_stored(store: &Store, id: &str) -> bool {
    let messages = "SELECT count(*) FROM queue_messages WHERE instr(payload, ?1) > 0";
    let count: i64 = (store.0.query_row(messages, [id], |row| row.get(0))).unwrap();
    count > 0
}

#[test]
fn a_full_disk_is_a_503_and_space_that_comes_back_is_used_without_a_restart() {
    let place = Place::seeded(1, 1_000_000);
    let store = Store::of(&place);
    (store.0)
        .execute_batch(&format!(
            "CREATE TABLE filler (x); INSERT INTO filler VALUES (zeroblob({FILLER_BYTES})); PRAGMA wal_checkpoint(TRUNCATE);"
        ))
        .unwrap();
    let pages = store.number("PRAGMA page_count") + 40;
    let url = format!("sqlite:oms-data/oms.db?max_page_count={pages}");
    let serve = Serve::start(&place, &["--inventory-url", &url]);
    let padding = "x".repeat(40);
    let cart =
        format!(r#"{{"customer":"{padding}","lines":[{{"sku":"SKU-00001","quantity":1}}]}}"#);
    let mut accepted = Vec::new();
    let refused = until("a full disk", || {
        let (status, body) = serve.send("POST /v1/carts", &cart);
        match status {
            202 => {
                accepted.push(body["order_id"].as_str().unwrap().to_owned());
                None
            }
            503 => Some(body),
            _ => panic!("{status}: {body}"),
        }
    });
    assert!(accepted.len() > 10, "{}", accepted.len());
    assert!(refused["order_id"].is_string(), "{refused}");
    assert!(refused["retry_after_ms"].is_number(), "{refused}");
    let (status, problem) = serve.send("GET /readyz", "");
    assert_eq!(status, 503, "{problem}");
    let (status, _) = serve.send("GET /healthz", "");
    assert_eq!(status, 200);
    for id in &accepted {
        assert!(is_stored(&store, id), "{id} was acknowledged");
    }
    // A correction, a placement: whatever writes says so, and none of it is done by half.
    let (status, problem) = serve.send(
        "POST /v1/inventory/SKU-00001/adjustments",
        r#"{"by":-1,"reason":"recount"}"#,
    );
    assert!(
        status == 503 || status == 200 || status == 201,
        "{status} {problem}"
    );

    store.0.execute_batch("DROP TABLE filler").unwrap();
    until("readiness", || {
        let (status, _) = serve.send("POST /v1/carts", &cart);
        let (ready, _) = serve.send("GET /readyz", "");
        (status == 202 && ready == 200).then_some(())
    });
    // Those that were accepted when there was hardly any space are decided, and can be bought.
    for id in [&accepted[0], &accepted[accepted.len() - 1]] {
        let (status, placed) = serve.send(&format!("POST /v1/orders/{id}/place"), "{}");
        assert_eq!(
            (status, placed["status"].as_str()),
            (200, Some("PLACED")),
            "{placed}"
        );
    }
    until("the backlog's end", || (store.backlog() == 0).then_some(()));
    let orders = ids(&store, "SELECT lower(hex(order_id)) FROM orders");
    for id in &accepted {
        assert!(orders.contains(&id.replace('-', "")), "{id} was lost");
    }
    let done = serve.process.stopped_by(Signal::SIGTERM, PATIENCE);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!done.stderr.contains("panicked"), "{done:?}");
    audited(&place);
}
