//! The running account of a batch: what it has moved, decided and owes so far.

use std::collections::{HashMap, HashSet};

use super::{Book, Changes, Context, Delta, ItemRow};
use crate::domain::{Money, Order, OrderId, OrderLine, OrderState, Reason, Sku};
use crate::inventory::types::Refund;

/// What has changed so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    deltas: HashMap<Sku, Delta>,
    /// Each once: it was not in the book before.
    pub(super) inserted: Vec<OrderId>,
    /// Each once: it was BLOCK before, and is not any more.
    updated: Vec<OrderId>,
    refunds: Vec<Refund>,
}

impl Ledger {
    pub(super) fn move_stock(
        &mut self,
        items: &mut HashMap<Sku, ItemRow>,
        lines: &[OrderLine],
        step: impl Fn(i64) -> Delta,
    ) {
        for line in lines {
            let Some(row) = items.get_mut(&line.sku) else {
                continue;
            };
            let step = step(line.quantity.units());
            row.level.available += step.available;
            row.level.blocked += step.blocked;
            row.level.sold += step.sold;
            row.level.version += 1;
            assert!(
                row.level.blocked >= 0,
                "blocked units of {} would become negative",
                line.sku
            );
            let delta = self.deltas.entry(line.sku.clone()).or_default();
            delta.available += step.available;
            delta.blocked += step.blocked;
            delta.sold += step.sold;
            delta.versions += 1;
        }
    }

    pub(super) fn give_back(&mut self, items: &mut HashMap<Sku, ItemRow>, lines: &[OrderLine]) {
        self.move_stock(items, lines, |units| Delta {
            available: units,
            blocked: -units,
            ..Delta::default()
        });
    }

    pub(super) fn finish(
        &mut self,
        order: &mut Order,
        state: OrderState,
        reason: Option<Reason>,
        context: &Context,
    ) {
        assert!(
            order.state == OrderState::Blocked,
            "{} is final and was to become {state:?}",
            order.order_id
        );
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
        let mut deltas: Vec<(Sku, Delta)> = self.deltas.into_iter().collect();
        deltas.sort_by(|a, b| a.0.cmp(&b.0));
        let mut orders = |mut ids: Vec<OrderId>| -> Vec<Order> {
            ids.sort_unstable();
            ids.iter().filter_map(|id| book.orders.remove(id)).collect()
        };
        let (inserted, updated) = (orders(self.inserted), orders(self.updated));
        let mut refunds = self.refunds;
        refunds.sort_by_key(|refund| refund.order_id);
        Changes {
            levels: deltas
                .iter()
                .filter_map(|(sku, _)| book.items.get(sku))
                .map(|row| row.level.clone())
                .collect(),
            deltas: deltas.into_iter().map(|(_, delta)| delta).collect(),
            inserted,
            updated,
            refunds,
        }
    }
}
