//! Settling: a blocked order is sold or its items go back, once; money without an order is owed.

use super::ledger::Ledger;
use super::{Book, Changes, Context, Damage};
use crate::domain::{Money, Order, OrderId, OrderState, Reason};
use crate::inventory::types::{Settle, SettleAction, SettleOutcome};

/// Settles orders in the given order. One whose rows contradict each other stays as it is (rule 18).
pub fn settle(
    book: &mut Book,
    actions: &[Settle],
    context: &Context,
) -> (Vec<SettleOutcome>, Changes) {
    let mut ledger = Ledger::default();
    let outcomes = actions
        .iter()
        .map(|settle| {
            let id = settle.order_id;
            let applied = match &settle.action {
                SettleAction::Confirm { captured } => {
                    confirm(book, &mut ledger, id, *captured, context)
                }
                SettleAction::Release { reason } => {
                    release(book, &mut ledger, id, *reason, context)
                }
                SettleAction::Abandon { .. } => Ok(abandon(book, &mut ledger, settle, context)),
            };
            SettleOutcome {
                order: book.orders.get(&id).cloned(),
                applied: matches!(applied, Ok(true)),
                damage: applied.err(),
            }
        })
        .collect();
    (outcomes, ledger.changes(book))
}

fn confirm(
    book: &mut Book,
    ledger: &mut Ledger,
    id: OrderId,
    captured: Money,
    context: &Context,
) -> Result<bool, Damage> {
    let Some(order) = book.orders.get_mut(&id) else {
        // Paid, and the database knows nothing of it: lost in a failover. Never silently placed (rule 2).
        ledger.tombstone(book, tombstone(id, Reason::MissingOrder, context));
        ledger.owe(
            &mut book.refunded,
            id,
            captured,
            Reason::MissingOrder,
            context,
        );
        return Ok(true);
    };
    match order.state {
        OrderState::Placed => Ok(false),
        OrderState::Failed => {
            let reason = order.reason.unwrap_or(Reason::Cancelled);
            Ok(ledger.owe(&mut book.refunded, id, captured, reason, context))
        }
        OrderState::Blocked => {
            let negative = || {
                order.lines.iter().any(|line| {
                    let row = book.items.get(&line.sku);
                    row.is_some_and(|row| row.level.available < 0)
                })
            };
            let reversal = if captured != order.amount {
                Some(Reason::AmountMismatch)
            } else if negative() {
                Some(Reason::NegativeInventory)
            } else {
                None
            };
            if let Some(reason) = reversal {
                ledger.give_back(&mut book.items, &order.lines)?;
                ledger.finish(order, OrderState::Failed, Some(reason), context);
                ledger.owe(&mut book.refunded, id, captured, reason, context);
            } else {
                ledger.sell(&mut book.items, &order.lines)?;
                ledger.finish(order, OrderState::Placed, None, context);
            }
            Ok(true)
        }
    }
}

fn release(
    book: &mut Book,
    ledger: &mut Ledger,
    id: OrderId,
    reason: Reason,
    context: &Context,
) -> Result<bool, Damage> {
    let Some(order) = book.orders.get_mut(&id) else {
        return Ok(false);
    };
    if order.state != OrderState::Blocked {
        return Ok(false);
    }
    ledger.give_back(&mut book.items, &order.lines)?;
    ledger.finish(order, OrderState::Failed, Some(reason), context);
    Ok(true)
}

fn abandon(book: &mut Book, ledger: &mut Ledger, settle: &Settle, context: &Context) -> bool {
    let SettleAction::Abandon {
        reason,
        customer,
        cart_hash,
    } = &settle.action
    else {
        return false;
    };
    if book.orders.contains_key(&settle.order_id) {
        return false;
    }
    let mut order = tombstone(settle.order_id, *reason, context);
    order.customer.clone_from(customer);
    order.cart_hash = *cart_hash;
    ledger.tombstone(book, order);
    true
}

fn tombstone(id: OrderId, reason: Reason, context: &Context) -> Order {
    Order {
        order_id: id,
        customer: None,
        cart_hash: None,
        lines: Vec::new(),
        amount: Money::ZERO,
        state: OrderState::Failed,
        reason: Some(reason),
        accepted_at: context.now,
        decided_at: context.now,
        hold_until: context.now,
        settled_at: Some(context.now),
        batch: None,
    }
}
