//! What [`Statuses`] promises.

use std::time::Duration;

use oms::domain::{CartHash, Reason, Status, StatusSet, Timestamp};
use oms::inventory::StockLevel;
use oms::ports::Clock;
use oms::statuses::{CachedStock, StatusEntry, Statuses, Transition, Transitioned};
use tokio::time::{Instant, sleep};

use super::Fixture;
use crate::make::{id, sku};

const AN_HOUR: Duration = Duration::from_secs(3_600);
const SOON: Duration = Duration::from_secs(5);
const HASH: CartHash = CartHash::from_bytes([9; 16]);

impl<S: Statuses> Fixture<S> {
    /// A transition by rank, as the flow writes outcomes.
    fn to(&self, number: u64, to: Status) -> Transition {
        let at = self.clock.now();
        Transition {
            order_id: id(number),
            from: StatusSet::below(to),
            to,
            reason: None,
            cart_hash: None,
            at,
            expires_at: at.plus(AN_HOUR),
        }
    }

    async fn write(&self, transition: Transition) -> Transitioned {
        let mut results = self.port.transition(vec![transition]).await.unwrap();
        assert_eq!(results.len(), 1, "one result per transition");
        results.remove(0)
    }

    async fn entry(&self, number: u64) -> Option<StatusEntry> {
        self.other.get(vec![id(number)]).await.unwrap().remove(0)
    }

    async fn status(&self, number: u64) -> Option<Status> {
        self.entry(number).await.map(|entry| entry.status)
    }

    /// Caches what is known now.
    async fn cache<const N: usize>(&self, levels: [StockLevel; N]) {
        let cached = CachedStock::all(levels, self.clock.now());
        self.port.cache_stock(cached).await.unwrap();
    }

    async fn cached(&self, name: &str) -> Option<(u64, i64, Timestamp)> {
        let cached = self
            .other
            .cached_stock(vec![sku(name)])
            .await
            .unwrap()
            .remove(0)?;
        Some((
            cached.level.version,
            cached.level.available,
            cached.cached_at,
        ))
    }
}

fn level(name: &str, version: u64, available: i64) -> StockLevel {
    StockLevel {
        sku: sku(name),
        available,
        blocked: 2,
        sold: 3,
        version,
        earliest_hold: Some(Timestamp::from_millis(5)),
    }
}

pub async fn an_unknown_order_has_no_status(store: &Fixture<impl Statuses>) {
    assert_eq!(
        store.other.get(vec![id(1), id(2)]).await.unwrap(),
        [None, None]
    );
    assert_eq!(store.other.get(Vec::new()).await.unwrap(), []);
    assert_eq!(store.other.history(id(1)).await.unwrap(), []);
    assert_eq!(store.port.transition(Vec::new()).await.unwrap(), []);
}

pub async fn a_status_is_kept_as_written(store: &Fixture<impl Statuses>) {
    let written = Transition {
        reason: Some(Reason::NegativeInventory),
        cart_hash: Some(HASH),
        ..store.to(1, Status::Failed)
    };
    assert_eq!(store.write(written).await, Transitioned::Applied);
    let expected = StatusEntry {
        status: Status::Failed,
        reason: Some(Reason::NegativeInventory),
        cart_hash: Some(HASH),
        at: written.at,
    };
    assert_eq!(store.entry(1).await, Some(expected));
    let asked = vec![id(2), id(1), id(1)];
    let got = store.other.get(asked).await.unwrap();
    assert_eq!(got, [None, Some(expected), Some(expected)]);
}

pub async fn only_a_higher_rank_overwrites(store: &Fixture<impl Statuses>) {
    let order = [
        Status::Init,
        Status::Block,
        Status::PaymentPending,
        Status::PaymentSuccess,
        Status::Placed,
    ];
    for (step, status) in order.into_iter().enumerate() {
        assert_eq!(
            store.write(store.to(1, status)).await,
            Transitioned::Applied
        );
        for lower in &order[..=step] {
            let Transitioned::Refused(present) = store.write(store.to(1, *lower)).await else {
                panic!("{lower} overwrote {status}");
            };
            assert_eq!(present.map(|entry| entry.status), Some(status));
        }
    }
    assert!(matches!(
        store.write(store.to(1, Status::Failed)).await,
        Transitioned::Refused(_)
    ));
    assert_eq!(store.status(1).await, Some(Status::Placed));
}

