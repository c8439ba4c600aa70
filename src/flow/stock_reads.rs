//! How stock gets into the caches: batched reads for those who wait, refreshes behind the back of those who do not.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::service::bounded;
use super::stock_cache::{REFUSES_FOR, StockCache};
use crate::domain::{Line, Sku};
use crate::inventory::{Inventory, StockLevel};
use crate::ports::{Clock, Error, Ports};
use crate::statuses::{CachedStock, Statuses};

/// The most items of one read or write.
const BATCH_MAX: usize = 2_000;

/// Committed stock on its way into the shared cache, and since when at the latest it may have been so.
pub(super) type Share = mpsc::UnboundedSender<(Instant, Vec<StockLevel>)>;

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
        // The task that shares it ends with the flow.
        let _ = share.send((began, levels));
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
    ports: &Arc<P>,
    cache: &Arc<StockCache>,
    share: &Share,
) -> mpsc::UnboundedSender<Line> {
    let (ports, cache, share) = (Arc::clone(ports), Arc::clone(cache), share.clone());
    let (ask, mut asked) = mpsc::unbounded_channel::<Line>();
    tokio::spawn(async move {
        let mut lines = Vec::new();
        while asked.recv_many(&mut lines, BATCH_MAX).await > 0 {
            if let Err(error) =
                read(&*ports, &cache, &share, std::mem::take(&mut lines), false).await
            {
                tracing::debug!(%error, "stock is not refreshed");
            }
        }
    });
    ask
}

/// Starts the task that puts committed stock into the shared cache, latest version of each item only, with the time at
/// which it was known: however slow the database or the cache is, nobody refuses on what is older than it looks
/// (rule 7). What is too old already is not put there.
pub(super) fn share<P: Ports>(ports: Arc<P>) -> Share {
    let (share, mut inbox) = mpsc::unbounded_channel::<(Instant, Vec<StockLevel>)>();
    tokio::spawn(async move {
        let mut gathered = Vec::new();
        while inbox.recv_many(&mut gathered, BATCH_MAX).await > 0 {
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
            if let Err(error) = bounded(ports.statuses().cache_stock(levels)).await {
                tracing::debug!(%error, "the shared stock cache is behind");
            }
        }
    });
    share
}
