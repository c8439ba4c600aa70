//! Settles a batch of orders in one transaction.

use std::collections::BTreeSet;
use std::time::Duration;

use mysql_async::Conn;

use super::fault::Fault;
use super::lane::Job;
use super::read::{self, Lock};
use super::write;
use crate::domain::{Order, OrderId, OrderState, Sku};
use crate::inventory::decide::{self, Book, Context};
use crate::inventory::{Settle, Settlement};

/// Locks the items in SKU order, then the orders in id order, and decides from the locked rows (rule 9).
///
/// Which items these are only the orders know: their lines are read first, without a lock, which is safe since lines
/// never change. An order that comes in after that is seen when the orders are locked; then it is done again.
pub(super) struct SettleAll {
    pub(super) batch: Vec<Settle>,
}

impl Job for SettleAll {
    type Done = Settlement;

    async fn run(&self, connection: &mut Conn) -> Result<Settlement, Fault> {
        let ids: BTreeSet<OrderId> = self.batch.iter().map(|settle| settle.order_id).collect();
        let lines = read::lines(connection, &ids).await?;
        let skus: BTreeSet<Sku> = lines.into_iter().flatten().map(|line| line.sku).collect();
        let items = read::items(connection, &skus, Lock::ForUpdate).await?;
        let known = read::orders(connection, &ids, Lock::ForUpdate).await?;
        if known.iter().any(|order| !is_covered(order, &skus)) {
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

/// Whether all the stock that an order may move is locked.
fn is_covered(order: &Order, skus: &BTreeSet<Sku>) -> bool {
    order.state != OrderState::Blocked || order.lines.iter().all(|line| skus.contains(&line.sku))
}
