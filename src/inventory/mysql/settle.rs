//! Settles a batch of orders in one transaction.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use parking_lot::Mutex;

use super::fault::Fault;
use super::read::{self, Lock};
use super::rows::{self, NOW};
use super::sales::{self, Sale, Sales};
use super::transaction::{Transaction, Tx};
use super::{sql, write};
use crate::domain::{Money, Order, OrderId, OrderState, Sku, Timestamp};
use crate::inventory::decide::{self, Book, Context};
use crate::inventory::{Settle, SettleAction, SettleOutcome, Settlement, body};

/// The time of a settlement, by the database's clock.
const SETTLED_AT: &str = "@settled_at";

/// Settles orders. A batch that does nothing but confirm orders whose money is right, and whose stock is not negative,
/// appends: one row per order, which is the guard, and one with what they sell; it goes out in one round trip and locks
/// no item. Anything else decides on locked items.
///
/// What the first attempt takes for granted is checked by the server in the same transaction. If it does not hold,
/// everything is done again, on locked items.
pub(super) struct SettleAll {
    batch: Vec<Settle>,
    /// For the first attempt: orders whose rows were seen before.
    bodies: Mutex<Option<HashMap<OrderId, Order>>>,
}

impl SettleAll {
    pub(super) fn new(batch: Vec<Settle>, bodies: HashMap<OrderId, Order>) -> Self {
        Self {
            batch,
            bodies: Mutex::new(Some(bodies)),
        }
    }
}

impl Transaction for SettleAll {
    type Done = Settlement;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Settlement, Fault> {
        let bodies = self.bodies.lock().take();
        if let (Some(bodies), Some(captured)) = (bodies, confirmed(&self.batch)) {
            let orders = complete(tx, bodies, &captured).await?;
            if let Some((orders, sold)) = sellable(orders, &captured) {
                let orders = append(tx, orders, &sold).await?;
                return Ok(told(&self.batch, orders));
            }
        }
        decide_locked(tx, &self.batch).await
    }
}

/// What was captured of each order, if the batch confirms orders, each once, and does nothing else.
fn confirmed(batch: &[Settle]) -> Option<HashMap<OrderId, Money>> {
    let mut captures = HashMap::with_capacity(batch.len());
    for settle in batch {
        let SettleAction::Confirm { captured } = settle.action else {
            return None;
        };
        if captures.insert(settle.order_id, captured).is_some() {
            return None;
        }
    }
    Some(captures)
}

/// The orders, of which those without a body at hand are read.
async fn complete(
    tx: &mut Tx<'_>,
    bodies: HashMap<OrderId, Order>,
    captured: &HashMap<OrderId, Money>,
) -> Result<Vec<Order>, Fault> {
    let missing = captured.keys().filter(|id| !bodies.contains_key(id));
    let questions = read::orders_questions(&missing.copied().collect());
    let mut orders: Vec<Order> = bodies.into_values().collect();
    if !questions.is_empty() {
        let mut answers = tx.ask(&questions).await?;
        for row in answers.rows(questions.len()) {
            orders.push(rows::order(row)?);
        }
    }
    Ok(orders)
}

/// The orders, by id, and what they sell, if each of them is there, is BLOCK, and was paid for to the last unit.
fn sellable(
    mut orders: Vec<Order>,
    captured: &HashMap<OrderId, Money>,
) -> Option<(Vec<Order>, Vec<Sale>)> {
    let is_plain = |order: &Order| {
        order.state == OrderState::Blocked && captured.get(&order.order_id) == Some(&order.amount)
    };
    if orders.len() != captured.len() || !orders.iter().all(is_plain) {
        return None;
    }
    orders.sort_unstable_by_key(|order| order.order_id);
    let sold = sales::sums(&orders)?;
    Some((orders, sold))
}

/// Confirms orders, unless one has ended, was decided otherwise than we know, or is of an item whose stock is negative.
async fn append(
    tx: &mut Tx<'_>,
    mut orders: Vec<Order>,
    sold: &[Sale],
) -> Result<Vec<Order>, Fault> {
    tx.write(&format!("SET {SETTLED_AT} = {NOW}")).await?;
    let head = "INSERT INTO settlements (order_id, state, reason, settled_at) VALUES ";
    let placed = OrderState::Placed.code();
    let row = |text: &mut String, order: &Order| {
        sql::bytes(text, order.order_id.as_bytes());
        text.push(',');
        sql::number(text, placed);
        text.push_str(",NULL,");
        text.push_str(SETTLED_AT);
    };
    for statement in sql::inserts(head, &orders, "", row) {
        tx.write(&statement).await?;
    }
    for statement in sales::inserts(sold, &condition(&orders, sold)) {
        tx.write(&statement).await?;
    }
    let committed = tx.commit(&[format!("SELECT {SETTLED_AT}")]).await;
    let mut answers = committed.map_err(Fault::of_condition)?;
    let settled_at = read::time_in(answers.rows(1))?;
    for order in &mut orders {
        order.state = OrderState::Placed;
        order.settled_at = Some(settled_at);
    }
    Ok(orders)
}

