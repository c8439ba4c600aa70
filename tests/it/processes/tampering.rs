//! An audit that can say no: the store is falsified behind the program's back, and it finds out where.

use rusqlite::Connection;
use serde_json::Value;

use super::audited;
use crate::place::Place;

/// A shop with a placed order, one blocked order, and one that failed with a refund due.
struct Shop {
    place: Place,
    placed: String,
    refunded: String,
}

impl Shop {
    fn open() -> Self {
        let place = Place::seeded(3, 5);
        let [placed, blocked, refunded] =
            [("SKU-00001=2"), ("SKU-00002=1"), ("SKU-00003=5")].map(|line| {
                let created = place.json(&["order", "create", "--line", line]);
                created["order_id"].as_str().unwrap().to_owned()
            });
        place.ok(&["worker", "--drain"]);
        place.ok(&["order", "place", &placed]);
        place.ok(&[
            "inventory",
            "adjust",
            "SKU-00003",
            "--by",
            "-1",
            "--reason",
            "broken",
        ]);
        let line = place.fails(1, &["order", "place", &refunded]);
        assert!(line.contains(&refunded), "{line}");
        assert!(!blocked.is_empty());
        audited(&place);
        Self {
            place,
            placed,
            refunded,
        }
    }

    fn falsify(&self, file: &str, sql: &str) {
        let connection = Connection::open(self.place.data_dir().join(file)).unwrap();
        let changed = connection.execute(sql, []).unwrap();
        assert!(changed > 0, "{sql}");
    }

    /// That a full audit says no, and counts and names it.
    #[track_caller]
    fn says_no(&self, invariant: &str, count: i64, subject: &str) {
        self.audit_says_no(&["audit", "--full"], invariant, count, subject);
    }

    /// The same of an audit that does not read covered orders.
    #[track_caller]
    fn says_no_at_once(&self, invariant: &str, count: i64, subject: &str) {
        self.audit_says_no(&["audit"], invariant, count, subject);
    }

    #[track_caller]
    fn audit_says_no(&self, audit: &[&str], invariant: &str, count: i64, subject: &str) {
        let done = self.place.run(&[audit, &["--json"]].concat());
        assert_eq!(done.code, Some(3), "{done:?}");
        let report: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(report["ok"], false, "{report}");
        assert_eq!(report["invariants"][invariant], count, "{report:#}");
        let found = report["findings"].as_array().unwrap();
        assert!(
            found
                .iter()
                .any(|one| one["check"] == invariant && one["subject"] == subject),
            "no {invariant} of {subject} in {report:#}"
        );
        let done = self.place.run(audit);
        assert_eq!(done.code, Some(3), "{done:?}");
        assert!(done.stdout.contains("verdict: BROKEN"), "{done:?}");
        assert!(done.stdout.contains(subject), "{done:?}");
    }
}

fn blob(id: &str) -> String {
    format!("x'{}'", id.replace('-', ""))
}

#[test]
fn units_sold_that_nobody_bought_are_found() {
    let shop = Shop::open();
    shop.falsify(
        "oms.db",
        "UPDATE items SET sold = sold + 1 WHERE sku = 'SKU-00002'",
    );
    // Against the stock there was, and against the orders.
    shop.says_no("conservation", 2, "SKU-00002");
    shop.says_no_at_once("conservation", 2, "SKU-00002");
}

#[test]
fn units_sold_beyond_all_there_ever_were_are_oversold() {
    let shop = Shop::open();
    shop.falsify(
        "oms.db",
        "UPDATE items SET sold = sold + 10, available = available - 10 WHERE sku = 'SKU-00001'",
    );
    // 12 of 5; and 7 below zero.
    shop.says_no("oversold", 14, "SKU-00001");
    shop.says_no_at_once("oversold", 14, "SKU-00001");
}

#[test]
fn a_deleted_order_is_missed_by_its_item_and_by_the_gateway() {
    let shop = Shop::open();
    let id = &shop.placed;
    for table in ["orders", "settlements"] {
        let sql = format!("DELETE FROM {table} WHERE order_id = {}", blob(id));
        shop.falsify("oms.db", &sql);
    }
    shop.says_no("conservation", 2, "SKU-00001");
    shop.says_no("unpaid", 1, id);
}

#[test]
fn a_refund_that_only_counts_as_executed_is_found() {
    let shop = Shop::open();
    let id = &shop.refunded;
    shop.falsify(
        "oms.db",
        &format!(
            "UPDATE refunds SET executed_at = recorded_at WHERE order_id = {}",
            blob(id)
        ),
    );
    shop.says_no("unpaid", 1, id);
}

#[test]
fn a_refund_that_is_not_executed_for_long_is_found() {
    let shop = Shop::open();
    shop.falsify(
        "oms.db",
        "UPDATE refunds SET recorded_at = recorded_at - 61000",
    );
    shop.says_no("unrefunded", 1, &shop.refunded);
    shop.says_no_at_once("unrefunded", 1, &shop.refunded);
    // It was only late.
    shop.place.ok(&["worker", "--drain"]);
}

