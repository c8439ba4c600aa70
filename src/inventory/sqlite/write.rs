//! Writes what was decided.

use rusqlite::{Connection, Error, params};

use super::rows::{self, ORDER_COLUMNS};
use crate::domain::{OrderId, OrderState, Timestamp};
use crate::inventory::decide::{Changes, Context};
use crate::inventory::lines;

/// Counters, orders, refunds.
pub(super) fn changes(connection: &Connection, changes: &Changes) -> Result<(), Error> {
    let mut update = connection.prepare_cached(
        "UPDATE items SET available = ?2, blocked = ?3, sold = ?4, version = ?5 WHERE sku = ?1",
    )?;
    for level in &changes.levels {
        update.execute(params![
            level.sku.as_str(),
            level.available,
            level.blocked,
            level.sold,
            rows::stored(level.version)
        ])?;
    }
    let mut insert = connection.prepare_cached(&format!(
        "INSERT INTO orders ({ORDER_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
    ))?;
    for order in &changes.inserted {
        insert.execute(params![
            order.order_id.as_bytes(),
            order.customer.as_ref().map(crate::domain::Customer::as_str),
            order
                .cart_hash
                .as_ref()
                .map(crate::domain::CartHash::as_bytes),
            lines::pack(&order.lines),
            order.amount.minor(),
            order.state.code(),
            order.reason.map(crate::domain::Reason::as_str),
            order.accepted_at.millis(),
            order.decided_at.millis(),
            order.hold_until.millis(),
            order.settled_at.map(Timestamp::millis),
            order.batch.map(|batch| rows::stored(batch.id)),
            order.batch.map(|batch| batch.position),
        ])?;
    }
    let mut update = connection.prepare_cached(
        "UPDATE orders SET state = ?2, reason = ?3, settled_at = ?4 WHERE order_id = ?1",
    )?;
    for order in &changes.updated {
        update.execute(params![
            order.order_id.as_bytes(),
            order.state.code(),
            order.reason.map(crate::domain::Reason::as_str),
            order.settled_at.map(Timestamp::millis),
        ])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO refunds (order_id, amount, reason, recorded_at) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (order_id) DO NOTHING",
    )?;
    for refund in &changes.refunds {
        insert.execute(params![
            refund.order_id.as_bytes(),
            refund.amount.minor(),
            refund.reason.as_str(),
            refund.recorded_at.millis(),
        ])?;
    }
    Ok(())
}

/// The batch itself, if it decided anything.
pub(super) fn batch(
    connection: &Connection,
    changes: &Changes,
    context: &Context,
) -> Result<(), Error> {
    if changes.inserted.is_empty() {
        return Ok(());
    }
    let blocked = changes
        .inserted
        .iter()
        .filter(|order| order.state == OrderState::Blocked)
        .count();
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    connection
        .prepare_cached("UPDATE store SET batches = ?1")?
        .execute([rows::stored(context.batch_id)])?;
    connection
        .prepare_cached("INSERT INTO batches VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            rows::stored(context.batch_id),
            context.now.millis(),
            count(changes.inserted.len()),
            count(blocked),
        ])?;
    Ok(())
}

/// Marks refunds as executed.
pub(super) fn refunded(
    connection: &Connection,
    ids: &[OrderId],
    now: Timestamp,
) -> Result<(), Error> {
    let mut update = connection.prepare_cached(
        "UPDATE refunds SET executed_at = ?2 WHERE order_id = ?1 AND executed_at IS NULL",
    )?;
    for id in ids {
        update.execute(params![id.as_bytes(), now.millis()])?;
    }
    Ok(())
}
