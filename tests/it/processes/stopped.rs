//! Processes that stand still (SIGSTOP) while they work: nobody hangs behind them, and nothing is decided twice.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rusqlite::Connection;

use super::{EXTRA_CART, Store, audited, put_extra, storm, went_well};
use crate::place::Place;
use crate::process::{Process, Serve, until, within};

/// The locks of an embedded store: that of the writer, and that of the next one.
struct WriteLock([File; 2]);

impl WriteLock {
    /// Of orders, queue and statuses.
    fn of(place: &Place) -> Self {
        Self::of_file(place, "oms.db")
    }

    /// Of the simulated gateway's ledger.
    fn of_ledger(place: &Place) -> Self {
        Self::of_file(place, "payments.db")
    }

    fn of_file(place: &Place, name: &str) -> Self {
        let open = |suffix| File::open(place.data_dir().join(format!("{name}{suffix}"))).unwrap();
        Self([".next.lock", ".write.lock"].map(open))
    }

    /// Whether somebody has one now.
    fn is_taken(&self) -> bool {
        !self.0.iter().all(|lock| {
            let is_free = lock.try_lock().is_ok();
            if is_free {
                lock.unlock().unwrap();
            }
            is_free
        })
    }

    /// Whether somebody keeps one: those who work have them for some milliseconds only.
    fn is_kept(&self) -> bool {
        !self.0.iter().all(|lock| {
            let deadline = Instant::now() + Duration::from_millis(700);
            loop {
                if lock.try_lock().is_ok() {
                    lock.unlock().unwrap();
                    return true;
                }
                if Instant::now() >= deadline {
                    return false;
                }
                std::thread::yield_now();
            }
        })
    }
}

/// Stops a process at a moment when it has this write lock and none of the others.
fn stop_holding(process: &Process, held: Option<&WriteLock>, free: &[WriteLock]) {
    until("the right moment to stop the process", || {
        if let Some(lock) = held {
            // Stopped at random, a process that is given little of a busy machine never has it.
            until("the lock to be taken", || lock.is_taken().then_some(()));
        }
        process.stop();
        if held.is_none_or(WriteLock::is_kept) && !free.iter().any(WriteLock::is_kept) {
            return Some(());
        }
        process.signal(Signal::SIGCONT);
        None
    });
}

/// All there are.
fn locks(place: &Place) -> [WriteLock; 2] {
    [WriteLock::of(place), WriteLock::of_ledger(place)]
}

/// A shop whose storm is small change to it, and that has `EXTRA`.
fn shop() -> (Place, Store, Serve) {
    let place = Place::seeded(200, 8);
    put_extra(&place);
    let serve = Serve::start(&place, &["--no-worker"]);
    let store = Store::of(&place);
    (place, store, serve)
}

