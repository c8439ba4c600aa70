//! Writes what was decided.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde::Serialize;

use super::fault::Fault;
use super::sales::Fold;
use super::sql;
use super::transaction::Tx;
use crate::domain::{Customer, Order, OrderId, OrderState, Reason, Timestamp};
use crate::inventory::decide::Changes;
use crate::inventory::{Refund, StockLevel, body};

/// How many items one UPDATE changes: its text stays far below the limit of a statement.
const ITEMS_MAX: usize = 10_000;

/// Counters, orders, how orders ended, refunds. `batch` is the SQL of the number of the batch.
pub(super) async fn changes(
    tx: &mut Tx<'_>,
    changes: &Changes,
    fold: &Fold,
    batch: &str,
) -> Result<(), Fault> {
    items(tx, &fold.items(&changes.levels)).await?;
    let head = "INSERT INTO orders (order_id, customer, body, hold_until, batch_id) VALUES ";
    let row = |text: &mut String, row: &Order| order(text, row, batch);
    for statement in sql::inserts(head, &changes.inserted, "", row) {
        tx.write(&statement).await?;
    }
    let head = "INSERT INTO settlements (order_id, state, reason, settled_at) VALUES ";
    for statement in sql::inserts(head, &changes.ended(), "", |text, row| ended(text, row)) {
        tx.write(&statement).await?;
    }
    let head = "INSERT INTO refunds (order_id, amount, reason, recorded_at) VALUES ";
    let tail = " ON DUPLICATE KEY UPDATE order_id = refunds.order_id";
    for statement in sql::inserts(head, &changes.refunds, tail, refund) {
        tx.write(&statement).await?;
    }
    fold.write(tx).await
}

/// Counters of items that are locked, as they are to stand in their rows.
pub(super) async fn items(tx: &mut Tx<'_>, levels: &[StockLevel]) -> Result<(), Fault> {
    let rows: Vec<_> = levels
        .iter()
        .map(|level| {
            let counters = [level.available, level.blocked, level.sold];
            (hex(level.sku.as_str()), counters, level.version)
        })
        .collect();
    let statements = item_updates(
        &rows,
        "available BIGINT PATH '$[1][0]', blocked BIGINT PATH '$[1][1]', sold BIGINT PATH '$[1][2]', \
         version BIGINT PATH '$[2]'",
        "items.available = new.available, items.blocked = new.blocked, items.sold = new.sold, \
         items.version = new.version",
    );
    for (statement, _) in statements {
        tx.write(&statement).await?;
    }
    Ok(())
}

/// Statements that change many items each, and how many. A row begins with the SKU in hexadecimal; `columns` name its
/// other values.
///
/// Joined with `JSON_TABLE`, since an UPDATE with a CASE is quadratic; from the table into the items and by their key,
/// so that no other row is looked at: a scan, which servers prefer for few items, would wait for the locks of others.
/// The rows must be locked already.
fn item_updates<R: Serialize>(rows: &[R], columns: &str, set: &str) -> Vec<(String, usize)> {
    let update = |part: &[R]| {
        let json = serde_json::to_string(part).expect("strings and numbers always serialise");
        let mut statement = String::from("UPDATE JSON_TABLE(_utf8mb4 ");
        sql::bytes(&mut statement, json.as_bytes());
        statement.push_str(", '$[*]' COLUMNS (sku VARCHAR(128) PATH '$[0]', ");
        statement.push_str(columns);
        statement.push_str(")) AS new STRAIGHT_JOIN items FORCE INDEX (PRIMARY) ON items.sku = UNHEX(new.sku) SET ");
        statement.push_str(set);
        (statement, part.len())
    };
    rows.chunks(ITEMS_MAX).map(update).collect()
}

/// Changes items as [`item_updates`] says.
pub(super) async fn update_items<R: Serialize>(
    connection: &mut Conn,
    rows: &[R],
    columns: &str,
    set: &str,
) -> Result<(), Fault> {
    for (statement, items) in item_updates(rows, columns, set) {
        expect(items, run(connection, statement).await?)?;
    }
    Ok(())
}