pub async fn a_status_is_set_only_from_those_named(store: &Fixture<impl Statuses>) {
    let only_block = StatusSet::only(Status::Block);
    let pending = Transition {
        from: only_block,
        ..store.to(1, Status::PaymentPending)
    };
    assert_eq!(store.write(pending).await, Transitioned::Refused(None));
    store.write(store.to(1, Status::Init)).await;
    assert!(matches!(
        store.write(pending).await,
        Transitioned::Refused(Some(_))
    ));
    store.write(store.to(1, Status::Block)).await;
    assert_eq!(store.write(pending).await, Transitioned::Applied);
    let missing_only = Transition {
        from: StatusSet::MISSING,
        ..store.to(1, Status::Placed)
    };
    assert!(matches!(
        store.write(missing_only).await,
        Transitioned::Refused(Some(_))
    ));
    assert_eq!(store.status(1).await, Some(Status::PaymentPending));
}

pub async fn each_transition_of_a_batch_stands_on_its_own(store: &Fixture<impl Statuses>) {
    store.write(store.to(2, Status::Placed)).await;
    let batch = vec![
        store.to(1, Status::Init),
        store.to(2, Status::Block),
        store.to(1, Status::Block),
        store.to(3, Status::Init),
        store.to(1, Status::Init),
    ];
    let results = store.port.transition(batch).await.unwrap();
    let applied: Vec<bool> = results
        .iter()
        .map(|result| *result == Transitioned::Applied)
        .collect();
    assert_eq!(applied, [true, false, true, true, false]);
    assert_eq!(store.status(1).await, Some(Status::Block));
    assert_eq!(store.status(2).await, Some(Status::Placed));
}

pub async fn thousands_are_set_and_read_at_once(store: &Fixture<impl Statuses>) {
    let batch: Vec<_> = (0..3_000)
        .map(|number| store.to(number, Status::Init))
        .collect();
    let results = store.port.transition(batch).await.unwrap();
    assert!(
        results
            .iter()
            .all(|result| *result == Transitioned::Applied)
    );
    let got = store.other.get((0..3_000).map(id).collect()).await.unwrap();
    assert!(got.iter().all(Option::is_some));
}

pub async fn the_cart_hash_stays_unless_another_is_written(store: &Fixture<impl Statuses>) {
    let init = Transition {
        cart_hash: Some(HASH),
        ..store.to(1, Status::Init)
    };
    store.write(init).await;
    store.write(store.to(1, Status::Block)).await;
    assert_eq!(store.entry(1).await.unwrap().cart_hash, Some(HASH));
    let other = CartHash::from_bytes([1; 16]);
    let failed = Transition {
        cart_hash: Some(other),
        ..store.to(1, Status::Failed)
    };
    store.write(failed).await;
    assert_eq!(store.entry(1).await.unwrap().cart_hash, Some(other));
}

pub async fn an_expired_status_is_unknown(store: &Fixture<impl Statuses>) {
    store.write(store.to(1, Status::Block)).await;
    store.clock.forward(AN_HOUR / 2);
    // A later status lives as long as it says, whatever the one before said.
    store.write(store.to(2, Status::Init)).await;
    store.write(store.to(1, Status::PaymentPending)).await;
    store.clock.forward(AN_HOUR / 2 + Duration::from_secs(1));
    assert_eq!(store.status(1).await, Some(Status::PaymentPending));
    store.clock.forward(AN_HOUR / 2 + Duration::from_secs(1));
    assert_eq!(store.status(1).await, None);
    assert_eq!(store.other.history(id(1)).await.unwrap(), []);
    let init = Transition {
        from: StatusSet::MISSING,
        ..store.to(1, Status::Init)
    };
    assert_eq!(store.write(init).await, Transitioned::Applied);
    assert_eq!(store.entry(1).await.unwrap().reason, None);
}

