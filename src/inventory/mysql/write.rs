//! Writes what was decided.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde::Serialize;

use super::fault::Fault;
use super::rows::ORDER_COLUMNS;
use super::sql;
use crate::domain::{CartHash, Customer, Order, OrderId, OrderState, Reason, Timestamp};
use crate::inventory::decide::Changes;
use crate::inventory::{Refund, StockLevel, lines};

/// How many items one UPDATE changes: its text stays far below the limit of a statement.
const ITEMS_MAX: usize = 10_000;

/// Counters, orders, refunds.
pub(super) async fn changes(connection: &mut Conn, changes: &Changes) -> Result<(), Fault> {
    levels(connection, &changes.levels).await?;
    insert_orders(connection, &changes.inserted).await?;
    update_orders(connection, &changes.updated).await?;
    insert_refunds(connection, &changes.refunds).await
}

async fn levels(connection: &mut Conn, levels: &[StockLevel]) -> Result<(), Fault> {
    let rows: Vec<_> = levels
        .iter()
        .map(|level| {
            let counters = [level.available, level.blocked, level.sold];
            (hex(level.sku.as_str()), counters, level.version)
        })
        .collect();
    update_items(
        connection,
        &rows,
        "available BIGINT PATH '$[1][0]', blocked BIGINT PATH '$[1][1]', sold BIGINT PATH '$[1][2]', \
         version BIGINT PATH '$[2]'",
        "items.available = new.available, items.blocked = new.blocked, items.sold = new.sold, \
         items.version = new.version",
    )
    .await
}

/// Changes many items by one statement. A row begins with the SKU in hexadecimal; `columns` name its other values.
///
/// Joined with `JSON_TABLE`, since an UPDATE with a CASE is quadratic; from the table into the items and by their key,
/// so that no other row is looked at: a scan, which servers prefer for few items, would wait for the locks of others.
/// The rows must be locked already.
pub(super) async fn update_items<R: Serialize>(
    connection: &mut Conn,
    rows: &[R],
    columns: &str,
    set: &str,
) -> Result<(), Fault> {
    for part in rows.chunks(ITEMS_MAX) {
        let json = serde_json::to_string(part).expect("strings and numbers always serialise");
        let mut statement = String::from("UPDATE JSON_TABLE(_utf8mb4 ");
        sql::bytes(&mut statement, json.as_bytes());
        statement.push_str(", '$[*]' COLUMNS (sku VARCHAR(128) PATH '$[0]', ");
        statement.push_str(columns);
        statement.push_str(")) AS new STRAIGHT_JOIN items FORCE INDEX (PRIMARY) ON items.sku = UNHEX(new.sku) SET ");
        statement.push_str(set);
        expect(part.len(), run(connection, statement).await?)?;
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

async fn insert_orders(connection: &mut Conn, orders: &[Order]) -> Result<(), Fault> {
    let head = format!("INSERT INTO orders ({ORDER_COLUMNS}) VALUES ");
    for statement in sql::inserts(&head, orders, "", order) {
        run(connection, statement).await?;
    }
    Ok(())
}

fn order(text: &mut String, order: &Order) {
    sql::bytes(text, order.order_id.as_bytes());
    text.push(',');
    sql::maybe_bytes(text, order.customer.as_ref().map(Customer::as_str));
    text.push(',');
    sql::maybe_bytes(text, order.cart_hash.as_ref().map(CartHash::as_bytes));
    text.push(',');
    sql::bytes(text, lines::pack(&order.lines).as_bytes());
    text.push(',');
    sql::number(text, order.amount.minor());
    text.push(',');
    sql::number(text, order.state.code());
    text.push(',');
    sql::maybe_bytes(text, order.reason.map(Reason::as_str));
    for time in [order.accepted_at, order.decided_at, order.hold_until] {
        text.push(',');
        sql::number(text, time.millis());
    }
    text.push(',');
    sql::maybe_number(text, order.settled_at.map(Timestamp::millis));
    text.push(',');
    sql::maybe_number(text, order.batch.map(|batch| batch.id));
    text.push(',');
    sql::maybe_number(text, order.batch.map(|batch| batch.position));
}

/// One statement for all that ended the same way. The guard by state costs nothing: a final row never changes.
async fn update_orders(connection: &mut Conn, orders: &[Order]) -> Result<(), Fault> {
    let end = |order: &Order| (order.state.code(), order.reason, order.settled_at);
    let mut sorted: Vec<&Order> = orders.iter().collect();
    sorted.sort_by_key(|order| (end(order), order.order_id));
    for alike in sorted.chunk_by(|one, other| end(one) == end(other)) {
        for part in alike.chunks(sql::LIST_MAX) {
            let (state, reason, settled_at) = end(part[0]);
            let ids: Vec<_> = part.iter().map(|order| order.order_id.as_bytes()).collect();
            let mut statement = String::from("UPDATE orders FORCE INDEX (PRIMARY) SET state = ");
            sql::number(&mut statement, state);
            statement.push_str(", reason = ");
            sql::maybe_bytes(&mut statement, reason.map(Reason::as_str));
            statement.push_str(", settled_at = ");
            sql::maybe_number(&mut statement, settled_at.map(Timestamp::millis));
            statement.push_str(" WHERE state = 1 AND order_id IN (");
            statement.push_str(&sql::list(&ids));
            statement.push(')');
            expect(part.len(), run(connection, statement).await?)?;
        }
    }
    Ok(())
}

async fn insert_refunds(connection: &mut Conn, refunds: &[Refund]) -> Result<(), Fault> {
    let head = "INSERT INTO refunds (order_id, amount, reason, recorded_at) VALUES ";
    let tail = " ON DUPLICATE KEY UPDATE order_id = refunds.order_id";
    for statement in sql::inserts(head, refunds, tail, refund) {
        run(connection, statement).await?;
    }
    Ok(())
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

/// Records a batch and returns its number, which the database gives.
pub(super) async fn batch(
    connection: &mut Conn,
    orders: &[Order],
    decided_at: Timestamp,
) -> Result<u64, Fault> {
    let blocked = orders
        .iter()
        .filter(|order| order.state == OrderState::Blocked)
        .count();
    let statement = format!(
        "INSERT INTO batches (decided_at, orders, blocked) VALUES ({}, {}, {blocked})",
        decided_at.millis(),
        orders.len()
    );
    connection.query_drop(statement).await?;
    Ok(connection.last_insert_id().unwrap_or_default())
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