/// A text as [`update_items`] wants it.
pub(super) fn hex(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes()
        .fold(String::with_capacity(text.len() * 2), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

fn order(text: &mut String, order: &Order, batch: &str) {
    sql::bytes(text, order.order_id.as_bytes());
    text.push(',');
    sql::maybe_bytes(text, order.customer.as_ref().map(Customer::as_str));
    text.push(',');
    sql::bytes(text, body::pack(order).as_bytes());
    text.push(',');
    sql::number(text, order.hold_until.millis());
    text.push(',');
    text.push_str(if order.batch.is_some() { batch } else { "NULL" });
}

fn ended(text: &mut String, order: &Order) {
    sql::bytes(text, order.order_id.as_bytes());
    text.push(',');
    sql::number(text, order.state.code());
    text.push(',');
    sql::maybe_bytes(text, order.reason.map(Reason::as_str));
    text.push(',');
    sql::maybe_number(text, order.settled_at.map(Timestamp::millis));
}

fn refund(text: &mut String, refund: &Refund) {
    sql::bytes(text, refund.order_id.as_bytes());
    text.push(',');
    sql::number(text, refund.amount.minor());
    text.push(',');
    sql::bytes(text, refund.reason.as_str().as_bytes());
    text.push(',');
    sql::number(text, refund.recorded_at.millis());
}

/// The number of the batch that [`batch`] has recorded.
pub(super) const BATCH: &str = "@batch";

/// Records a batch; the database gives it a number.
pub(super) async fn batch(
    tx: &mut Tx<'_>,
    orders: &[Order],
    decided_at: Timestamp,
    hold_until: Timestamp,
) -> Result<(), Fault> {
    let blocked = orders
        .iter()
        .filter(|order| order.state == OrderState::Blocked)
        .count();
    tx.write(&format!(
        "INSERT INTO batches (decided_at, hold_until, orders, blocked, closed) VALUES ({}, {}, {}, {blocked}, {})",
        decided_at.millis(),
        hold_until.millis(),
        orders.len(),
        u8::from(blocked == 0)
    ))
    .await?;
    tx.write(&format!("SET {BATCH} = LAST_INSERT_ID()")).await
}

/// Closes the batches whose holds ran out at these times: all of their orders have ended, and nothing ends twice.
pub(super) async fn close_batches(connection: &mut Conn, holds: &[Timestamp]) -> Result<(), Fault> {
    let holds: Vec<String> = holds.iter().map(|hold| hold.millis().to_string()).collect();
    let statement = format!(
        "UPDATE batches FORCE INDEX (batches_open) SET closed = 1 WHERE closed = 0 AND hold_until IN ({})",
        holds.join(",")
    );
    Ok(connection.query_drop(statement).await?)
}

/// Marks refunds as executed.
pub(super) async fn refunded(connection: &mut Conn, ids: &[OrderId]) -> Result<(), Fault> {
    for part in ids.chunks(sql::LIST_MAX) {
        let ids: Vec<_> = part.iter().map(OrderId::as_bytes).collect();
        let statement = format!(
            "UPDATE refunds FORCE INDEX (PRIMARY) SET executed_at = {} \
             WHERE executed_at IS NULL AND order_id IN ({})",
            super::rows::NOW,
            sql::list(&ids)
        );
        run(connection, statement).await?;
    }
    Ok(())
}

/// Runs a statement and returns how many rows it matched.
pub(super) async fn run(connection: &mut Conn, statement: String) -> Result<u64, Fault> {
    let result = connection.query_iter(statement).await?;
    let affected = result.affected_rows();
    result.drop_result().await?;
    Ok(affected)
}

/// What was locked must be what is changed.
fn expect(expected: usize, affected: u64) -> Result<(), Fault> {
    if affected == expected as u64 {
        Ok(())
    } else {
        Err(Fault::Miscounted { expected, affected })
    }
}
