//! Reads, inside and outside of transactions.

use std::collections::{BTreeSet, HashMap};

use mysql_async::prelude::{FromValue, Queryable};
use mysql_async::{Conn, Row};

use super::bodies::Standing;
use super::fault::Fault;
use super::rows::{self, Fields, ITEM_COLUMNS, NOW, ORDER_COLUMNS, REFUND_COLUMNS};
use super::sql;
use crate::domain::{Order, OrderId, Sku, Timestamp};
use crate::findings;
use crate::inventory::decide::ItemRow;
use crate::inventory::{HoldEnd, Owed, Refund, StockLevel};

/// How many held orders are looked at for the earliest hold on an item.
const HOLDS_READ_MAX: usize = 1_000;

/// Whether rows are locked until the transaction ends. Locks are taken in the order of the primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// As committed.
    None,
    /// Locked against everybody else who would lock or change them.
    ForUpdate,
}

impl Lock {
    const fn clause(self) -> &'static str {
        match self {
            Self::None => "",
            Self::ForUpdate => " FOR UPDATE",
        }
    }
}

/// The rows of a table by their keys, in the order of the keys, which must be sorted: lists of at most 900 and the
/// index by name, since MySQL would scan, and lock, all of it otherwise.
pub(super) async fn by_key<K: AsRef<[u8]>, T>(
    connection: &mut Conn,
    (columns, table, key): (&str, &str, &str),
    keys: &[K],
    lock: Lock,
    read: impl Fn(Row) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut found = Vec::with_capacity(keys.len());
    for part in keys.chunks(sql::LIST_MAX) {
        let query = format!(
            "SELECT {columns} FROM {table} FORCE INDEX (PRIMARY) WHERE {key} IN ({}) ORDER BY {key}{}",
            sql::list(part),
            lock.clause()
        );
        let rows: Vec<Row> = connection.query(query).await?;
        for row in rows {
            found.push(read(row)?);
        }
    }
    Ok(found)
}

/// A single number.
pub(super) async fn number<T: FromValue>(connection: &mut Conn, query: &str) -> Result<T, Fault> {
    let row: Option<Row> = connection.query_first(query).await?;
    row.map_or_else(
        || {
            Err(Fault::BadRow {
                column: 0,
                cause: "there is no row".to_owned(),
            })
        },
        |row| Fields::of(row).take(),
    )
}

/// What time it is, by the database's clock.
pub(super) async fn now(connection: &mut Conn) -> Result<Timestamp, Fault> {
    let millis = number(connection, &format!("SELECT {NOW}")).await?;
    Ok(Timestamp::from_millis(millis))
}

/// The items that exist, ordered by SKU.
pub(super) async fn items(
    connection: &mut Conn,
    skus: &BTreeSet<Sku>,
) -> Result<Vec<ItemRow>, Fault> {
    items_with(connection, skus, Lock::None).await
}

/// The same, locked in this order.
pub(super) async fn lock_items(
    connection: &mut Conn,
    skus: &BTreeSet<Sku>,
) -> Result<Vec<ItemRow>, Fault> {
    items_with(connection, skus, Lock::ForUpdate).await
}

async fn items_with(
    connection: &mut Conn,
    skus: &BTreeSet<Sku>,
    lock: Lock,
) -> Result<Vec<ItemRow>, Fault> {
    let keys: Vec<&str> = skus.iter().map(Sku::as_str).collect();
    let place = (ITEM_COLUMNS, "items", "sku");
    by_key(connection, place, &keys, lock, rows::item).await
}

/// The orders that exist, ordered by id.
pub(super) async fn orders(
    connection: &mut Conn,
    ids: &BTreeSet<OrderId>,
) -> Result<Vec<Order>, Fault> {
    let keys: Vec<&[u8; 16]> = ids.iter().map(OrderId::as_bytes).collect();
    let place = (ORDER_COLUMNS, "orders", "order_id");
    by_key(connection, place, &keys, Lock::None, rows::order).await
}

/// Locks the orders that exist, ordered by id, and tells where they stand.
pub(super) async fn lock_orders(
    connection: &mut Conn,
    ids: &BTreeSet<OrderId>,
) -> Result<Vec<Standing>, Fault> {
    let keys: Vec<&[u8; 16]> = ids.iter().map(OrderId::as_bytes).collect();
    let place = (rows::STANDING_COLUMNS, "orders", "order_id");
    by_key(connection, place, &keys, Lock::ForUpdate, rows::standing).await
}

