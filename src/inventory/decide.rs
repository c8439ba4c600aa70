//! What a batch does to stock and orders: decided in memory, once for every adapter, without I/O.
//!
//! An adapter opens a transaction, locks the rows of [`skus`], loads them and the orders already decided into a
//! [`Book`], calls [`reserve`] or [`settle`], and writes what the [`Changes`] say: counters by UPDATE, orders by
//! INSERT and UPDATE, refunds by INSERT if absent. Running counters make every decision see the ones before it in the
//! same batch (rule 10); an order moves stock only while it is BLOCK (rule 9).
//!
//! Nothing here panics on what it is given: an order whose rows contradict each other is left as it is, with the
//! [`Damage`] that was found, and the others of its batch go on (rule 18).

mod damage;
mod ledger;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::types::{Refund, ReserveOutcome, StockLevel};
use crate::domain::{
    AcceptedCart, BatchRef, Money, Order, OrderId, OrderLine, OrderState, Reason, Sku, Timestamp,
};
pub use damage::Damage;
use ledger::Ledger;
pub use settle::settle;

/// The rows that a batch works on, as loaded under lock.
#[derive(Debug, Default)]
pub struct Book {
    items: HashMap<Sku, ItemRow>,
    orders: HashMap<OrderId, Order>,
    refunded: HashSet<OrderId>,
}

/// An item row as loaded.
#[derive(Debug, Clone)]
pub struct ItemRow {
    /// The price of one unit.
    pub price: Money,
    /// Its counters; `earliest_hold` is ignored.
    pub level: StockLevel,
}

/// What has to be written.
#[derive(Debug, Default)]
pub struct Changes {
    /// Items whose counters changed, ordered by SKU, with their new counters.
    pub levels: Vec<StockLevel>,
    /// Orders to insert, ordered by id.
    pub inserted: Vec<Order>,
    /// Orders to update (state, reason, `settled_at`), ordered by id.
    pub updated: Vec<Order>,
    /// Refunds to insert unless the order has one, ordered by id.
    pub refunds: Vec<Refund>,
}

impl Changes {
    /// The orders that have ended, ordered by id: those that failed when they were decided, and those that were settled.
    pub fn ended(&self) -> Vec<&Order> {
        let failed = self
            .inserted
            .iter()
            .filter(|order| order.state != OrderState::Blocked);
        let mut ended: Vec<&Order> = failed.chain(&self.updated).collect();
        ended.sort_unstable_by_key(|order| order.order_id);
        ended
    }
}

/// When and how a batch is decided.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// By the database's clock.
    pub now: Timestamp,
    /// How long items are held; for [`reserve`] only.
    pub hold: Duration,
    /// The number of the batch; for [`reserve`] only.
    pub batch_id: u64,
}

/// The items that a batch of carts needs, ordered: the order in which to lock them.
pub fn skus(carts: &[AcceptedCart]) -> BTreeSet<Sku> {
    carts
        .iter()
        .flat_map(|cart| cart.cart.lines())
        .map(|line| line.sku.clone())
        .collect()
}

impl Book {
    /// A book of these items and orders.
    pub fn new(
        items: impl IntoIterator<Item = ItemRow>,
        orders: impl IntoIterator<Item = Order>,
    ) -> Self {
        Self {
            items: items
                .into_iter()
                .map(|item| (item.level.sku.clone(), item))
                .collect(),
            orders: orders
                .into_iter()
                .map(|order| (order.order_id, order))
                .collect(),
            refunded: HashSet::new(),
        }
    }

    /// With the orders that have a refund recorded: they get no second one.
    #[must_use]
    pub fn with_refunds(mut self, ids: impl IntoIterator<Item = OrderId>) -> Self {
        self.refunded.extend(ids);
        self
    }
}

