//! The program as many processes on the embedded stores: what crashes, stops, and opponents do to it.
//!
//! Every test ends with the audit. Storms are small: what is tested is what happens in the middle of one.

mod acceptance;
mod bad_input;
mod crashes;
mod full;
mod lab;
mod real_day;
mod repeated;
mod scenarios;
mod shutdown;
mod stopped;
mod tampering;
mod targeted;
mod together;

use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::place::{Done, Place};
use crate::process::{Process, Serve, until};

/// The embedded store, looked at from beside.
struct Store(Connection);

impl Store {
    fn of(place: &Place) -> Self {
        let path = place.data_dir().join("oms.db");
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        Self(connection)
    }

    fn number(&self, sql: &str) -> i64 {
        self.0.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Orders that the database knows.
    fn orders(&self) -> i64 {
        self.number("SELECT count(*) FROM orders")
    }

    /// Carts that were ever accepted.
    fn accepted(&self) -> i64 {
        self.number("SELECT count(*) FROM queue_messages")
    }

    /// Carts of which nobody has said that they are decided.
    fn backlog(&self) -> i64 {
        self.number(
            "SELECT ifnull(max(message_offset) + 1, 0) - (SELECT committed FROM queue_group) FROM queue_messages",
        )
    }

    /// Orders that are neither placed nor failed.
    fn open(&self) -> i64 {
        self.number(
            "SELECT count(*) FROM orders WHERE order_id NOT IN (SELECT order_id FROM settlements)",
        )
    }

    /// Whether the database knows an order.
    fn knows(&self, id: &str) -> bool {
        let sql = "SELECT count(*) FROM orders WHERE order_id = unhex(?1, '-')";
        let count: i64 = self.0.query_row(sql, [id], |row| row.get(0)).unwrap();
        count == 1
    }

    /// Waits until the storm is in its middle.
    #[track_caller]
    fn has_decided(&self, orders: i64) {
        until("so many decided orders", || {
            (self.orders() >= orders).then_some(())
        });
    }
}

/// Puts an item up for sale of which there is always enough.
fn put_extra(place: &Place) {
    place.write("extra.csv", "sku,name,price,stock\nEXTRA,Extra,100,1000\n");
    place.ok(&["seed", "--items", "extra.csv"]);
}

/// A cart with one unit of it.
const EXTRA_CART: &str = r#"{"customer":"c1","lines":[{"sku":"EXTRA","quantity":1}]}"#;

/// A storm over HTTP, as a process.
fn storm(place: &Place, serve: &Serve, users: u32, ramp: &str) -> Process {
    storm_by(
        place,
        serve,
        &["--users", &users.to_string(), "--ramp", ramp],
    )
}

/// A storm over HTTP by these flags, as a process.
fn storm_by(place: &Place, serve: &Serve, flags: &[&str]) -> Process {
    let url = serve.url();
    let args = [&["simulate", "--target", &url, "--json"], flags].concat();
    Process::start(place, &args)
}

/// The report of a storm that went well: nobody interrupted it, every order is final and known, and nothing is wrong.
#[track_caller]
fn went_well(done: &Done) -> Value {
    assert_eq!(done.code, Some(0), "{done:?}");
    let report = found_nothing(done);
    assert_eq!(report["interrupted"], false, "{report}");
    assert_eq!(report["orders"]["in_doubt"], 0, "{report}");
    report
}

/// The report of a storm that found nothing wrong. A machine that is busy may make the generator late, which is not the
/// point here.
#[track_caller]
fn found_nothing(done: &Done) -> Value {
    let report = report(done);
    is_sound(&report);
    let code = if report["valid"] == true { 0 } else { 6 };
    assert_eq!(done.code, Some(code), "{done:?}");
    let orders = &report["orders"];
    assert_eq!(
        number(&orders["accepted"]),
        number(&orders["placed"]) + sum(&orders["failed"]),
        "{report:#}"
    );
    report
}

/// The report that a storm has printed, well or not.
#[track_caller]
fn report(done: &Done) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

/// That a report finds nothing wrong.
#[track_caller]
fn is_sound(report: &Value) {
    assert_eq!(report["verdict"], "ok", "{report:#}");
    let invariants = report["invariants"].as_object().unwrap();
    for key in ["oversold", "undersold", "lost", "stuck", "unrefunded"] {
        assert_eq!(invariants[key], 0, "{report:#}");
    }
    assert!(invariants.values().all(|count| count == 0), "{report:#}");
}

/// That neither an audit of what is new nor one of all that is stored finds anything wrong; the report of the latter.
#[track_caller]
fn audited(place: &Place) -> Value {
    audit_finds_nothing(place, &["audit", "--json"]);
    audit_finds_nothing(place, &["audit", "--full", "--json"])
}

#[track_caller]
fn audit_finds_nothing(place: &Place, audit: &[&str]) -> Value {
    let done = place.run(audit);
    assert_eq!(done.code, Some(0), "{done:?}");
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(report["ok"], true, "{report}");
    report
}

#[track_caller]
fn number(value: &Value) -> i64 {
    value.as_i64().unwrap()
}

/// The sum over an object's values.
#[track_caller]
fn sum(object: &Value) -> i64 {
    object.as_object().unwrap().values().map(number).sum()
}
