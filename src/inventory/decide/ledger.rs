//! The running account of a batch: what it has moved, decided and owes so far.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Book, Changes, Context, Damage, ItemRow};
use crate::domain::{Money, Order, OrderId, OrderLine, OrderState, Reason, Sku};
use crate::inventory::types::{Refund, StockLevel};

/// What has changed so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Items whose counters have changed.
    changed: BTreeSet<Sku>,
    /// Each once: it was not in the book before.
    pub(super) inserted: Vec<OrderId>,
    /// Each once: it was BLOCK before, and is not any more.
    updated: Vec<OrderId>,
    refunds: Vec<Refund>,
}

/// By how much an item's counters change.
#[derive(Debug, Clone, Copy)]
struct Delta {
    available: i64,
    blocked: i64,
    sold: i64,
    versions: u64,
}

/// Where units go.
#[derive(Debug, Clone, Copy)]
enum Move {
    Block,
    GiveBack,
    Sell,
}

impl Move {
    const fn of(self, units: i64) -> Delta {
        let none = Delta {
            available: 0,
            blocked: 0,
            sold: 0,
            versions: 1,
        };
        match self {
            Self::Block => Delta {
                available: -units,
                blocked: units,
                ..none
            },
            Self::GiveBack => Delta {
                available: units,
                blocked: -units,
                ..none
            },
            Self::Sell => Delta {
                blocked: -units,
                sold: units,
                ..none
            },
        }
    }
}

/// The level after a step; none if a counter would leave the range of its type.
fn after(level: &StockLevel, step: Delta) -> Option<StockLevel> {
    Some(StockLevel {
        available: level.available.checked_add(step.available)?,
        blocked: level.blocked.checked_add(step.blocked)?,
        sold: level.sold.checked_add(step.sold)?,
        version: level.version.checked_add(step.versions)?,
        ..level.clone()
    })
}

impl Ledger {
    /// Takes the units of a cart, which must be available.
    pub(super) fn block(
        &mut self,
        items: &mut HashMap<Sku, ItemRow>,
        lines: &[OrderLine],
    ) -> Result<(), Damage> {
        self.move_stock(items, lines, Move::Block)
    }

    /// Gives the units of a BLOCK order back.
    pub(super) fn give_back(
        &mut self,
        items: &mut HashMap<Sku, ItemRow>,
        lines: &[OrderLine],
    ) -> Result<(), Damage> {
        self.move_stock(items, lines, Move::GiveBack)
    }

    /// Sells the units of a BLOCK order.
    pub(super) fn sell(
        &mut self,
        items: &mut HashMap<Sku, ItemRow>,
        lines: &[OrderLine],
    ) -> Result<(), Damage> {
        self.move_stock(items, lines, Move::Sell)
    }

    /// Moves the units of all lines, or of none.
    fn move_stock(
        &mut self,
        items: &mut HashMap<Sku, ItemRow>,
        lines: &[OrderLine],
        to: Move,
    ) -> Result<(), Damage> {
        for (moved, line) in lines.iter().enumerate() {
            if let Err(damage) = move_line(items, line, to) {
                for line in &lines[..moved] {
                    move_back(items, line, to);
                }
                return Err(damage);
            }
        }
        self.changed
            .extend(lines.iter().map(|line| line.sku.clone()));
        Ok(())
    }

    pub(super) fn finish(
        &mut self,
        order: &mut Order,
        state: OrderState,
        reason: Option<Reason>,
        context: &Context,
    ) {
        order.state = state;
        order.reason = reason;
        order.settled_at = Some(context.now);
        self.updated.push(order.order_id);
    }

    pub(super) fn tombstone(&mut self, book: &mut Book, order: Order) {
        self.inserted.push(order.order_id);
        book.orders.insert(order.order_id, order);
    }

    /// Records a refund, unless the order has one; says whether it did.
    pub(super) fn owe(
        &mut self,
        refunded: &mut HashSet<OrderId>,
        id: OrderId,
        amount: Money,
        reason: Reason,
        context: &Context,
    ) -> bool {
        if amount == Money::ZERO || !refunded.insert(id) {
            return false;
        }
        self.refunds.push(Refund {
            order_id: id,
            amount,
            reason,
            recorded_at: context.now,
            executed_at: None,
        });
        true
    }

    /// What has to be written. The orders move out of the book: there is no more to decide on it.
    pub(super) fn changes(self, book: &mut Book) -> Changes {
        let mut orders = |mut ids: Vec<OrderId>| -> Vec<Order> {
            ids.sort_unstable();
            ids.iter().filter_map(|id| book.orders.remove(id)).collect()
        };
        let (inserted, updated) = (orders(self.inserted), orders(self.updated));
        let mut refunds = self.refunds;
        refunds.sort_by_key(|refund| refund.order_id);
        Changes {
            levels: self
                .changed
                .iter()
                .filter_map(|sku| book.items.get(sku))
                .map(|row| row.level.clone())
                .collect(),
            inserted,
            updated,
            refunds,
        }
    }
}

/// Moves the units of one line, unless the item cannot have them.
fn move_line(items: &mut HashMap<Sku, ItemRow>, line: &OrderLine, to: Move) -> Result<(), Damage> {
    let units = line.quantity.units();
    let sku = || line.sku.clone();
    let Some(row) = items.get_mut(&line.sku) else {
        return Err(Damage::MissingItem { sku: sku(), units });
    };
    let level =
        after(&row.level, to.of(units)).ok_or_else(|| Damage::CounterOverflow { sku: sku() })?;
    if level.blocked < 0 && !matches!(to, Move::Block) {
        return Err(Damage::TooFewBlocked {
            sku: sku(),
            blocked: row.level.blocked,
            units,
        });
    }
    row.level = level;
    Ok(())
}

/// Undoes [`move_line`].
fn move_back(items: &mut HashMap<Sku, ItemRow>, line: &OrderLine, to: Move) {
    let step = to.of(line.quantity.units());
    if let Some(ItemRow { level, .. }) = items.get_mut(&line.sku) {
        level.available -= step.available;
        level.blocked -= step.blocked;
        level.sold -= step.sold;
        level.version -= step.versions;
    }
}
