//! Writes what was decided.

use rusqlite::{Connection, Error, params};

use super::rows;
use crate::domain::{Customer, OrderId, OrderState, Reason, Timestamp};
use crate::inventory::body;
use crate::inventory::decide::{Changes, Context};

/// Counters, orders, how orders ended, refunds.
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
    let mut insert = connection.prepare_cached(
        "INSERT INTO orders (order_id, customer, body, hold_until, batch_id) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for order in &changes.inserted {
        insert.execute(params![
            order.order_id.as_bytes(),
            order.customer.as_ref().map(Customer::as_str),
            body::pack(order),
            order.hold_until.millis(),
            order.batch.map(|batch| rows::stored(batch.id)),
        ])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO settlements (order_id, state, reason, settled_at) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for order in changes.ended() {
        insert.execute(params![
            order.order_id.as_bytes(),
            order.state.code(),
            order.reason.map(Reason::as_str),
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
        .prepare_cached(
            "INSERT INTO batches (batch_id, decided_at, hold_until, orders, blocked, closed) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?5 = 0)",
        )?
        .execute(params![
            rows::stored(context.batch_id),
            context.now.millis(),
            context.now.plus(context.hold).millis(),
            count(changes.inserted.len()),
            count(blocked),
        ])?;
    Ok(())
}

/// Closes the batches whose holds ran out at these times: all of their orders have ended, and nothing ends twice.
pub(super) fn close_batches(connection: &Connection, holds: &[Timestamp]) -> Result<(), Error> {
    let mut update = connection
        .prepare_cached("UPDATE batches SET closed = 1 WHERE closed = 0 AND hold_until = ?1")?;
    for hold in holds {
        update.execute([hold.millis()])?;
    }
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
