//! What the contract suite of the port cannot see: several processes, the log of changes, purging.

use std::time::Duration;

use super::changes::{Follower, Found};
use super::*;
use crate::domain::{CartHash, Reason, Status, StatusSet, Timestamp};
use crate::inventory::StockLevel;
use crate::sqlite::Scope;
use crate::sqlite::testing::{ManualClock, TestFile, soon};

const MINUTE: Duration = Duration::from_secs(60);
const HASH: CartHash = CartHash::from_bytes([7; 16]);

struct Bench {
    clock: ManualClock,
    file: TestFile,
}

impl Bench {
    fn new() -> Self {
        Self {
            clock: ManualClock::default(),
            file: TestFile::new(Scope::Statuses),
        }
    }

    /// A process of its own on the same file.
    fn open(&self) -> SqliteStatuses<ManualClock> {
        SqliteStatuses::open(self.file.open(), self.clock.clone()).unwrap()
    }

    /// A transition to a status, over everything of a lower rank, for a minute.
    fn to(&self, number: u32, status: Status) -> Transition {
        let now = self.clock.now();
        Transition {
            order_id: id(number),
            from: StatusSet::below(status),
            to: status,
            reason: (status == Status::Failed).then_some(Reason::SoldOut),
            cart_hash: Some(HASH),
            at: now,
            expires_at: now.plus(MINUTE),
        }
    }
}

fn id(number: u32) -> OrderId {
    OrderId::v7(1_700_000_000_000 + u64::from(number), &[5; 10])
}

fn in_an_hour() -> Instant {
    Instant::now() + Duration::from_secs(3_600)
}

fn rows(statuses: &SqliteStatuses<ManualClock>, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    let count =
        |connection: &rusqlite::Connection| connection.query_row(&sql, [], |row| row.get(0));
    statuses.0.store.read("count", count).unwrap()
}

#[tokio::test]
async fn a_status_written_by_any_process_wakes_whoever_waits_for_it() {
    let bench = Bench::new();
    let (one, other) = (bench.open(), bench.open());
    for (number, writer) in [(1, &one), (2, &other)] {
        writer
            .transition(vec![bench.to(number, Status::Init)])
            .await
            .unwrap();
        let above = Status::Init.rank();
        let mut block = bench.to(number, Status::Block);
        // The entry that wakes has the stored hash, also where the writer did not know it.
        block.cart_hash = None;
        let (woken, written) = soon(async {
            tokio::join!(
                one.wait(id(number), above, in_an_hour()),
                writer.transition(vec![block])
            )
        })
        .await;
        written.unwrap();
        let entry = woken.unwrap().unwrap();
        assert_eq!((entry.status, entry.cart_hash), (Status::Block, Some(HASH)));
    }
    assert!(one.0.waiters.is_empty());
}

