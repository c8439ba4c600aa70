//! How stock gets into the caches: batched reads for those who wait, refreshes behind the back of those who do not.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::service::bounded;
use super::stock_cache::{REFUSES_FOR, StockCache};
use crate::domain::{Line, Sku};
use crate::inventory::{Inventory, StockLevel};
use crate::ports::{Clock, Error, Ports};
use crate::statuses::{CachedStock, Statuses};
use crate::supervise::{Tasks, caught};

/// The most items of one read or write.
const BATCH_MAX: usize = 2_000;

/// The most levels on their way into the shared cache: 32 MiB, at some 120 bytes each (rule 22). Only a status store
/// that hangs lets them pile up, and then they are too old when it answers.
const SHARED_MAX: usize = (32 << 20) / 120;

/// The most refreshes that wait. One that is turned away is asked for again after 100 ms.
const REFRESHES_MAX: usize = 16_384;

/// Committed stock on its way into the shared cache.
#[derive(Debug, Clone)]
pub(super) struct Share {
    inbox: mpsc::UnboundedSender<Committed>,
    /// How many levels are on their way.
    waiting: Arc<AtomicUsize>,
}

/// Since when at the latest these may have been so, and the levels.
type Committed = (Instant, Vec<StockLevel>);

impl Share {
    /// Passes levels on, unless too many are on their way already: a cache may be behind.
    pub(super) fn send(&self, began: Instant, levels: Vec<StockLevel>) {
        let count = levels.len();
        if self.waiting.fetch_add(count, Ordering::AcqRel) + count > SHARED_MAX
            || self.inbox.send((began, levels)).is_err()
        {
            self.waiting.fetch_sub(count, Ordering::AcqRel);
        }
    }
}

/// Reads the items of lines for everyone who waits for them: the shared cache where it is fresh and says enough, else
/// the database. With `holds` a line is told until when held units are held, which the shared cache does not know.
pub(super) async fn read<P: Ports>(
    ports: &P,
    cache: &StockCache,
    share: &Share,
    wanted: Vec<Line>,
    holds: bool,
) -> Result<Vec<Option<StockLevel>>, Error> {
    let mut most = BTreeMap::<&Sku, i64>::new();
    for line in &wanted {
        let units = most.entry(&line.sku).or_default();
        *units = line.quantity.units().max(*units);
    }
    let (skus, units): (Vec<Sku>, Vec<i64>) = most
        .into_iter()
        .map(|(sku, units)| (sku.clone(), units))
        .unzip();
    // The shared cache being away only costs the read it would have saved.
    let shared = bounded(ports.statuses().cached_stock(skus.clone()))
        .await
        .unwrap_or_else(|_| vec![None; skus.len()]);
    let now = ports.clock().now();
    let mut answers = HashMap::with_capacity(skus.len());
    let mut missing = Vec::new();
    for ((sku, units), entry) in skus.into_iter().zip(units).zip(shared) {
        match entry {
            // An entry from the future is stale; whoever is refused for held units has to hear until when.
            Some(entry)
                if entry.cached_at <= now
                    && now.since(entry.cached_at) <= REFUSES_FOR
                    && !(holds && short_of_held(&entry.level, units)) =>
            {
                let age = now.since(entry.cached_at);
                let learnt = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
                cache.learn(std::slice::from_ref(&entry.level), false, learnt);
                answers.insert(sku, Some(entry.level));
            }
            _ => missing.push(sku),
        }
    }
    if !missing.is_empty() {
        // What is read was committed when the read began, not when it ended.
        let began = Instant::now();
        let read = ports.inventory().stock(missing.clone(), holds).await?;
        let levels: Vec<StockLevel> = read.levels.iter().flatten().cloned().collect();
        cache.learn(&levels, holds, began);
        share.send(began, levels);
        answers.extend(missing.into_iter().zip(read.levels));
    }
    Ok(wanted
        .iter()
        .map(|line| answers.get(&line.sku).cloned().flatten())
        .collect())
}