#[test]
fn an_order_that_is_placed_and_not_paid_for_is_found() {
    let shop = Shop::open();
    let id = &shop.placed;
    shop.falsify(
        "payments.db",
        &format!("DELETE FROM charges WHERE order_id = {}", blob(id)),
    );
    shop.says_no("unpaid", 1, id);
}

#[test]
fn an_order_that_was_charged_or_refunded_twice_is_found() {
    let shop = Shop::open();
    let id = &shop.placed;
    shop.falsify(
        "payments.db",
        &format!(
            "UPDATE charges SET captures = 2 WHERE order_id = {}",
            blob(id)
        ),
    );
    shop.says_no("uniqueness", 1, id);
}

#[test]
fn a_hold_that_nobody_ends_is_found() {
    let shop = Shop::open();
    shop.falsify(
        "oms.db",
        "UPDATE orders SET hold_until = hold_until - 661000 WHERE order_id NOT IN (SELECT order_id FROM settlements)",
    );
    let connection = Connection::open(shop.place.data_dir().join("oms.db")).unwrap();
    let id: String = connection
        .query_row(
            "SELECT lower(hex(order_id)) FROM orders WHERE order_id NOT IN (SELECT order_id FROM settlements)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let id = uuid::Uuid::parse_str(&id).unwrap().to_string();
    shop.says_no("stuck", 1, &id);
    shop.says_no_at_once("stuck", 1, &id);
    // The next worker ends it, and all is well.
    shop.place.ok(&["worker", "--drain"]);
}

#[test]
fn a_status_that_contradicts_the_database_is_found_and_can_be_rebuilt() {
    let shop = Shop::open();
    let id = &shop.placed;
    // 6 is FAILED.
    shop.falsify(
        "oms.db",
        &format!(
            "UPDATE statuses SET status = 6, reason = 'declined' WHERE order_id = {}",
            blob(id)
        ),
    );
    shop.says_no("projection", 1, id);
    shop.place.ok(&["statuses", "rebuild"]);
    audited(&shop.place);
}

#[test]
fn an_order_that_is_edited_after_it_was_covered_is_found_by_a_full_audit() {
    let place = Place::seeded(2, 5);
    let create = ["order", "create", "--line", "SKU-00001=1"];
    let id = place.json(&create)["order_id"].as_str().unwrap().to_owned();
    place.ok(&["worker", "--drain"]);
    place.ok(&["order", "place", &id]);
    let first = place.json(&["audit"]);
    let counted = ["orders", "checkpoint", "covered_orders"].map(|key| &first[key]);
    assert_eq!(counted, [1, 1, 1], "{first}");
    let shop = Shop {
        place,
        placed: id.clone(),
        refunded: String::new(),
    };
    let edit = |customer: &str| {
        let sql = format!(
            "UPDATE orders SET customer = '{customer}' WHERE order_id = {}",
            blob(&id)
        );
        shop.falsify("oms.db", &sql);
    };
    let connection = Connection::open(shop.place.data_dir().join("oms.db")).unwrap();
    let customer: String = connection
        .query_row("SELECT customer FROM orders", [], |row| row.get(0))
        .unwrap();
    edit("somebody else");
    let second = shop.place.json(&["audit"]);
    assert_eq!(second["orders"], 0, "it is not read: {second}");
    shop.says_no("conservation", 1, "checkpoint 1");
    edit(&customer);
    audited(&shop.place);
    // As docs/data-model.md says, for when the change is meant to stay.
    edit("somebody else");
    let forget = "BEGIN; DELETE FROM checkpoints; DELETE FROM covered_sales; UPDATE batches SET checkpoint = 0; COMMIT;";
    connection.execute_batch(forget).unwrap();
    assert_eq!(audited(&shop.place)["covered_orders"], 1);
}

#[test]
fn a_storm_on_a_store_that_was_edited_by_hand_says_what_is_wrong_and_ends() {
    let shop = Shop::open();
    // What is held of one item is gone, its order is overdue, and an order that failed counts as placed.
    for sql in [
        "UPDATE items SET available = 0, blocked = 0 WHERE sku = 'SKU-00002'",
        "UPDATE batches SET hold_until = 1, closed = 0",
        "UPDATE orders SET hold_until = 1 WHERE order_id NOT IN (SELECT order_id FROM settlements)",
        "UPDATE settlements SET state = 2, reason = NULL, settled_at = NULL WHERE state = 3",
    ] {
        shop.falsify("oms.db", sql);
    }
    let storm = ["simulate", "--users", "40", "--items", "3", "--json"];
    let done = shop.place.run(&storm);
    assert_eq!(done.code, Some(3), "{done:?}");
    assert!(!done.stderr.contains("panicked"), "{done:?}");
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(report["verdict"], "broken", "{report}");
    assert_eq!(report["invariants"]["lost"], 0, "{report:#}");
    let found = report["findings"].as_array().unwrap();
    for (check, subject) in [
        ("conservation", "SKU-00002"),
        ("conservation", "SKU-00003"),
        ("uniqueness", shop.refunded.as_str()),
    ] {
        assert!(
            found
                .iter()
                .any(|one| one["check"] == check && one["subject"] == subject),
            "no {check} of {subject} in {report:#}"
        );
    }
}