/// That the rows of the orders hold what we know of them, and that their items are there, none below zero (step 10). A correction
/// that is committed later comes after the sale.
fn condition(orders: &[Order], sold: &[Sale]) -> String {
    let mut known = 0_u64;
    let mut condition = String::from("0");
    for part in orders.chunks(sql::LIST_MAX) {
        let ids: Vec<_> = part.iter().map(|order| order.order_id.as_bytes()).collect();
        known += part
            .iter()
            .map(|order| u64::from(crc32fast::hash(body::pack(order).as_bytes())))
            .sum::<u64>();
        condition.push_str(
            " + (SELECT COALESCE(SUM(CRC32(body)), 0) FROM orders FORCE INDEX (PRIMARY) WHERE order_id IN (",
        );
        condition.push_str(&sql::list(&ids));
        condition.push_str("))");
    }
    condition.push_str(" = ");
    sql::number(&mut condition, known);
    let skus: Vec<&str> = sales::skus(sold).map(Sku::as_str).collect();
    for part in skus.chunks(sql::LIST_MAX) {
        condition.push_str(
            " AND (SELECT COUNT(*) FROM items FORCE INDEX (PRIMARY) WHERE available >= 0 AND sku IN (",
        );
        condition.push_str(&sql::list(part));
        condition.push_str(")) = ");
        sql::number(&mut condition, part.len() as u64);
    }
    condition
}

/// The outcomes of a batch that was confirmed as a whole.
fn told(batch: &[Settle], orders: Vec<Order>) -> Settlement {
    let mut orders: HashMap<OrderId, Order> = orders
        .into_iter()
        .map(|order| (order.order_id, order))
        .collect();
    let outcome = |settle: &Settle| SettleOutcome {
        order: orders.remove(&settle.order_id),
        applied: true,
        damage: None,
    };
    Settlement {
        outcomes: batch.iter().map(outcome).collect(),
        // What is available is what it was.
        levels: Vec::new(),
    }
}

/// Reads the orders, locks their items in SKU order, and decides. Which items these are only the orders know: they are
/// read first, without a lock, and it is done again if one of them has come in or ended meanwhile.
async fn decide_locked(tx: &mut Tx<'_>, batch: &[Settle]) -> Result<Settlement, Fault> {
    let ids: BTreeSet<OrderId> = batch.iter().map(|settle| settle.order_id).collect();
    let questions = read::orders_questions(&ids);
    let mut answers = tx.ask(&questions).await?;
    let known: Vec<Order> = answers
        .rows(questions.len())
        .map(rows::order)
        .collect::<Result<_, _>>()?;
    let (blocked, ended): (Vec<&Order>, Vec<&Order>) = known
        .iter()
        .partition(|order| order.state == OrderState::Blocked);
    let skus: BTreeSet<Sku> = blocked
        .iter()
        .flat_map(|order| &order.lines)
        .map(|line| line.sku.clone())
        .collect();
    let locks = read::items_questions(&skus, Lock::ForUpdate);
    let ends = read::ended_questions(&ids);
    // Only those that have failed already can have a refund.
    let failed = ended
        .iter()
        .filter(|order| order.state == OrderState::Failed)
        .map(|order| order.order_id);
    let refunds = read::refunds_questions(&failed.collect());
    let found: HashSet<OrderId> = known.iter().map(|order| order.order_id).collect();
    let missing = ids.iter().filter(|id| !found.contains(id));
    let missing = read::existence_questions(&missing.copied().collect());
    let questions: Vec<String> = locks
        .iter()
        .cloned()
        .chain(sales::questions())
        .chain(ends.iter().cloned())
        .chain(refunds.iter().cloned())
        .chain(missing.iter().cloned())
        .chain([format!("SELECT {NOW}")])
        .collect();
    let mut answers = tx.ask(&questions).await?;
    let mut items = read::item_rows(answers.rows(locks.len()))?;
    let fold = Sales::read(&mut answers)?.fold(&mut items);
    let ended_now = read::ids_in(answers.rows(ends.len()))?;
    let refunded = read::ids_in(answers.rows(refunds.len()))?;
    let come_in = read::ids_in(answers.rows(missing.len()))?;
    let now: Timestamp = read::time_in(answers.rows(1))?;
    // An order is committed before its settlement, and they were read in the opposite sequence.
    let is_orphan = |id: &&OrderId| !found.contains(*id) && !come_in.contains(*id);
    if let Some(orphan) = ended_now.iter().find(is_orphan) {
        return Err(Fault::Orphan(*orphan));
    }
    let ended: HashSet<OrderId> = ended.iter().map(|order| order.order_id).collect();
    let have_ended =
        ended.len() != ended_now.len() || !ended_now.iter().all(|id| ended.contains(id));
    if !come_in.is_empty() || have_ended {
        return Err(Fault::Moved);
    }
    let context = Context {
        now,
        hold: Duration::ZERO,
        batch_id: 0,
    };
    let mut book = Book::new(items, known).with_refunds(refunded);
    let (outcomes, changes) = decide::settle(&mut book, batch, &context);
    write::changes(tx, &changes, &fold, "NULL").await?;
    Ok(Settlement {
        outcomes,
        levels: changes.levels,
    })
}
