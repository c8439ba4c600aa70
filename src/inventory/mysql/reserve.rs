//! Decides a batch of carts in one transaction of two round trips.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use super::fault::Fault;
use super::read::{self, Lock};
use super::rows::{self, Fields, NOW};
use super::sales::{self, Sales};
use super::transaction::{Transaction, Tx};
use super::write;
use crate::domain::{Order, OrderId};
use crate::inventory::decide::{self, Book, Context};
use crate::inventory::{Reservation, ReserveBatch, ReserveOutcome};

/// The batch's number until it has one.
const UNNUMBERED: u64 = 0;

/// Locks the items in SKU order, decides, and writes. That an order was decided before is a duplicate key: then the
/// transaction is done again, and reads the orders after it has locked the items (rule 9).
pub(super) struct Reserve {
    batch: ReserveBatch,
    /// Whether an attempt was made.
    again: AtomicBool,
}

/// What a batch came to.
pub(super) struct Reserved {
    pub(super) reservation: Reservation,
    /// Whether so much is sold and not folded that somebody should lock all of its items.
    pub(super) is_overfull: bool,
}

impl Reserve {
    pub(super) fn new(batch: ReserveBatch) -> Self {
        Self {
            batch,
            again: AtomicBool::new(false),
        }
    }
}

impl Transaction for Reserve {
    type Done = Reserved;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Reserved, Fault> {
        let carts = &self.batch.carts;
        let locks = read::items_questions(&decide::skus(carts), Lock::ForUpdate);
        let known = if self.again.swap(true, Ordering::Relaxed) {
            let ids: BTreeSet<OrderId> = carts.iter().map(|cart| cart.order_id).collect();
            read::orders_questions(&ids)
        } else {
            Vec::new()
        };
        let questions: Vec<String> = locks
            .iter()
            .cloned()
            .chain(sales::questions())
            .chain(known.iter().cloned())
            // After the locks, so that waiting for them shortens no hold.
            .chain([format!("SELECT {NOW}")])
            .collect();
        let mut answers = tx.ask(&questions).await?;
        let mut items = read::item_rows(answers.rows(locks.len()))?;
        let fold = Sales::read(&mut answers)?.fold(&mut items);
        let known: Vec<Order> = answers
            .rows(known.len())
            .map(rows::order)
            .collect::<Result<_, _>>()?;
        let now = read::time_in(answers.rows(1))?;
        let context = Context {
            now,
            hold: self.batch.hold,
            batch_id: UNNUMBERED,
        };
        let (mut outcomes, changes) =
            decide::reserve(&mut Book::new(items, known), carts, &context);
        let is_new = !changes.inserted.is_empty();
        if is_new {
            write::batch(tx, &changes.inserted, now, now.plus(context.hold)).await?;
        }
        write::changes(tx, &changes, &fold, write::BATCH).await?;
        let number = if is_new {
            let mut answers = tx.commit(&[format!("SELECT {}", write::BATCH)]).await?;
            let row = answers.rows(1).next();
            row.map(|row| Fields::of(row).count()).transpose()?
        } else {
            None
        };
        for outcome in &mut outcomes {
            if let (ReserveOutcome::Order(order), Some(number)) = (outcome, number) {
                give(order, number);
            }
        }
        Ok(Reserved {
            reservation: Reservation {
                outcomes,
                levels: changes.levels,
            },
            is_overfull: fold.is_overfull,
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
