//! Settles a batch of orders in one transaction.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use mysql_async::Conn;
use parking_lot::Mutex;

use super::bodies::Standing;
use super::fault::Fault;
use super::lane::Job;
use super::read;
use super::write;
use crate::domain::{Order, OrderId, OrderState, Sku};
use crate::inventory::decide::{self, Book, Context};
use crate::inventory::{Settle, Settlement};

/// Locks the items in SKU order, then the orders in id order, and decides on what is locked (rule 9).
///
/// Which items these are only the orders know: those of which no body is at hand are read first, without a lock. When
/// the orders are locked it is checked that none has come in and none has changed since; otherwise it is done again,
/// and then everything is read.
pub(super) struct SettleAll {
    pub(super) batch: Vec<Settle>,
    /// For the first attempt.
    pub(super) bodies: Mutex<HashMap<OrderId, Order>>,
}

impl Job for SettleAll {
    type Done = Settlement;

    async fn run(&self, connection: &mut Conn) -> Result<Settlement, Fault> {
        let ids: BTreeSet<OrderId> = self.batch.iter().map(|settle| settle.order_id).collect();
        let mut known = std::mem::take(&mut *self.bodies.lock());
        let missing = ids.iter().filter(|id| !known.contains_key(id));
        let read = read::orders(connection, &missing.copied().collect()).await?;
        known.extend(read.into_iter().map(|order| (order.order_id, order)));
        let skus: BTreeSet<Sku> = known
            .values()
            .filter(|order| order.state == OrderState::Blocked)
            .flat_map(|order| &order.lines)
            .map(|line| line.sku.clone())
            .collect();
        let items = read::lock_items(connection, &skus).await?;
        let locked = read::lock_orders(connection, &ids).await?;
        let known = stand(known, &locked)?;
        // Only those that have failed already can have a refund.
        let failed = known
            .iter()
            .filter(|order| order.state == OrderState::Failed)
            .map(|order| order.order_id);
        let refunds = read::refunds_of(connection, &failed.collect()).await?;
        let context = Context {
            now: read::now(connection).await?,
            hold: Duration::ZERO,
            batch_id: 0,
        };
        let mut book = Book::new(items, known).with_refunds(refunds);
        let (outcomes, changes) = decide::settle(&mut book, &self.batch, &context);
        write::changes(connection, &changes).await?;
        Ok(Settlement {
            outcomes,
            levels: changes.levels,
        })
    }
}

/// The orders as they are locked. A BLOCK order whose items are not locked is among those that have moved: its state
/// was another when it was read.
fn stand(mut known: HashMap<OrderId, Order>, locked: &[Standing]) -> Result<Vec<Order>, Fault> {
    let orders = locked
        .iter()
        .map(|standing| {
            let order = known.remove(&standing.order_id).ok_or(Fault::Moved)?;
            let was = order.state;
            let order = standing.complete(order).ok_or(Fault::Moved)?;
            let unlocked = was != OrderState::Blocked && order.state == OrderState::Blocked;
            if unlocked {
                Err(Fault::Moved)
            } else {
                Ok(order)
            }
        })
        .collect::<Result<_, _>>()?;
    // One that was known and is not there any more: the database has lost it.
    if known.is_empty() {
        Ok(orders)
    } else {
        Err(Fault::Moved)
    }
}