/// Sends a cart that is accepted; its order's id.
#[track_caller]
fn accepted(serve: &Serve) -> String {
    let (status, accepted) = serve.send("POST /v1/carts", EXTRA_CART);
    assert_eq!(status, 202, "{accepted}");
    accepted["order_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_worker_takes_over_from_one_that_is_stopped_and_nothing_is_decided_twice() {
    let (place, store, serve) = shop();
    let stopped = Process::worker(&place, &[]);
    let storm = storm(&place, &serve, 1_000, "4s");
    store.has_decided(100);
    stop_holding(&stopped, None, &locks(&place));
    let _other = Process::worker(&place, &[]);
    let id = accepted(&serve);
    within(Duration::from_secs(6), "the other worker's turn", || {
        store.knows(&id).then_some(())
    });
    stopped.signal(Signal::SIGCONT);
    went_well(&storm.ended());
    assert_eq!(
        (store.open(), store.backlog()),
        (1, 0),
        "mine is not paid for"
    );
    assert_eq!(store.accepted(), store.orders());
    let done = stopped.stopped_by(Signal::SIGTERM, Duration::from_secs(10));
    assert_eq!(done.code, Some(0), "{done:?}");
    audited(&place);
}

#[test]
fn a_worker_stopped_inside_a_transaction_means_503_elsewhere_and_no_order_is_lost() {
    let (place, store, serve) = shop();
    let stopped = Process::worker(&place, &[]);
    let storm = storm(&place, &serve, 1_000, "2s");
    store.has_decided(50);
    stop_holding(&stopped, Some(&WriteLock::of(&place)), &[]);
    let asked = Instant::now();
    let (status, problem) = serve.send("POST /v1/carts", EXTRA_CART);
    assert_eq!(status, 503, "{problem}");
    assert!(problem["order_id"].is_string(), "{problem}");
    // A batch that waits for its turn is in front of it; each waits for five seconds at most.
    assert!(
        asked.elapsed() < Duration::from_secs(15),
        "{:?}",
        asked.elapsed()
    );
    // What only reads goes on.
    let asked = Instant::now();
    let (status, _) = serve.send("GET /v1/inventory/SKU-00001", "");
    assert_eq!(status, 200);
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
    let line = place.fails(
        1,
        &["inventory", "adjust", "EXTRA", "--by", "1", "--reason", "x"],
    );
    assert!(line.contains("is another process stopped?"), "{line}");
    stopped.signal(Signal::SIGCONT);
    let report = went_well(&storm.ended());
    assert!(report["orders"]["errors"].as_i64().unwrap() > 0, "{report}");
    assert_eq!((store.open(), store.backlog()), (0, 0));
    assert_eq!(store.accepted(), store.orders());
    // Those that were told that it was not done were told the truth.
    assert_eq!(store.number("SELECT count(*) FROM adjustments"), 0);
    assert!(!store.knows(problem["order_id"].as_str().unwrap()));
    audited(&place);
}

#[test]
fn a_stopped_server_goes_on_where_it_was() {
    let (place, store, serve) = shop();
    let _worker = Process::worker(&place, &[]);
    let storm = storm(&place, &serve, 600, "2s");
    store.has_decided(50);
    stop_holding(&serve.process, None, &locks(&place));
    let other = Serve::start(&place, &["--no-worker"]);
    let id = accepted(&other);
    let (status, placed) = other.send(&format!("POST /v1/orders/{id}/place"), "{}");
    assert_eq!((status, placed["status"].as_str()), (200, Some("PLACED")));
    serve.process.signal(Signal::SIGCONT);
    went_well(&storm.ended());
    assert_eq!(store.accepted(), store.orders());
    audited(&place);
}

#[test]
fn a_server_stopped_while_it_writes_the_ledger_delays_payments_elsewhere_and_nobody_pays_twice() {
    let (place, store, serve) = shop();
    let _worker = Process::worker(&place, &[]);
    let storm = storm(&place, &serve, 1_500, "5s");
    store.has_decided(50);
    stop_holding(
        &serve.process,
        Some(&WriteLock::of_ledger(&place)),
        &[WriteLock::of(&place)],
    );
    let other = Serve::start(&place, &["--no-worker"]);
    // Carts are accepted and decided; what waits is the payment, whose result nobody knows yet.
    let id = accepted(&other);
    until("the decision", || store.knows(&id).then_some(()));
    let (status, pending) = other.send(&format!("POST /v1/orders/{id}/place?wait=1s"), "{}");
    assert_eq!(
        (status, pending["status"].as_str()),
        (202, Some("PAYMENT_PENDING")),
        "{pending}"
    );
    let (status, _) = other.send("GET /readyz", "");
    assert_eq!(status, 200);
    serve.process.signal(Signal::SIGCONT);
    let (status, placed) = other.send(&format!("POST /v1/orders/{id}/place"), "{}");
    assert_eq!(
        (status, placed["status"].as_str()),
        (200, Some("PLACED")),
        "{placed}"
    );
    went_well(&storm.ended());
    assert_eq!(store.accepted(), store.orders());
    audited(&place);
}

/// A lock held by the test, as a stopped process would hold it.
fn hold(path: &Path) -> File {
    let lock = File::open(path).unwrap();
    lock.lock().unwrap();
    lock
}

#[test]
fn an_offset_that_could_not_be_committed_is_committed_later_and_the_queue_drains() {
    let place = Place::seeded(1, 5);
    let apart = ["--queue-url", "sqlite:queue.db"];
    let with = |args: &[&'static str]| [args, &apart].concat();
    // The first worker records the gateway, which is a write.
    place.ok(&with(&["worker", "--drain"]));
    place.ok(&with(&["order", "create", "--line", "SKU-00001"]));
    let store = Store::of(&place);
    let queue = Connection::open(place.path("queue.db")).unwrap();
    // The worker reads the cart and cannot decide it; then it decides it and cannot say so.
    let inventory_lock = hold(&place.data_dir().join("oms.db.write.lock"));
    let worker = Process::start(&place, &with(&["worker", "--drain"]));
    until("the worker's lease", || {
        let owned = "SELECT owner IS NOT NULL FROM queue_group";
        queue
            .query_row(owned, [], |row| row.get::<_, bool>(0))
            .unwrap()
            .then_some(())
    });
    worker.complains("a batch is tried again");
    let queue_lock = hold(&place.path("queue.db.write.lock"));
    drop(inventory_lock);
    worker.complains("offsets are not committed");
    assert_eq!(store.orders(), 1);
    drop(queue_lock);
    let done = worker.ended_within(Duration::from_secs(10));
    assert_eq!(done.code, Some(0), "{done:?}");
    let committed = "SELECT committed FROM queue_group";
    assert_eq!(queue.query_row(committed, [], |row| row.get(0)), Ok(1));
    audited(&place);
}

#[test]
fn a_batch_that_nobody_can_decide_for_long_is_reported() {
    let place = Place::seeded(1, 5);
    let apart = [
        "--queue-url",
        "sqlite:queue.db",
        "--status-url",
        "sqlite:queue.db",
    ];
    let with = |args: &[&'static str]| [args, &apart].concat();
    // Records the gateway, which is a write.
    place.ok(&with(&["worker", "--drain"]));
    let serve = Serve::start(&place, &apart);
    let _lock = hold(&place.data_dir().join("oms.db.write.lock"));
    let cart = r#"{"customer":"c1","lines":[{"sku":"SKU-00001","quantity":1}]}"#;
    let (status, accepted) = serve.send("POST /v1/carts", cart);
    assert_eq!(status, 202, "{accepted}");
    // As long as a restart of a database takes, nothing is said.
    let problem = within(Duration::from_secs(90), "the report of the batch", || {
        let (status, problem) = serve.send("GET /readyz", "");
        let detail = problem["detail"].as_str().unwrap_or_default().to_owned();
        (status == 503 && detail.contains("the batch at")).then_some(detail)
    });
    assert!(
        problem.contains("partition 0, offset 0 has failed for 3"),
        "{problem}"
    );
    assert!(problem.contains("another process"), "{problem}");
    let done = place.run(&with(&["doctor", "--json"]));
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.stdout.contains("is another process stopped?"),
        "{done:?}"
    );
}