/// Those of the orders that have a refund recorded.
pub(super) async fn refunds_of(
    connection: &mut Conn,
    ids: &BTreeSet<OrderId>,
) -> Result<Vec<OrderId>, Fault> {
    let keys: Vec<&[u8; 16]> = ids.iter().map(OrderId::as_bytes).collect();
    let place = ("order_id", "refunds", "order_id");
    by_key(connection, place, &keys, Lock::None, |row| {
        Fields::of(row).order_id()
    })
    .await
}

/// Those of the rows that can be read; of each other one it is logged that it cannot (rule 18). The rows begin with
/// the id of their order.
pub(super) fn readable<T>(rows: Vec<Row>, read: impl Fn(Row) -> Result<T, Fault>) -> Vec<T> {
    let read = |row: Row| {
        let subject = id_in(&row).map_or_else(|| "an order".to_owned(), |id| id.to_string());
        read(row)
            .inspect_err(|fault| findings::report(&subject, fault))
            .ok()
    };
    rows.into_iter().filter_map(read).collect()
}

/// The order's id at the beginning of a row, whatever is wrong with the rest.
pub(super) fn id_in(row: &Row) -> Option<OrderId> {
    let bytes: Vec<u8> = row.get_opt(0)?.ok()?;
    Some(OrderId::from_bytes(bytes.try_into().ok()?))
}

/// Overdue orders, the longest overdue first.
pub(super) async fn expired(
    connection: &mut Conn,
    after: Option<HoldEnd>,
    limit: usize,
) -> Result<Vec<Order>, Fault> {
    let mut after = after.unwrap_or(HoldEnd::FIRST);
    let mut found = Vec::new();
    loop {
        let left = limit - found.len();
        // Not `(hold_until, order_id) > (?, ?)`: MySQL does not read a range by that.
        let query = format!(
            "SELECT {ORDER_COLUMNS} FROM orders FORCE INDEX (orders_open) \
             WHERE state = 1 AND hold_until BETWEEN ? AND {NOW} AND (hold_until > ? OR order_id > ?) \
             ORDER BY hold_until, order_id LIMIT {left}"
        );
        let from = after.hold_until.millis();
        let parameters = (from, from, after.order_id.as_bytes().as_slice());
        let rows: Vec<Row> = connection.exec(query, parameters).await?;
        let full = rows.len() == left;
        // Behind the last row, also if that cannot be read.
        let last = rows.last().and_then(|row| {
            let millis = row.get_opt(rows::HOLD_UNTIL)?.ok()?;
            Some(HoldEnd {
                hold_until: Timestamp::from_millis(millis),
                order_id: id_in(row)?,
            })
        });
        found.extend(readable(rows, rows::order));
        match last {
            Some(last) if full && found.len() < limit => after = last,
            _ => return Ok(found),
        }
    }
}

/// Refunds that are not executed, the oldest first.
pub(super) async fn refunds_due(
    connection: &mut Conn,
    after: Option<Owed>,
    limit: usize,
) -> Result<Vec<Refund>, Fault> {
    let after = after.unwrap_or(Owed::FIRST);
    // As above.
    let query = format!(
        "SELECT {REFUND_COLUMNS} FROM refunds FORCE INDEX (refunds_due) \
         WHERE executed_at IS NULL AND recorded_at >= ? AND (recorded_at > ? OR order_id > ?) \
         ORDER BY recorded_at, order_id LIMIT {limit}"
    );
    let from = after.recorded_at.millis();
    let parameters = (from, from, after.order_id.as_bytes().as_slice());
    let rows: Vec<Row> = connection.exec(query, parameters).await?;
    Ok(readable(rows, rows::refund))
}

/// Fills in when the earliest hold on each item runs out. Of more than 1,000 held orders only the earliest are read:
/// an item that is not among them is held until the last of these at least.
pub(super) async fn earliest_holds(
    connection: &mut Conn,
    levels: &mut HashMap<Sku, StockLevel>,
) -> Result<(), Fault> {
    if levels.values().all(|level| level.blocked <= 0) {
        return Ok(());
    }
    let query = format!(
        "SELECT order_id, hold_until, cart_lines FROM orders FORCE INDEX (orders_open) \
         WHERE state = 1 ORDER BY hold_until LIMIT {HOLDS_READ_MAX}"
    );
    let rows: Vec<Row> = connection.query(query).await?;
    let mut last = None;
    let held = readable(rows, |row| {
        let mut fields = Fields::of(row);
        fields.order_id()?;
        Ok((fields.time()?, fields.lines()?))
    });
    for (until, lines) in held {
        last = Some(until);
        for line in lines {
            if let Some(level) = levels.get_mut(&line.sku) {
                level.earliest_hold.get_or_insert(until);
            }
        }
    }
    for level in levels.values_mut().filter(|level| level.blocked > 0) {
        level.earliest_hold = level.earliest_hold.or(last);
    }
    Ok(())
}
