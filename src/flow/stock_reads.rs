//! How stock gets into the caches: batched reads for those who wait, refreshes behind the back of those who do not.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::service::bounded;
use super::stock_cache::{REFUSES_FOR, StockCache};
use crate::domain::Sku;
use crate::inventory::{Inventory, StockLevel};
use crate::ports::{Clock, Error, Ports};
use crate::statuses::Statuses;

/// The most items of one read or write.
const BATCH_MAX: usize = 2_000;

/// Committed stock on its way into the shared cache.
pub(super) type Share = mpsc::UnboundedSender<Vec<StockLevel>>;

/// Reads items for everyone who waits for them: the shared cache where it is fresh and says enough, else the database;
/// with `holds` also until when held units are held.
pub(super) async fn read<P: Ports>(
    ports: &P,
    cache: &StockCache,
    share: &Share,
    wanted: Vec<Sku>,
    holds: bool,
) -> Result<Vec<Option<StockLevel>>, Error> {
    let mut skus = wanted.clone();
    skus.sort();
    skus.dedup();
    // The shared cache being away only costs the read it would have saved.
    let shared = bounded(ports.statuses().cached_stock(skus.clone()))
        .await
        .unwrap_or_else(|_| vec![None; skus.len()]);
    let now = ports.clock().now();
    let mut answers = HashMap::with_capacity(skus.len());
    let mut missing = Vec::new();
    for (sku, entry) in skus.into_iter().zip(shared) {
        match entry {
            // An entry from the future is stale; one whose units are held needs the database to say until when.
            Some(entry)
                if entry.cached_at <= now
                    && now.since(entry.cached_at) <= REFUSES_FOR
                    && (entry.level.blocked == 0 || entry.level.available > 0) =>
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
        let _ = share.send(levels);
        answers.extend(missing.into_iter().zip(read.levels));
    }
    Ok(wanted
        .iter()
        .map(|sku| answers.get(sku).cloned().flatten())
        .collect())
}

/// Starts the task that refreshes items which were found in stock, but long ago: else a process that only accepts
/// would never learn that they are sold.
pub(super) fn refresh<P: Ports>(
    ports: &Arc<P>,
    cache: &Arc<StockCache>,
    share: &Share,
) -> mpsc::UnboundedSender<Sku> {
    let (ports, cache, share) = (Arc::clone(ports), Arc::clone(cache), share.clone());
    let (ask, mut asked) = mpsc::unbounded_channel::<Sku>();
    tokio::spawn(async move {
        let mut skus = Vec::new();
        while asked.recv_many(&mut skus, BATCH_MAX).await > 0 {
            if let Err(error) =
                read(&*ports, &cache, &share, std::mem::take(&mut skus), false).await
            {
                tracing::debug!(%error, "stock is not refreshed");
            }
        }
    });
    ask
}

/// Starts the task that puts committed stock into the shared cache, latest version of each item only.
pub(super) fn share<P: Ports>(ports: Arc<P>) -> Share {
    let (share, mut inbox) = mpsc::unbounded_channel::<Vec<StockLevel>>();
    tokio::spawn(async move {
        let mut gathered = Vec::new();
        while inbox.recv_many(&mut gathered, BATCH_MAX).await > 0 {
            let mut latest = BTreeMap::<Sku, StockLevel>::new();
            for level in gathered.drain(..).flatten() {
                let newer = latest
                    .get(&level.sku)
                    .is_none_or(|known| known.version <= level.version);
                if newer {
                    latest.insert(level.sku.clone(), level);
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
