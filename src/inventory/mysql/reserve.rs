//! Decides a batch of carts in one transaction.

use std::collections::BTreeSet;

use mysql_async::Conn;

use super::fault::Fault;
use super::lane::Job;
use super::read;
use super::write;
use crate::domain::{Order, OrderId};
use crate::inventory::decide::{self, Book, Context};
use crate::inventory::{Reservation, ReserveBatch, ReserveOutcome};

/// The batch's number until it has one.
const UNNUMBERED: u64 = 0;

/// Locks the items in SKU order, *then* reads the orders already decided: whoever decided one of them held the same
/// locks, so that it is seen (rule 9). An order that slipped in all the same, under the same id with other items, is a
/// duplicate key, and the transaction is done again.
pub(super) struct Reserve {
    pub(super) batch: ReserveBatch,
}

impl Job for Reserve {
    type Done = Reservation;

    async fn run(&self, connection: &mut Conn) -> Result<Reservation, Fault> {
        let carts = &self.batch.carts;
        let items = read::lock_items(connection, &decide::skus(carts)).await?;
        let ids: BTreeSet<OrderId> = carts.iter().map(|cart| cart.order_id).collect();
        let known = read::orders(connection, &ids).await?;
        // After the locks, so that waiting for them shortens no hold.
        let now = read::now(connection).await?;
        let context = Context {
            now,
            hold: self.batch.hold,
            batch_id: UNNUMBERED,
        };
        let (mut outcomes, mut changes) =
            decide::reserve(&mut Book::new(items, known), carts, &context);
        if !changes.inserted.is_empty() {
            let number = write::batch(connection, &changes.inserted, now).await?;
            changes
                .inserted
                .iter_mut()
                .for_each(|order| give(order, number));
            for outcome in &mut outcomes {
                if let ReserveOutcome::Order(order) = outcome {
                    give(order, number);
                }
            }
        }
        write::changes(connection, &changes).await?;
        Ok(Reservation {
            outcomes,
            levels: changes.levels,
        })
    }
}

/// Numbers of batches are the database's to give: taken when there is something to record, they make no worker wait
/// for another, as a counter in a row would.
fn give(order: &mut Order, number: u64) {
    if let Some(batch) = order.batch.as_mut().filter(|batch| batch.id == UNNUMBERED) {
        batch.id = number;
    }
}
