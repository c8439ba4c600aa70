//! What is promised of cached stock.

use std::time::Duration;

use oms::domain::Timestamp;
use oms::inventory::StockLevel;
use oms::ports::Clock;
use oms::statuses::{CachedStock, Statuses};

use super::{AN_HOUR, Fixture};
use crate::make::sku;

impl<S: Statuses> Fixture<S> {
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