pub async fn the_history_names_every_status_in_turn(store: &Fixture<impl Statuses>) {
    let order = [Status::Init, Status::Block, Status::Failed];
    let mut written = Vec::new();
    for status in order {
        let transition = store.to(1, status);
        written.push((status, transition.at));
        store.write(transition).await;
        store.write(store.to(1, Status::Init)).await;
        store.clock.forward(Duration::from_secs(1));
    }
    let history = store.other.history(id(1)).await.unwrap();
    let told: Vec<_> = history.iter().map(|step| (step.status, step.at)).collect();
    assert_eq!(told, written);
}

pub async fn a_waiter_is_answered_at_once_if_it_is_already_so(store: &Fixture<impl Statuses>) {
    store.write(store.to(1, Status::Block)).await;
    let started = Instant::now();
    let above = Status::Init.rank();
    let entry = store
        .other
        .wait(id(1), above, started + AN_HOUR)
        .await
        .unwrap();
    assert_eq!(entry.map(|entry| entry.status), Some(Status::Block));
    assert!(started.elapsed() < SOON);
}

pub async fn a_waiter_is_woken_by_a_higher_rank_only(store: &Fixture<impl Statuses>) {
    let started = Instant::now();
    let above = Status::Init.rank();
    let (entry, ()) = tokio::join!(store.port.wait(id(1), above, started + AN_HOUR), async {
        sleep(Duration::from_millis(100)).await;
        store.write(store.to(1, Status::Init)).await;
        sleep(Duration::from_millis(200)).await;
        store.write(store.to(2, Status::Placed)).await;
        store.write(store.to(1, Status::PaymentPending)).await;
    });
    let status = entry.unwrap().map(|entry| entry.status);
    assert_eq!(status, Some(Status::PaymentPending));
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(started.elapsed() < SOON);
}

pub async fn a_waiter_in_another_process_is_woken(store: &Fixture<impl Statuses>) {
    let started = Instant::now();
    let waiting = (0..20).map(|number| store.other.wait(id(number), 0, started + AN_HOUR));
    let (entries, ()) = tokio::join!(futures::future::join_all(waiting), async {
        sleep(Duration::from_millis(100)).await;
        let batch = (0..20).map(|number| store.to(number, Status::Block));
        store.port.transition(batch.collect()).await.unwrap();
    });
    for entry in entries {
        assert_eq!(
            entry.unwrap().map(|entry| entry.status),
            Some(Status::Block)
        );
    }
    assert!(started.elapsed() < SOON);
}

pub async fn a_waiter_ends_at_its_deadline_with_what_is_there(store: &Fixture<impl Statuses>) {
    store.write(store.to(1, Status::Init)).await;
    let started = Instant::now();
    let wait = Duration::from_millis(300);
    let above = Status::Init.rank();
    let (known, unknown) = tokio::join!(
        store.port.wait(id(1), above, started + wait),
        store.port.wait(id(2), 0, started + wait),
    );
    assert_eq!(known.unwrap().map(|entry| entry.status), Some(Status::Init));
    assert_eq!(unknown.unwrap(), None);
    assert!(started.elapsed() >= wait);
    assert!(started.elapsed() < SOON);
}

pub async fn of_many_writers_one_wins(store: &Fixture<impl Statuses>) {
    let writers = (0..10).map(|writer: u32| {
        let port = if writer.is_multiple_of(2) {
            &store.port
        } else {
            &store.other
        };
        port.transition(vec![store.to(1, Status::PaymentPending)])
    });
    let results = futures::future::join_all(writers).await;
    let applied = results
        .into_iter()
        .filter(|result| result.as_ref().unwrap()[0] == Transitioned::Applied);
    assert_eq!(applied.count(), 1);
}

