//! The inventory in a SQLite file.
//!
//! Every write is one job of the store's writer: it loads rows into a [`Book`], lets [`decide`] decide, and writes what
//! changed. The write transaction is the lock.

mod admin;
mod audit;
mod audit_queries;
mod checkpoint;
mod dead_letters;
mod gateway;
mod read;
mod rows;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;

use super::decide::{self, Book, Context};
use super::overdue::{Batches, Overdue};
use super::{
    HoldEnd, Inventory, Owed, Refund, Reservation, ReserveBatch, Settle, Settlement, StockAnswer,
};
use crate::domain::{Order, OrderId, OrderState, Sku, Timestamp};
use crate::ports::{Clock, Error};
use crate::sqlite::Store;

/// The inventory of one SQLite file. Deadlines go by the injected clock.
#[derive(Debug)]
pub struct SqliteInventory<C> {
    store: Arc<Store>,
    clock: Arc<C>,
}

impl<C: Clock> SqliteInventory<C> {
    /// The inventory in a store that was opened with [`crate::sqlite::Scope::Inventory`].
    ///
    /// # Errors
    /// When the store cannot be read or has no inventory.
    pub fn open(store: Arc<Store>, clock: C) -> Result<Self, Error> {
        store.read("open the inventory", |connection| {
            connection.query_row("SELECT batches FROM store", [], |_| Ok(()))
        })?;
        Ok(Self {
            store,
            clock: Arc::new(clock),
        })
    }
}

impl<C: Clock> Batches for SqliteInventory<C> {
    async fn overdue(&self, after: HoldEnd, limit: usize) -> Result<Overdue, Error> {
        let now = self.clock.now();
        self.store.read("read overdue orders", |connection| {
            read::overdue(connection, now, after, limit)
        })
    }

    async fn close(&self, holds: Vec<Timestamp>) -> Result<(), Error> {
        self.store
            .write("close batches", move |connection| {
                write::close_batches(connection, &holds)
            })
            .await
    }
}

impl<C: Clock> Inventory for SqliteInventory<C> {
    async fn reserve(&self, batch: ReserveBatch) -> Result<Reservation, Error> {
        let clock = Arc::clone(&self.clock);
        self.store
            .write(
                format!("reserve {} carts", batch.carts.len()),
                move |connection| {
                    let items = read::items(connection, decide::skus(&batch.carts))?;
                    let ids = batch.carts.iter().map(|cart| cart.order_id).collect();
                    let known = read::known_orders(connection, ids)?;
                    let mut book = Book::new(items, known);
                    let context = Context {
                        now: clock.now(),
                        hold: batch.hold,
                        batch_id: read::batches(connection)? + 1,
                    };
                    let (outcomes, changes) = decide::reserve(&mut book, &batch.carts, &context);
                    write::changes(connection, &changes)?;
                    write::batch(connection, &changes, &context)?;
                    Ok(Reservation {
                        outcomes,
                        levels: changes.levels,
                    })
                },
            )
            .await
    }

    async fn settle(&self, batch: Vec<Settle>) -> Result<Settlement, Error> {
        let clock = Arc::clone(&self.clock);
        self.store
            .write(
                format!("settle {} orders", batch.len()),
                move |connection| {
                    let known: Vec<Order> =
                        read::orders(connection, batch.iter().map(|settle| &settle.order_id))?
                            .into_iter()
                            .flatten()
                            .collect();
                    let skus = known
                        .iter()
                        .flat_map(|order| &order.lines)
                        .map(|line| line.sku.clone());
                    let items = read::items(connection, skus.collect())?;
                    // Only of those that have failed already: no other can have one.
                    let failed = known
                        .iter()
                        .filter(|order| order.state == OrderState::Failed);
                    let refunds =
                        read::refunds_of(connection, failed.map(|order| &order.order_id))?;
                    let mut book = Book::new(items, known).with_refunds(refunds);
                    let context = Context {
                        now: clock.now(),
                        hold: std::time::Duration::ZERO,
                        batch_id: 0,
                    };
                    let (outcomes, changes) = decide::settle(&mut book, &batch, &context);
                    write::changes(connection, &changes)?;
                    Ok(Settlement {
                        outcomes,
                        levels: changes.levels,
                    })
                },
            )
            .await
    }

    async fn stock(&self, skus: Vec<Sku>, with_holds: bool) -> Result<StockAnswer, Error> {
        let now = self.clock.now();
        self.store.read("read stock", |connection| {
            let mut levels = read::levels(connection, &skus)?;
            if with_holds {
                read::earliest_holds(connection, &mut levels)?;
            }
            Ok(StockAnswer { levels, now })
        })
    }

    async fn orders(&self, ids: Vec<OrderId>) -> Result<Vec<Option<Order>>, Error> {
        self.store.read("read orders", |connection| {
            read::orders(connection, ids.iter())
        })
    }

    async fn expired(&self, after: Option<HoldEnd>, limit: usize) -> Result<Vec<Order>, Error> {
        self.all_overdue(after, limit).await
    }

    async fn refunds_due(&self, after: Option<Owed>, limit: usize) -> Result<Vec<Refund>, Error> {
        self.store.read("read due refunds", |connection| {
            read::refunds_due(connection, after, limit)
        })
    }

    async fn refunded(&self, ids: Vec<OrderId>) -> Result<(), Error> {
        let now = self.clock.now();
        self.store
            .write(format!("mark {} refunds", ids.len()), move |connection| {
                write::refunded(connection, &ids, now)
            })
            .await
    }
}
