//! The stock cache of one process: it answers `addToCart` without a round trip, and never lies for long (rule 7).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::Instant;

use crate::domain::{Sku, Timestamp};
use crate::inventory::StockLevel;

/// An entry older than this never refuses.
pub(super) const REFUSES_FOR: Duration = Duration::from_millis(100);

/// How long it is remembered when the earliest hold on an item runs out.
const HOLD_KNOWN_FOR: Duration = Duration::from_secs(1);

const SHARDS: usize = 16;

/// The most items that are known at a time: 128 MiB, at some 250 bytes each (rule 22). A larger catalogue is read more
/// often.
const ENTRIES_MAX: usize = (128 << 20) / 250;

/// The most levels that wait for one listener: 32 MiB, at some 120 bytes each. One that falls further behind misses
/// some.
const FEED_MAX: usize = (32 << 20) / 120;

/// What this process last learnt of each item's stock.
#[derive(Debug)]
pub(super) struct StockCache {
    hasher: RandomState,
    shards: Vec<RwLock<HashMap<Sku, Entry>>>,
    feeds: Mutex<Vec<mpsc::Sender<StockLevel>>>,
}

#[derive(Debug)]
struct Entry {
    level: StockLevel,
    /// Since when at the latest it may have been so: by this it grows too old to refuse.
    learnt: Instant,
    /// When that was heard: by this it grows old enough to ask again.
    heard: Instant,
    asked: AtomicU32,
    hold_learnt: Option<Instant>,
}

/// Whether a line can be accepted on what was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InStock {
    Yes,
    YesButOld,
    No,
}

/// An item's stock and whether it may be refused on.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) level: StockLevel,
    pub(super) fresh: bool,
}

impl Default for StockCache {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            feeds: Mutex::default(),
        }
    }
}

