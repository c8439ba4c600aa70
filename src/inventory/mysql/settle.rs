//! Settles a batch of orders in one transaction.

use std::collections::BTreeSet;
use std::time::Duration;

use mysql_async::Conn;

use super::fault::Fault;
use super::lane::Job;
use super::read;
use super::write;
use crate::domain::{OrderId, OrderState, Sku};
use crate::inventory::decide::{self, Book, Context};
use crate::inventory::{Settle, Settlement};

/// Locks the items in SKU order, then the orders in id order, and decides on what is locked (rule 9).
///
/// Which items these are only the orders know: they are read first, without a lock, and when they are locked it is
/// checked that none has come in and none has changed its state since; otherwise it is done again. Nothing but the
/// state, with what goes along with it, ever changes in an order.
pub(super) struct SettleAll {
    pub(super) batch: Vec<Settle>,
}

impl Job for SettleAll {
    type Done = Settlement;

    async fn run(&self, connection: &mut Conn) -> Result<Settlement, Fault> {
        let ids: BTreeSet<OrderId> = self.batch.iter().map(|settle| settle.order_id).collect();
        let known = read::orders(connection, &ids).await?;
        let skus: BTreeSet<Sku> = known
            .iter()
            .filter(|order| order.state == OrderState::Blocked)
            .flat_map(|order| &order.lines)
            .map(|line| line.sku.clone())
            .collect();
        let items = read::lock_items(connection, &skus).await?;
        let locked = read::lock_orders(connection, &ids).await?;
        if !known
            .iter()
            .map(|order| (order.order_id, order.state))
            .eq(locked)
        {
            return Err(Fault::Moved);
        }
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
