//! Statuses in a SQLite file, shared by all processes on it.

mod changes;
mod follow;
mod purge;
mod stock;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    CachedStock, ScanCursor, ScanPage, ScanStatuses, StatusChange, StatusEntry, Statuses,
    Transition, Transitioned, Waiters,
};
use crate::domain::{OrderId, Sku};
use crate::ports::{Clock, Error};
use crate::sqlite::Store;
use purge::Purge;

/// The embedded status store.
#[derive(Debug)]
pub struct SqliteStatuses<C>(Arc<Inner<C>>);

#[derive(Debug)]
struct Inner<C> {
    store: Arc<Store>,
    clock: Arc<C>,
    waiters: Waiters,
    /// Whether a task follows what other processes write.
    following: AtomicBool,
    purge: Arc<Mutex<Purge>>,
}

impl<C: Clock> SqliteStatuses<C> {
    /// The statuses in a store that was opened with [`crate::sqlite::Scope::Statuses`].
    ///
    /// # Errors
    /// When the store cannot be read or has no statuses.
    pub fn open(store: Arc<Store>, clock: C) -> Result<Self, Error> {
        store.read("open the status store", |connection| {
            table::get(connection, &[OrderId::from_bytes([0; 16])], clock.now())
        })?;
        Ok(Self(Arc::new(Inner {
            store,
            clock: Arc::new(clock),
            waiters: Waiters::default(),
            following: AtomicBool::new(false),
            purge: Arc::default(),
        })))
    }
}

impl<C: Clock> Inner<C> {
    fn read(&self, id: OrderId) -> Result<Option<StatusEntry>, Error> {
        let now = self.clock.now();
        let found = self.store.read_once("read a status", |connection| {
            table::get(connection, &[id], now)
        })?;
        Ok(found.into_iter().next().flatten())
    }

    fn read_all(&self, ids: &[OrderId]) -> Result<Vec<Option<StatusEntry>>, Error> {
        let now = self.clock.now();
        self.store.read("read statuses", |connection| {
            table::get(connection, ids, now)
        })
    }

    /// Whether the caller is the one who has to start following.
    fn start_following(&self) -> bool {
        !self.following.load(Ordering::SeqCst) && !self.following.swap(true, Ordering::SeqCst)
    }

    fn stop_following(&self) {
        self.following.store(false, Ordering::SeqCst);
    }

    /// Whether the follower may end: nobody waits, or whoever has just begun to has started another one.
    fn rest_from_following(&self) -> bool {
        self.stop_following();
        self.waiters.is_empty() || !self.start_following()
    }
}

impl<C: Clock> Statuses for SqliteStatuses<C> {
    async fn get(&self, ids: Vec<OrderId>) -> Result<Vec<Option<StatusEntry>>, Error> {
        self.0.read_all(&ids)
    }

    async fn transition(&self, batch: Vec<Transition>) -> Result<Vec<Transitioned>, Error> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let clock = Arc::clone(&self.0.clock);
        let purge = Arc::clone(&self.0.purge);
        let (batch, results) = self
            .0
            .store
            .write(
                format!("write {} statuses", batch.len()),
                move |connection| {
                    let now = clock.now();
                    let results = table::transition(connection, &batch, now)?;
                    let applied = applied(&batch, &results).map(|one| (one.order_id, one.to));
                    changes::append(connection, applied, now)?;
                    let next_expiry = batch.iter().map(|one| one.expires_at).min();
                    purge
                        .lock()
                        .after(connection, batch.len(), next_expiry, now)?;
                    Ok((batch, results))
                },
            )
            .await?;
        for one in applied(&batch, &results) {
            if !self.0.waiters.wants(one.order_id, one.to) {
                continue;
            }
            let entry = match one.cart_hash {
                Some(_) => Some(entry_after(one)),
                // What is stored is kept: only a read can tell. Should it fail, those who wait are woken later.
                None => self.0.read(one.order_id).unwrap_or(None),
            };
            if let Some(entry) = entry {
                self.0.waiters.notify(one.order_id, entry);
            }
        }
        Ok(results)
    }

    async fn wait(
        &self,
        id: OrderId,
        above: u8,
        deadline: Instant,
    ) -> Result<Option<StatusEntry>, Error> {
        // Register first, then read: what is written in between wakes.
        let mut waiter = self.0.waiters.register(id, above);
        follow::ensure(&self.0);
        let present = self.0.read(id)?;
        if present.is_some_and(|entry| entry.status.rank() > above) {
            return Ok(present);
        }
        match tokio::time::timeout_at(deadline, waiter.woken()).await {
            Ok(Some(entry)) => Ok(Some(entry)),
            Ok(None) | Err(_) => self.0.read(id),
        }
    }

    async fn history(&self, id: OrderId) -> Result<Vec<StatusChange>, Error> {
        let now = self.0.clock.now();
        self.0.store.read("read an order's history", |connection| {
            table::history(connection, id, now)
        })
    }

    async fn cached_stock(&self, skus: Vec<Sku>) -> Result<Vec<Option<CachedStock>>, Error> {
        self.0.store.read("read the stock cache", |connection| {
            skus.iter().map(|sku| stock::get(connection, sku)).collect()
        })
    }

    async fn cache_stock(&self, levels: Vec<CachedStock>) -> Result<(), Error> {
        if levels.is_empty() {
            return Ok(());
        }
        let clock = Arc::clone(&self.0.clock);
        self.0
            .store
            .write("write the stock cache", move |connection| {
                let now = clock.now();
                levels
                    .iter()
                    .try_for_each(|level| stock::put(connection, level, now))
            })
            .await
    }
}

impl<C: Clock> ScanStatuses for SqliteStatuses<C> {
    async fn scan(&self, cursor: Option<ScanCursor>, limit: usize) -> Result<ScanPage, Error> {
        let after = match cursor {
            Some(ScanCursor::After(id)) => Some(id),
            _ => None,
        };
        let now = self.0.clock.now();
        let entries = self.0.store.read("read all statuses", |connection| {
            table::scan(connection, after, limit, now)
        })?;
        let last = entries.last().map(|(id, _)| *id);
        let next = last.filter(|_| entries.len() == limit);
        Ok((entries, next.map(ScanCursor::After)))
    }
}

/// The transitions that were written.
fn applied<'a>(
    batch: &'a [Transition],
    results: &'a [Transitioned],
) -> impl Iterator<Item = &'a Transition> {
    batch
        .iter()
        .zip(results)
        .filter(|(_, result)| matches!(result, Transitioned::Applied))
        .map(|(one, _)| one)
}

fn entry_after(transition: &Transition) -> StatusEntry {
    StatusEntry {
        status: transition.to,
        reason: transition.reason,
        cart_hash: transition.cart_hash,
        at: transition.at,
    }
}
