//! What the contract suite of the port cannot see: lost messages, servers that go away, users, encryption.

mod away;
mod cluster;
mod login;
mod server;

use std::time::Duration;

use super::*;
use crate::domain::{CartHash, Reason, Status, StatusSet, Timestamp};
use crate::inventory::StockLevel;
use crate::sqlite::testing::{ManualClock, soon};
use server::Server;

const MINUTE: Duration = Duration::from_secs(60);
const HASH: CartHash = CartHash::from_bytes([7; 16]);

type Store = RedisStatuses<ManualClock>;

fn id(number: u32) -> OrderId {
    let mut random = [5; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    OrderId::v7(1_700_000_000_000, &random)
}

/// A transition to a status, over everything of a lower rank, for a minute.
fn to(clock: &ManualClock, number: u32, status: Status) -> Transition {
    let now = clock.now();
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

fn in_an_hour() -> Instant {
    Instant::now() + Duration::from_secs(3_600)
}

/// Waits until changes are told to this store.
async fn subscribed(store: &Store) {
    store.ensure_following();
    soon(async {
        while !store.inner.told.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_another_process_writes_wakes_long_before_the_safety_net() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let clock = ManualClock::default();
    let (one, other) = (server.open(&clock).await, server.open(&clock).await);
    subscribed(&one).await;
    let began = Instant::now();
    for number in 0..50 {
        other
            .transition(vec![to(&clock, number, Status::Init)])
            .await
            .unwrap();
        let mut block = to(&clock, number, Status::Block);
        // The entry that wakes has the stored hash, also where the writer did not know it.
        block.cart_hash = None;
        let wait = one.wait(id(number), Status::Init.rank(), in_an_hour());
        let (woken, written) =
            soon(async { tokio::join!(wait, other.transition(vec![block])) }).await;
        written.unwrap();
        let entry = woken.unwrap().unwrap();
        assert_eq!((entry.status, entry.cart_hash), (Status::Block, Some(HASH)));
    }
    // Had the safety net found them, every one would have taken a second on average.
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(one.inner.waiters.is_empty());
}

#[tokio::test]
async fn ten_thousand_waiters_are_woken_by_another_process() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let clock = ManualClock::default();
    let (one, other) = (
        Arc::new(server.open(&clock).await),
        server.open(&clock).await,
    );
    let waiting: Vec<_> = (0..10_000)
        .map(|number| {
            let one = Arc::clone(&one);
            tokio::spawn(async move { one.wait(id(number), 0, in_an_hour()).await })
        })
        .collect();
    let batch = (0..10_000).map(|number| to(&clock, number, Status::Failed));
    other.transition(batch.collect()).await.unwrap();
    for waiter in waiting {
        let entry = soon(waiter).await.unwrap().unwrap().unwrap();
        assert_eq!(entry.reason, Some(Reason::SoldOut));
    }
}

#[tokio::test]
async fn flushing_everything_leaves_waiters_their_deadline() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let clock = ManualClock::default();
    let store = server.open(&clock).await;
    store
        .transition(vec![to(&clock, 1, Status::Init)])
        .await
        .unwrap();
    let deadline = Instant::now() + Duration::from_millis(700);
    let wait = store.wait(id(1), Status::Init.rank(), deadline);
    let flush = async {
        subscribed(&store).await;
        let _: () = server.admin("FLUSHALL");
    };
    let (entry, ()) = soon(async { tokio::join!(wait, flush) }).await;
    assert_eq!(entry.unwrap(), None);
    assert!(Instant::now() >= deadline);
    assert!(store.history(id(1)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_change_that_nobody_was_told_of_is_found_by_the_safety_net() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    // A user who may not publish: its script writes all the same.
    let _: () = server.admin("ACL SETUSER mute on >m ~* resetchannels -@all +mget +get +set +eval");
    let clock = ManualClock::default();
    let store = server.open(&clock).await;
    let mute: Store = RedisStatuses::connect(&server.url_with("mute:m@"), clock.clone())
        .await
        .unwrap();
    subscribed(&store).await;
    let write = mute.transition(vec![to(&clock, 1, Status::Block)]);
    let (entry, written) =
        soon(async { tokio::join!(store.wait(id(1), 0, in_an_hour()), write) }).await;
    assert_eq!(written.unwrap(), [Transitioned::Applied]);
    assert_eq!(entry.unwrap().unwrap().status, Status::Block);
    // And a user who may not subscribe still waits.
    let write = store.transition(vec![to(&clock, 2, Status::Block)]);
    let (entry, _) = soon(async { tokio::join!(mute.wait(id(2), 0, in_an_hour()), write) }).await;
    assert_eq!(entry.unwrap().unwrap().status, Status::Block);
}

#[tokio::test]
async fn a_wait_that_is_dropped_leaves_nothing_and_a_dropped_store_hangs_up() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let clock = ManualClock::default();
    let store = server.open(&clock).await;
    subscribed(&store).await;
    let wait = store.wait(id(1), 0, in_an_hour());
    let dropped = tokio::time::timeout(Duration::from_millis(50), wait).await;
    assert!(dropped.is_err());
    assert!(store.inner.waiters.is_empty());
    let inner = Arc::downgrade(&store.inner);
    drop(store);
    soon(async {
        let clients = || server.admin::<String>("CLIENT LIST").lines().count();
        // The administrator is the last one.
        while inner.strong_count() > 0 || clients() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_transition_that_is_sent_again_was_applied() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let clock = ManualClock::default();
    let store = server.open(&clock).await;
    let batch = [to(&clock, 1, Status::Init), to(&clock, 2, Status::Block)];
    let token = store.inner.token.load(Ordering::Relaxed);
    for _ in 0..2 {
        store.inner.token.store(token, Ordering::Relaxed);
        let results = store.transition(batch.to_vec()).await.unwrap();
        assert_eq!(results, [Transitioned::Applied; 2]);
    }
    let results = store.transition(batch.to_vec()).await.unwrap();
    assert!(!results.contains(&Transitioned::Applied));
    assert_eq!(store.history(id(2)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_status_counts_as_missing_and_stops_nobody() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let clock = ManualClock::default();
    let store = server.open(&clock).await;
    let key = |number| store.inner.keys.order(id(number));
    let _: () = server.admin(&format!("HSET {} a b", key(1)));
    let _: () = server.admin(&format!("SET {} nonsense", key(2)));
    let _: () = server.admin(&format!(
        "HSET {} a b",
        store.inner.keys.stock(&Sku::synthetic(1))
    ));
    assert_eq!(store.get(vec![id(1), id(2)]).await.unwrap(), [None, None]);
    assert!(store.history(id(2)).await.unwrap().is_empty());
    let mut pending = to(&clock, 1, Status::PaymentPending);
    pending.from = StatusSet::only(Status::Block);
    let batch = vec![
        pending,
        to(&clock, 1, Status::Init),
        to(&clock, 2, Status::Init),
        to(&clock, 3, Status::Init),
    ];
    let results = store.transition(batch).await.unwrap();
    let applied = Transitioned::Applied;
    assert_eq!(
        results,
        [Transitioned::Refused(None), applied, applied, applied]
    );
    assert_eq!(store.history(id(1)).await.unwrap().len(), 1);
    store.cache_stock(cached_now(&clock, 5)).await.unwrap();
    assert_eq!(cached(&store).await, Some(5));
}

/// Values that another program, or an older one, may have left under our keys: none of them is a status, though all
/// begin like one.
fn foreign_values() -> Vec<Vec<u8>> {
    let clock = ManualClock::default();
    let [_, _, value] = value::argument(&to(&clock, 1, Status::Failed), 1, clock.now());
    let cut = (1..value.len()).map(|bytes| value[..bytes].to_owned());
    let others = [
        value.replace("FAILED  ", "FALLEN  "),
        value.replace("FAILED 1", "FAILED x"),
        value.replace(" BwcH", " Bw H"),
        value.replace('\n', " "),
    ];
    let texts = cut.chain(others).map(String::into_bytes);
    texts.chain([vec![1; 45], vec![0xff; 130]]).collect()
}

#[tokio::test]
async fn foreign_values_of_any_length_count_as_missing_and_stop_nobody() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let clock = ManualClock::default();
    let store = server.open(&clock).await;
    let values = foreign_values();
    for (value, number) in values.iter().zip(0..) {
        assert!(server.plant(&store.inner.keys.order(id(number)), value));
    }
    let count = u32::try_from(values.len()).unwrap();
    let known = store.get((0..count).map(id).collect()).await.unwrap();
    assert!(known.iter().all(Option::is_none), "{known:?}");
    // They share a chunk with one that is ours.
    let mut batch: Vec<_> = (0..=count)
        .map(|number| to(&clock, number, Status::Init))
        .collect();
    let mut pending = to(&clock, 0, Status::PaymentPending);
    pending.from = StatusSet::only(Status::Block);
    batch.insert(0, pending);
    let results = store.transition(batch).await.unwrap();
    assert_eq!(results[0], Transitioned::Refused(None));
    assert!(
        results[1..]
            .iter()
            .all(|result| *result == Transitioned::Applied),
        "{results:?}"
    );
    assert_eq!(store.history(id(1)).await.unwrap().len(), 1);
    let stock = store.inner.keys.stock(&Sku::synthetic(1));
    // One of 41 bytes is what a level looks like.
    for value in values.iter().filter(|value| value.len() != 41) {
        assert!(server.plant(&stock, value));
        assert_eq!(cached(&store).await, None, "{} bytes", value.len());
        store.cache_stock(cached_now(&clock, 5)).await.unwrap();
        assert_eq!(cached(&store).await, Some(5), "{} bytes", value.len());
    }
}

#[tokio::test]
async fn a_history_is_bounded_and_keeps_the_latest_changes_to_the_byte() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let clock = ManualClock::default();
    let store = server.open(&clock).await;
    let anything = Status::ALL
        .into_iter()
        .fold(StatusSet::MISSING, |set, status| {
            set.or(StatusSet::only(status))
        });
    let at = |number: i64| Timestamp::from_millis(9_999_999_999_900 + number);
    for number in 0..70_u8 {
        let mut one = to(&clock, 1, Status::ALL[usize::from(number % 7)]);
        (one.from, one.at) = (anything, at(i64::from(number)));
        // The longest there is.
        one.reason = Some(Reason::NegativeInventory);
        // The longest time there is must do no harm.
        one.expires_at = Timestamp::from_millis(i64::MAX);
        let applied = store.transition(vec![one]).await.unwrap();
        assert_eq!(applied, [Transitioned::Applied]);
    }
    let history = store.history(id(1)).await.unwrap();
    assert_eq!(history.len(), 64);
    for (change, number) in history.iter().zip(6_u8..) {
        assert_eq!(change.status, Status::ALL[usize::from(number % 7)]);
        assert_eq!(change.at, at(i64::from(number)));
    }
}

#[tokio::test]
async fn steps_of_one_order_in_a_batch_are_one_write_that_keeps_them_all() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let clock = ManualClock::default();
    let store = server.open(&clock).await;
    let steps = [
        Status::Init,
        Status::Block,
        Status::PaymentPending,
        Status::PaymentSuccess,
        Status::Placed,
    ];
    // In between those of others, and too many for one command.
    let batch: Vec<Transition> = (steps.iter())
        .flat_map(|status| (0..300).map(|number| to(&clock, number, *status)))
        .collect();
    let _: () = server.admin("CONFIG RESETSTAT");
    let results = store.transition(batch).await.unwrap();
    assert_eq!(results, vec![Transitioned::Applied; 1_500]);
    let statistics: String = server.admin("INFO commandstats");
    // One order has steps in either command.
    assert!(
        statistics.contains("cmdstat_set:calls=300,"),
        "{statistics}"
    );
    for number in [0, 299] {
        let history = store.history(id(number)).await.unwrap();
        let told: Vec<Status> = history.iter().map(|change| change.status).collect();
        assert_eq!(told, steps);
    }
    // Each stands on its own, as if it had come alone.
    let mut from_init = to(&clock, 1, Status::PaymentPending);
    from_init.from = StatusSet::only(Status::Init);
    let batch = vec![
        to(&clock, 1_000, Status::Block),
        from_init,
        to(&clock, 1_000, Status::Init),
        to(&clock, 1_000, Status::Failed),
    ];
    let results = store.transition(batch).await.unwrap();
    let stands = |result: &Transitioned| match result {
        Transitioned::Applied => None,
        Transitioned::Refused(present) => Some(present.map(|entry| entry.status)),
    };
    let stands: Vec<_> = results.iter().map(stands).collect();
    let refused = |status| Some(Some(status));
    assert_eq!(
        stands,
        [None, refused(Status::Placed), refused(Status::Block), None]
    );
}

#[tokio::test]
async fn an_expired_entry_is_missing_and_leaves_neither_cart_nor_history() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let clock = ManualClock::default();
    let store = server.open(&clock).await;
    let block = to(&clock, 1, Status::Block);
    store.transition(vec![block]).await.unwrap();
    let ttl: i64 = server.admin(&format!("PTTL {}", store.inner.keys.order(id(1))));
    assert!((50_000..=60_000).contains(&ttl), "{ttl} ms");
    clock.advance(MINUTE);
    assert_eq!(store.get(vec![id(1)]).await.unwrap(), [None]);
    let mut over_block = to(&clock, 1, Status::Placed);
    over_block.from = StatusSet::only(Status::Block);
    let refused = store.transition(vec![over_block]).await.unwrap();
    assert_eq!(refused, [Transitioned::Refused(None)]);
    let mut init = to(&clock, 1, Status::Init);
    init.cart_hash = None;
    let applied = store.transition(vec![init]).await.unwrap();
    assert_eq!(applied, [Transitioned::Applied]);
    let entry = store.get(vec![id(1)]).await.unwrap()[0].unwrap();
    assert_eq!((entry.status, entry.cart_hash), (Status::Init, None));
    assert_eq!(store.history(id(1)).await.unwrap().len(), 1);
    // Written when it had expired already: it is forgotten at once, and nothing breaks.
    let mut late = to(&clock, 2, Status::Init);
    late.expires_at = late.at;
    let applied = store.transition(vec![late]).await.unwrap();
    assert_eq!(applied, [Transitioned::Applied]);
    assert_eq!(store.get(vec![id(2)]).await.unwrap(), [None]);
}

#[tokio::test]
async fn a_higher_version_of_cached_stock_stays_for_100_ms_unless_it_is_from_the_future() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let clock = ManualClock::default();
    let store = server.open(&clock).await;
    // Beyond what a number of Lua can tell apart.
    let high = u64::MAX - 10;
    let cache = |version: u64| store.cache_stock(cached_now(&clock, high + version));
    cache(5).await.unwrap();
    cache(3).await.unwrap();
    assert_eq!(cached(&store).await, Some(high + 5));
    clock.advance(Duration::from_millis(100));
    cache(4).await.unwrap();
    assert_eq!(cached(&store).await, Some(high + 5));
    clock.advance(Duration::from_millis(1));
    cache(3).await.unwrap();
    assert_eq!(cached(&store).await, Some(high + 3));
    clock.turn_back(MINUTE);
    cache(2).await.unwrap();
    assert_eq!(cached(&store).await, Some(high + 2));
    cache(4).await.unwrap();
    assert_eq!(cached(&store).await, Some(high + 4));
}

/// An item's stock of a version, known now.
fn cached_now(clock: &ManualClock, version: u64) -> Vec<CachedStock> {
    let level = StockLevel {
        sku: Sku::synthetic(1),
        available: -1,
        blocked: 2,
        sold: 3,
        version,
        earliest_hold: None,
    };
    CachedStock::all([level], clock.now())
}

async fn cached(store: &Store) -> Option<u64> {
    let cached = store.cached_stock(vec![Sku::synthetic(1)]).await.unwrap();
    Some(cached[0].as_ref()?.level.version)
}