pub async fn cached_stock_is_told_with_the_time_it_was_known_at(store: &Fixture<impl Statuses>) {
    // The database was slow: it told what was so a while ago.
    let began = store.clock.now().minus(Duration::from_millis(70));
    let levels = [level("A", 7, 5), level("a", 1, 9)];
    let cached = CachedStock::all(levels, began);
    store.port.cache_stock(cached).await.unwrap();
    let asked = vec![sku("a"), sku("nowhere"), sku("A")];
    let cached = store.other.cached_stock(asked).await.unwrap();
    assert_eq!(cached[1], None);
    let entry = cached[2].as_ref().unwrap();
    let kept = StockLevel {
        earliest_hold: None,
        ..level("A", 7, 5)
    };
    assert_eq!(entry.level, kept);
    assert_eq!(entry.cached_at, began, "it must not look newer than it is");
    let other = cached[0].as_ref().unwrap();
    assert_eq!((other.level.available, other.cached_at), (9, began));
}

pub async fn a_lower_version_is_kept_out_for_100_ms_only(store: &Fixture<impl Statuses>) {
    // Right now or never: within the 100 ms on a slow machine, too.
    store.cache([level("A", 7, 5), level("A", 6, 9)]).await;
    let (version, available, first) = store.cached("A").await.unwrap();
    assert_eq!((version, available), (7, 5));
    store.clock.forward(Duration::from_secs(1));
    store.cache([level("A", 6, 9)]).await;
    let (version, available, second) = store.cached("A").await.unwrap();
    assert_eq!(
        (version, available),
        (6, 9),
        "a failed-over database is not pinned"
    );
    assert!(second > first);
}

pub async fn a_version_that_was_old_when_it_came_keeps_nothing_out(store: &Fixture<impl Statuses>) {
    let began = store.clock.now().minus(Duration::from_millis(101));
    let old = CachedStock::all([level("A", 7, 5)], began);
    store.port.cache_stock(old).await.unwrap();
    store.cache([level("A", 6, 9)]).await;
    let (version, available, _) = store.cached("A").await.unwrap();
    assert_eq!((version, available), (6, 9));
}

pub async fn the_same_version_again_is_fresh_again(store: &Fixture<impl Statuses>) {
    store.cache([level("A", 7, 5)]).await;
    let (_, _, first) = store.cached("A").await.unwrap();
    store.clock.forward(Duration::from_secs(1));
    store.cache([level("A", 7, 5)]).await;
    let (_, _, second) = store.cached("A").await.unwrap();
    assert!(second.since(first) >= Duration::from_secs(1));
    store.cache([level("A", 8, 4)]).await;
    assert_eq!(store.cached("A").await.map(|cached| cached.1), Some(4));
}

pub async fn an_entry_from_the_future_keeps_nothing_out(store: &Fixture<impl Statuses>) {
    store.clock.forward(AN_HOUR);
    store.cache([level("A", 7, 5)]).await;
    store.clock.back(AN_HOUR);
    store.cache([level("A", 6, 9)]).await;
    let (version, available, cached_at) = store.cached("A").await.unwrap();
    assert_eq!((version, available), (6, 9));
    assert!(cached_at <= store.clock.now());
}

/// One test per case, over one adapter.
macro_rules! statuses_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            statuses over $($adapter)+;
            an_unknown_order_has_no_status,
            a_status_is_kept_as_written,
            only_a_higher_rank_overwrites,
            a_status_is_set_only_from_those_named,
            each_transition_of_a_batch_stands_on_its_own,
            thousands_are_set_and_read_at_once,
            the_cart_hash_stays_unless_another_is_written,
            an_expired_status_is_unknown,
            the_history_names_every_status_in_turn,
            a_waiter_is_answered_at_once_if_it_is_already_so,
            a_waiter_is_woken_by_a_higher_rank_only,
            a_waiter_in_another_process_is_woken,
            a_waiter_ends_at_its_deadline_with_what_is_there,
            of_many_writers_one_wins,
            cached_stock_is_told_with_the_time_it_was_known_at,
            a_lower_version_is_kept_out_for_100_ms_only,
            a_version_that_was_old_when_it_came_keeps_nothing_out,
            the_same_version_again_is_fresh_again,
            an_entry_from_the_future_keeps_nothing_out,
        }
    };
}
pub(crate) use statuses_suite;