#[tokio::test]
async fn a_thousand_waiters_are_woken_by_one_batch_of_another_process() {
    let bench = Bench::new();
    let (one, other) = (Arc::new(bench.open()), bench.open());
    let waiting: Vec<_> = (0..1_000)
        .map(|number| {
            let one = Arc::clone(&one);
            tokio::spawn(async move { one.wait(id(number), 0, in_an_hour()).await })
        })
        .collect();
    let batch = (0..1_000).map(|number| bench.to(number, Status::Failed));
    other.transition(batch.collect()).await.unwrap();
    for waiter in waiting {
        let entry = soon(waiter).await.unwrap().unwrap().unwrap();
        assert_eq!(entry.reason, Some(Reason::SoldOut));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_deadline_to_the_millisecond() {
    let bench = Bench::new();
    let statuses = bench.open();
    let deadline = Instant::now() + Duration::from_millis(1_234);
    assert_eq!(statuses.wait(id(1), 0, deadline).await.unwrap(), None);
    assert!(Instant::now() - deadline <= Duration::from_millis(1));
    assert!(statuses.0.waiters.is_empty());
}

#[tokio::test]
async fn a_wait_that_is_dropped_leaves_nothing_and_the_follower_lets_the_store_go() {
    let bench = Bench::new();
    let statuses = bench.open();
    let store = Arc::downgrade(&statuses.0.store);
    {
        let wait = statuses.wait(id(1), 0, in_an_hour());
        let dropped = tokio::time::timeout(Duration::from_millis(5), wait).await;
        assert!(dropped.is_err());
    }
    assert!(statuses.0.waiters.is_empty());
    drop(statuses);
    soon(async {
        while store.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_follower_that_has_ended_is_started_again() {
    let bench = Bench::new();
    let (one, other) = (bench.open(), bench.open());
    one.wait(id(1), 0, Instant::now()).await.unwrap();
    soon(async {
        while one.0.following.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let batch = vec![bench.to(1, Status::Init)];
    let (woken, _) =
        soon(async { tokio::join!(one.wait(id(1), 0, in_an_hour()), other.transition(batch)) })
            .await;
    assert_eq!(woken.unwrap().unwrap().status, Status::Init);
}

#[tokio::test]
async fn an_expired_entry_is_missing_and_leaves_neither_cart_nor_history() {
    let bench = Bench::new();
    let statuses = bench.open();
    statuses
        .transition(vec![bench.to(1, Status::Block)])
        .await
        .unwrap();
    bench.clock.advance(MINUTE);
    assert_eq!(statuses.get(vec![id(1)]).await.unwrap(), [None]);
    assert!(statuses.history(id(1)).await.unwrap().is_empty());
    let mut over_block = bench.to(1, Status::Placed);
    over_block.from = StatusSet::only(Status::Block);
    let refused = statuses.transition(vec![over_block]).await.unwrap();
    assert_eq!(refused, [Transitioned::Refused(None)]);
    let mut init = bench.to(1, Status::Init);
    init.cart_hash = None;
    let applied = statuses.transition(vec![init]).await.unwrap();
    assert_eq!(applied, [Transitioned::Applied]);
    let entry = statuses.get(vec![id(1)]).await.unwrap()[0].unwrap();
    assert_eq!((entry.status, entry.cart_hash), (Status::Init, None));
    assert_eq!(statuses.history(id(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_history_is_bounded_and_keeps_the_latest_changes_to_the_byte() {
    let bench = Bench::new();
    let statuses = bench.open();
    let anything = Status::ALL
        .into_iter()
        .fold(StatusSet::MISSING, |set, status| {
            set.or(StatusSet::only(status))
        });
    // Times whose bytes are no text, zeros among them.
    let at = |number: i64| Timestamp::from_millis(number << 8 | 0x7f00_ff80_0000_0000);
    for number in 0..70_u8 {
        let mut one = bench.to(1, Status::ALL[usize::from(number % 7)]);
        (one.from, one.at) = (anything, at(i64::from(number)));
        let applied = statuses.transition(vec![one]).await.unwrap();
        assert_eq!(applied, [Transitioned::Applied]);
    }
    let history = statuses.history(id(1)).await.unwrap();
    assert_eq!(history.len(), 64);
    for (change, number) in history.iter().zip(6_u8..) {
        assert_eq!(change.status, Status::ALL[usize::from(number % 7)]);
        assert_eq!(change.at, at(i64::from(number)));
    }
}

#[tokio::test]
async fn a_higher_version_of_cached_stock_stays_for_100_ms_unless_it_is_from_the_future() {
    let bench = Bench::new();
    let statuses = bench.open();
    let sku = Sku::new("A").unwrap();
    let cache = |version: u64| {
        let level = StockLevel {
            sku: sku.clone(),
            available: 1,
            blocked: 2,
            sold: 3,
            version,
            earliest_hold: None,
        };
        statuses.cache_stock(CachedStock::all([level], bench.clock.now()))
    };
    let cached = || async {
        let stock = statuses.cached_stock(vec![sku.clone()]).await.unwrap();
        stock[0].clone().unwrap().level.version
    };
    cache(5).await.unwrap();
    cache(3).await.unwrap();
    assert_eq!(cached().await, 5);
    bench.clock.advance(Duration::from_millis(100));
    cache(3).await.unwrap();
    assert_eq!(cached().await, 5);
    bench.clock.advance(Duration::from_millis(1));
    cache(3).await.unwrap();
    assert_eq!(cached().await, 3);
    bench.clock.turn_back(MINUTE);
    cache(2).await.unwrap();
    assert_eq!(cached().await, 2);
    cache(4).await.unwrap();
    assert_eq!(cached().await, 4);
}

#[tokio::test]
async fn expired_entries_are_forgotten_as_others_are_written() {
    let bench = Bench::new();
    let statuses = bench.open();
    let batch = |numbers: std::ops::Range<u32>| {
        let batch = numbers.map(|number| bench.to(number, Status::Init));
        statuses.transition(batch.collect())
    };
    batch(0..2_000).await.unwrap();
    bench.clock.advance(MINUTE);
    // Enough for the walk that is under way and for a whole one; refused ones count as well.
    for _ in 0..20 {
        batch(2_000..2_600).await.unwrap();
    }
    assert_eq!(rows(&statuses, "statuses"), 600);
    let left = statuses.get(vec![id(1_999), id(2_000)]).await.unwrap();
    assert!(left[0].is_none() && left[1].is_some());
}

#[tokio::test]
async fn the_log_of_changes_stays_short_and_tells_who_fell_behind() {
    let bench = Bench::new();
    let statuses = bench.open();
    let mut follower = Follower::default();
    let mut look = || {
        let store = &statuses.0.store;
        store
            .read("look", |connection| follower.look(connection))
            .unwrap()
    };
    let changes = |numbers: &[u32]| Found::Changes {
        changed: numbers.iter().map(|n| (id(*n), Status::Init)).collect(),
        more: false,
    };
    let write = |number: u32| {
        let batch = vec![bench.to(number, Status::Init)];
        async { statuses.transition(batch).await.unwrap() }
    };
    assert_eq!(look(), Found::Gap);
    assert_eq!(look(), changes(&[]));
    write(1).await;
    write(2).await;
    assert_eq!(look(), changes(&[1, 2]));
    // A refusal is no change.
    write(2).await;
    assert_eq!(look(), changes(&[]));
    for number in 3..10 {
        write(number).await;
    }
    bench.clock.advance(Duration::from_secs(6));
    for number in 10..20 {
        write(number).await;
    }
    assert_eq!(rows(&statuses, "status_changes"), 10);
    assert_eq!(look(), Found::Gap);
    write(20).await;
    assert_eq!(look(), changes(&[20]));
    bench.clock.turn_back(MINUTE);
    for number in 21..40 {
        write(number).await;
    }
    assert_eq!(rows(&statuses, "status_changes"), 19);
}