/// Whether somebody who wants at most so many units may be refused because others hold them.
fn short_of_held(level: &StockLevel, units: i64) -> bool {
    level.blocked > 0 && level.available < units
}

/// Starts the task that refreshes items which were found in stock, but long ago: else a process that only accepts
/// would never learn that they are sold.
pub(super) fn refresh<P: Ports>(
    tasks: &Tasks,
    ports: &Arc<P>,
    cache: &Arc<StockCache>,
    share: &Share,
) -> mpsc::Sender<Line> {
    let (ports, cache, share) = (Arc::clone(ports), Arc::clone(cache), share.clone());
    let (ask, mut asked) = mpsc::channel::<Line>(REFRESHES_MAX);
    tasks.spawn("refresh stock", async move {
        let mut lines = Vec::new();
        while asked.recv_many(&mut lines, BATCH_MAX).await > 0 {
            let read = read(&*ports, &cache, &share, std::mem::take(&mut lines), false);
            if let Err(error) = caught("refresh stock", read).await {
                tracing::debug!(%error, "stock is not refreshed");
            }
        }
    });
    ask
}

/// Starts the task that puts committed stock into the shared cache, latest version of each item only, with the time at
/// which it was known: however slow the database or the cache is, nobody refuses on what is older than it looks
/// (rule 7). What is too old already is not put there.
pub(super) fn share<P: Ports>(tasks: &Tasks, ports: Arc<P>) -> Share {
    let (sender, mut inbox) = mpsc::unbounded_channel::<Committed>();
    let waiting = Arc::new(AtomicUsize::new(0));
    let share = Share {
        inbox: sender,
        waiting: Arc::clone(&waiting),
    };
    tasks.spawn("share stock", async move {
        let mut gathered = Vec::new();
        while inbox.recv_many(&mut gathered, BATCH_MAX).await > 0 {
            let taken = gathered.iter().map(|(_, levels)| levels.len()).sum();
            waiting.fetch_sub(taken, Ordering::AcqRel);
            let now = ports.clock().now();
            let mut latest = BTreeMap::<Sku, CachedStock>::new();
            let fresh = gathered
                .drain(..)
                .map(|(learnt, levels)| (learnt.elapsed(), levels))
                .filter(|(age, _)| *age <= REFUSES_FOR);
            for cached in fresh.flat_map(|(age, levels)| CachedStock::all(levels, now.minus(age))) {
                let newer = latest.get(&cached.level.sku).is_none_or(|known| {
                    let rank = |cached: &CachedStock| (cached.level.version, cached.cached_at);
                    rank(known) <= rank(&cached)
                });
                if newer {
                    latest.insert(cached.level.sku.clone(), cached);
                }
            }
            if latest.is_empty() {
                continue;
            }
            let levels = latest.into_values().collect();
            let cached = bounded(ports.statuses().cache_stock(levels));
            if let Err(error) = caught("share stock", cached).await {
                tracing::debug!(%error, "the shared stock cache is behind");
            }
        }
    });
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_store_that_hangs_lets_few_levels_pile_up() {
        let (sender, mut inbox) = mpsc::unbounded_channel();
        let share = Share {
            inbox: sender,
            waiting: Arc::default(),
        };
        let level = StockLevel {
            sku: Sku::synthetic(1),
            available: 1,
            blocked: 0,
            sold: 0,
            version: 1,
            earliest_hold: None,
        };
        let batch = vec![level; 1_000];
        for _ in 0..2 * SHARED_MAX / batch.len() {
            share.send(Instant::now(), batch.clone());
        }
        let mut levels = 0;
        while let Ok((_, batch)) = inbox.try_recv() {
            levels += batch.len();
        }
        assert!(levels <= SHARED_MAX && levels > SHARED_MAX / 2, "{levels}");
        assert_eq!(share.waiting.load(Ordering::Acquire), levels);
    }
}