impl StockCache {
    fn shard(&self, sku: &Sku) -> &RwLock<HashMap<Sku, Entry>> {
        let hash = self.hasher.hash_one(sku);
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)]
    }

    /// Whether so many units were available when last seen. Of those who are told `YesButOld` one per 100 ms is, so
    /// that one asks for a refresh.
    pub(super) fn has(&self, sku: &Sku, units: i64) -> InStock {
        let shard = self.shard(sku).read();
        let Some(entry) = shard
            .get(sku)
            .filter(|entry| entry.level.available >= units)
        else {
            return InStock::No;
        };
        let heard_ago = entry.heard.elapsed();
        if heard_ago <= REFUSES_FOR {
            return InStock::Yes;
        }
        // In units of 100 ms since it was heard; the first to move it on has to ask.
        let tick =
            u32::try_from(heard_ago.as_millis() / REFUSES_FOR.as_millis()).unwrap_or(u32::MAX);
        if entry.asked.fetch_max(tick, Ordering::Relaxed) < tick {
            InStock::YesButOld
        } else {
            InStock::Yes
        }
    }

    /// What is known of an item.
    pub(super) fn get(&self, sku: &Sku) -> Option<Known> {
        let shard = self.shard(sku).read();
        let entry = shard.get(sku)?;
        let hold_is_recent = entry
            .hold_learnt
            .is_some_and(|learnt| learnt.elapsed() <= HOLD_KNOWN_FOR);
        Some(Known {
            level: StockLevel {
                earliest_hold: entry.level.earliest_hold.filter(|_| hold_is_recent),
                ..entry.level.clone()
            },
            fresh: entry.learnt.elapsed() <= REFUSES_FOR,
        })
    }

    /// Learns committed stock. A higher version stays, but only while it is fresh: a failed-over database may have
    /// lost it. `holds` says whether `earliest_hold` was asked for; `learnt`, since when at the latest it may have been
    /// so.
    pub(super) fn learn(&self, levels: &[StockLevel], holds: bool, learnt: Instant) {
        for level in levels {
            let mut shard = self.shard(&level.sku).write();
            let known = shard.get(&level.sku);
            if known.is_some_and(|known| {
                known.level.version > level.version && known.learnt.elapsed() <= REFUSES_FOR
            }) {
                continue;
            }
            let (earliest_hold, hold_learnt): (Option<Timestamp>, _) = if holds {
                (level.earliest_hold, Some(learnt))
            } else {
                known.map_or((None, None), |known| {
                    (known.level.earliest_hold, known.hold_learnt)
                })
            };
            let entry = Entry {
                level: StockLevel {
                    earliest_hold,
                    ..level.clone()
                },
                learnt,
                heard: Instant::now(),
                asked: AtomicU32::new(0),
                hold_learnt,
            };
            if shard.len() >= ENTRIES_MAX / SHARDS && !shard.contains_key(&level.sku) {
                // What is missing is read again: that is cheaper than keeping an order in which to forget.
                shard.clear();
            }
            shard.insert(level.sku.clone(), entry);
        }
        let mut feeds = self.feeds.lock();
        feeds.retain(|feed| {
            let mut sent = levels.iter().map(|level| feed.try_send(level.clone()));
            sent.all(|sent| !matches!(sent, Err(TrySendError::Closed(_))))
        });
    }

    /// Every level learnt from now on, as long as the listener keeps up.
    pub(super) fn feed(&self) -> mpsc::Receiver<StockLevel> {
        let (feed, levels) = mpsc::channel(FEED_MAX);
        self.feeds.lock().push(feed);
        levels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(available: i64, version: u64) -> StockLevel {
        let sku = Sku::new("A").unwrap();
        StockLevel {
            sku,
            available,
            blocked: 0,
            sold: 0,
            version,
            earliest_hold: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_higher_version_stays_only_while_it_is_fresh() {
        let cache = StockCache::default();
        let sku = Sku::new("A").unwrap();
        cache.learn(&[level(0, 9)], false, Instant::now());
        cache.learn(&[level(5, 8)], false, Instant::now());
        assert!(
            cache.has(&sku, 1) == InStock::No,
            "an older version must not overwrite a newer one"
        );
        tokio::time::advance(REFUSES_FOR * 2).await;
        assert!(!cache.get(&sku).unwrap().fresh);
        cache.learn(&[level(5, 8)], false, Instant::now());
        assert!(
            cache.has(&sku, 5) == InStock::Yes,
            "a version that was lost must not pin the cache"
        );
    }

    #[tokio::test]
    async fn however_large_the_catalogue_few_items_are_known() {
        let cache = StockCache::default();
        let mut feed = cache.feed();
        let number_max = u32::try_from(ENTRIES_MAX + ENTRIES_MAX / 4).unwrap();
        let learnt = Instant::now();
        for number in 0..number_max {
            let one = StockLevel {
                sku: Sku::synthetic(number),
                ..level(1, 1)
            };
            cache.learn(&[one], false, learnt);
        }
        let known: usize = cache.shards.iter().map(|shard| shard.read().len()).sum();
        assert!(known <= ENTRIES_MAX, "{known}");
        assert!(known >= ENTRIES_MAX / 8, "{known}");
        assert!(cache.get(&Sku::synthetic(number_max - 1)).is_some());
        // Nobody listens, which neither fills the memory nor ends the feed.
        assert_eq!(feed.len(), FEED_MAX);
        while feed.try_recv().is_ok() {}
        cache.learn(&[level(7, 2)], false, learnt);
        assert_eq!(feed.try_recv().map(|level| level.available), Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_keeps_what_is_known_of_holds_for_a_while() {
        let cache = StockCache::default();
        let sku = Sku::new("A").unwrap();
        let hold = Some(Timestamp::from_millis(7));
        cache.learn(
            &[StockLevel {
                earliest_hold: hold,
                ..level(0, 1)
            }],
            true,
            Instant::now(),
        );
        cache.learn(&[level(0, 2)], false, Instant::now());
        assert_eq!(cache.get(&sku).unwrap().level.earliest_hold, hold);
        tokio::time::advance(HOLD_KNOWN_FOR * 2).await;
        assert_eq!(cache.get(&sku).unwrap().level.earliest_hold, None);
    }
}