/// Decides carts in the given order, each all-or-nothing.
pub fn reserve(
    book: &mut Book,
    carts: &[AcceptedCart],
    context: &Context,
) -> (Vec<ReserveOutcome>, Changes) {
    let mut ledger = Ledger::default();
    ledger.inserted.reserve(carts.len());
    book.orders.reserve(carts.len());
    let mut outcomes = Vec::with_capacity(carts.len());
    for (position, cart) in carts.iter().enumerate() {
        if let Some(known) = book.orders.get(&cart.order_id) {
            // A tombstone may not know its cart; whatever it was, it has failed.
            let same = known.cart_hash.is_none_or(|hash| hash == cart.hash);
            outcomes.push(if same {
                ReserveOutcome::Order(known.clone())
            } else {
                ReserveOutcome::IdConflict
            });
            continue;
        }
        let batch = BatchRef {
            id: context.batch_id,
            position: u32::try_from(position).unwrap_or(u32::MAX),
        };
        let order = decide(book, &mut ledger, cart, batch, context);
        ledger.inserted.push(order.order_id);
        outcomes.push(ReserveOutcome::Order(order.clone()));
        book.orders.insert(order.order_id, order);
    }
    (outcomes, ledger.changes(book))
}

/// Decides one cart on the running counters.
fn decide(
    book: &mut Book,
    ledger: &mut Ledger,
    cart: &AcceptedCart,
    batch: BatchRef,
    context: &Context,
) -> Order {
    let mut refusal = None;
    let mut amount = Some(Money::ZERO);
    let mut lines = Vec::with_capacity(cart.cart.lines().len());
    for line in cart.cart.lines() {
        let row = book.items.get(&line.sku);
        refusal = worst(
            refusal,
            refuse(row.map(|row| &row.level), line.quantity.units()),
        );
        let price = row.map_or(Money::ZERO, |row| row.price);
        amount = amount.and_then(|sum| {
            price
                .checked_mul(line.quantity)
                .and_then(|cost| sum.checked_add(cost))
        });
        lines.push(OrderLine {
            sku: line.sku.clone(),
            quantity: line.quantity,
            price,
            available_before: row.map_or(0, |row| row.level.available),
            stock_version: row.map_or(0, |row| row.level.version),
        });
    }
    if amount.is_none() {
        refusal = Some(Reason::Limit);
    }
    // What is available suffices, so that only a counter at the end of its range is in the way.
    if refusal.is_none() && ledger.block(&mut book.items, &lines).is_err() {
        refusal = Some(Reason::Limit);
    }
    Order {
        order_id: cart.order_id,
        customer: Some(cart.cart.customer().clone()),
        cart_hash: Some(cart.hash),
        lines,
        amount: amount.unwrap_or_default(),
        state: if refusal.is_some() {
            OrderState::Failed
        } else {
            OrderState::Blocked
        },
        reason: refusal,
        accepted_at: cart.accepted_at,
        decided_at: context.now,
        hold_until: if refusal.is_some() {
            context.now
        } else {
            context.now.plus(context.hold)
        },
        settled_at: None,
        batch: Some(batch),
    }
}

/// Why `units` of an item cannot be had, if they cannot: `held` only if the blocked ones would suffice (rule 7).
pub fn refuse(level: Option<&StockLevel>, units: i64) -> Option<Reason> {
    match level {
        None => Some(Reason::UnknownSku),
        Some(level) if level.available >= units => None,
        Some(level) if level.available.saturating_add(level.blocked) >= units => Some(Reason::Held),
        Some(_) => Some(Reason::SoldOut),
    }
}

/// The reason that counts when several lines are refused: the one that waiting helps least.
pub fn worst(one: Option<Reason>, other: Option<Reason>) -> Option<Reason> {
    let weight = |reason: Option<Reason>| match reason {
        None => 0,
        Some(Reason::Held) => 1,
        Some(Reason::SoldOut) => 2,
        Some(_) => 3,
    };
    if weight(other) > weight(one) {
        other
    } else {
        one
    }
}
