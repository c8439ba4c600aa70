//! Reads, inside and outside of transactions.

use std::collections::{BTreeSet, HashMap};

use mysql_async::prelude::{FromValue, Queryable};
use mysql_async::{Conn, Row};

use super::fault::Fault;
use super::rows::{self, Fields, ITEM_COLUMNS, NOW, ORDER_COLUMNS, REFUND_COLUMNS};
use super::{sales, sql};
use crate::domain::{Order, OrderId, OrderState, Sku, Timestamp};
use crate::findings;
use crate::inventory::decide::ItemRow;
use crate::inventory::overdue::{self, HOLDS_MAX, Overdue};
use crate::inventory::{HoldEnd, Owed, Refund, StockLevel};

/// How many orders of open batches are looked at for the earliest hold on an item.
const HOLDS_READ_MAX: usize = 2_000;

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

/// Asks for rows of a table by their keys, in the order of the keys, which must be sorted: lists of at most 900 and the
/// index by name, since MySQL would scan, and lock, all of it otherwise.
pub(super) fn by_key<K: AsRef<[u8]>>(
    (columns, table, key): (&str, &str, &str),
    keys: &[K],
    lock: Lock,
) -> Vec<String> {
    let question = |part: &[K]| {
        format!(
            "SELECT {columns} FROM {table} FORCE INDEX (PRIMARY) WHERE {key} IN ({}) ORDER BY {key}{}",
            sql::list(part),
            lock.clause()
        )
    };
    keys.chunks(sql::LIST_MAX).map(question).collect()
}

/// Asks such questions one by one.
pub(super) async fn each<T>(
    connection: &mut Conn,
    questions: Vec<String>,
    read: impl Fn(Row) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut found = Vec::new();
    for question in questions {
        let rows: Vec<Row> = connection.query(question).await?;
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

/// The time by the answer to `SELECT {NOW}`.
pub(super) fn time_in(rows: impl Iterator<Item = Row>) -> Result<Timestamp, Fault> {
    let row = rows.last().ok_or_else(|| Fault::BadRow {
        column: 0,
        cause: "there is no row".to_owned(),
    })?;
    Fields::of(row).time()
}

/// The stock of the items that exist, with what was sold and is not folded in yet: one snapshot for both.
pub(super) async fn stock(
    connection: &mut Conn,
    skus: &BTreeSet<Sku>,
) -> Result<Vec<StockLevel>, Fault> {
    let keys: Vec<&str> = skus.iter().map(Sku::as_str).collect();
    let mut levels = Vec::with_capacity(keys.len());
    for part in keys.chunks(sql::LIST_MAX) {
        let question = format!(
            "SELECT {ITEM_COLUMNS}, NULL FROM items FORCE INDEX (PRIMARY) WHERE sku IN ({}) \
             UNION ALL SELECT NULL, 0, 0, 0, 0, 0, units FROM sales",
            sql::list(part)
        );
        let (items, sales) = sales::separate(connection.query(question).await?, 6);
        let mut items = item_rows(items.into_iter())?;
        sales.show(items.iter_mut().map(|item| &mut item.level));
        levels.extend(items.into_iter().map(|item| item.level));
    }
    Ok(levels)
}

/// Asks for the items that exist, by SKU, as they stand in their rows.
pub(super) fn items_questions(skus: &BTreeSet<Sku>, lock: Lock) -> Vec<String> {
    let keys: Vec<&str> = skus.iter().map(Sku::as_str).collect();
    by_key((ITEM_COLUMNS, "items", "sku"), &keys, lock)
}

/// The answers to [`items_questions`].
pub(super) fn item_rows(rows: impl Iterator<Item = Row>) -> Result<Vec<ItemRow>, Fault> {
    rows.map(rows::item).collect()
}

/// Asks for the orders that exist, by id.
pub(super) fn orders_questions(ids: &BTreeSet<OrderId>) -> Vec<String> {
    let keys: Vec<&[u8; 16]> = ids.iter().map(OrderId::as_bytes).collect();
    let question = |part: &[&[u8; 16]]| {
        format!(
            "SELECT {ORDER_COLUMNS} FROM orders AS o FORCE INDEX (PRIMARY) \
             LEFT JOIN settlements AS s ON s.order_id = o.order_id WHERE o.order_id IN ({}) ORDER BY o.order_id",
            sql::list(part)
        )
    };
    keys.chunks(sql::LIST_MAX).map(question).collect()
}

/// The orders that exist, ordered by id.
pub(super) async fn orders(
    connection: &mut Conn,
    ids: &BTreeSet<OrderId>,
) -> Result<Vec<Order>, Fault> {
    each(connection, orders_questions(ids), rows::order).await
}

/// Asks which of the orders have a refund recorded.
pub(super) fn refunds_questions(ids: &BTreeSet<OrderId>) -> Vec<String> {
    let keys: Vec<&[u8; 16]> = ids.iter().map(OrderId::as_bytes).collect();
    by_key(("order_id", "refunds", "order_id"), &keys, Lock::None)
}

/// Asks which of the orders exist.
pub(super) fn existence_questions(ids: &BTreeSet<OrderId>) -> Vec<String> {
    let keys: Vec<&[u8; 16]> = ids.iter().map(OrderId::as_bytes).collect();
    by_key(("order_id", "orders", "order_id"), &keys, Lock::None)
}

/// Asks which of the orders have ended, and locks that.
pub(super) fn ended_questions(ids: &BTreeSet<OrderId>) -> Vec<String> {
    let keys: Vec<&[u8; 16]> = ids.iter().map(OrderId::as_bytes).collect();
    by_key(
        ("order_id", "settlements", "order_id"),
        &keys,
        Lock::ForUpdate,
    )
}

/// The ids that such a question is answered with.
pub(super) fn ids_in(rows: impl Iterator<Item = Row>) -> Result<BTreeSet<OrderId>, Fault> {
    rows.map(|row| Fields::of(row).order_id()).collect()
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

/// Reads overdue orders, a hold at a time.
pub(super) async fn overdue(
    connection: &mut Conn,
    after: HoldEnd,
    limit: usize,
) -> Result<Overdue, Fault> {
    let question = format!(
        "SELECT DISTINCT hold_until FROM batches FORCE INDEX (batches_open) \
         WHERE closed = 0 AND hold_until BETWEEN {} AND {NOW} ORDER BY hold_until LIMIT {HOLDS_MAX}",
        after.hold_until.millis()
    );
    let holds: Vec<i64> = connection.query(question).await?;
    let holds: Vec<Timestamp> = holds.into_iter().map(Timestamp::from_millis).collect();
    let mut found = Overdue::default();
    for &hold in &holds {
        let mut from = overdue::begin(hold, after);
        let mut is_exhausted = from == HoldEnd::FIRST.order_id;
        loop {
            let left = limit - found.orders.len();
            let question = format!(
                "SELECT STRAIGHT_JOIN {ORDER_COLUMNS} FROM batches AS b FORCE INDEX (batches_open) \
                 JOIN orders AS o FORCE INDEX (orders_of_batch) ON o.batch_id = b.batch_id \
                 LEFT JOIN settlements AS s ON s.order_id = o.order_id \
                 WHERE b.closed = 0 AND b.hold_until = ? AND s.order_id IS NULL AND o.order_id > ? \
                 ORDER BY o.order_id LIMIT {left}"
            );
            let values = (hold.millis(), from.as_bytes().as_slice());
            let rows: Vec<Row> = connection.exec(question, values).await?;
            is_exhausted &= rows.is_empty();
            let full = rows.len() == left;
            // Behind the last row, also if that cannot be read.
            let last = rows.last().and_then(id_in);
            found.orders.extend(readable(rows, rows::order));
            if found.orders.len() == limit {
                return Ok(found);
            }
            match last {
                Some(last) if full => from = last,
                _ => break,
            }
        }
        if is_exhausted {
            found.exhausted.push(hold);
        }
    }
    found.next = overdue::behind(&holds);
    Ok(found)
}

/// Refunds that are not executed, the oldest first.
pub(super) async fn refunds_due(
    connection: &mut Conn,
    after: Option<Owed>,
    limit: usize,
) -> Result<Vec<Refund>, Fault> {
    let after = after.unwrap_or(Owed::FIRST);
    // Not `(recorded_at, order_id) > (?, ?)`: MySQL does not read a range by that.
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

/// Fills in when the earliest hold on each item runs out. Of very many orders only those of the oldest open batches are
/// read: an item that is not among them is held until the last of these at least.
pub(super) async fn earliest_holds(
    connection: &mut Conn,
    levels: &mut HashMap<Sku, StockLevel>,
) -> Result<(), Fault> {
    if levels.values().all(|level| level.blocked <= 0) {
        return Ok(());
    }
    let question = format!(
        "SELECT STRAIGHT_JOIN {ORDER_COLUMNS} FROM batches AS b FORCE INDEX (batches_open) \
         JOIN orders AS o FORCE INDEX (orders_of_batch) ON o.batch_id = b.batch_id \
         LEFT JOIN settlements AS s ON s.order_id = o.order_id \
         WHERE b.closed = 0 ORDER BY b.hold_until LIMIT {HOLDS_READ_MAX}"
    );
    let rows: Vec<Row> = connection.query(question).await?;
    let mut last = None;
    for order in readable(rows, rows::order) {
        last = last.max(Some(order.hold_until));
        if order.state != OrderState::Blocked {
            continue;
        }
        for line in order.lines {
            if let Some(level) = levels.get_mut(&line.sku) {
                level.earliest_hold.get_or_insert(order.hold_until);
            }
        }
    }
    for level in levels.values_mut().filter(|level| level.blocked > 0) {
        level.earliest_hold = level.earliest_hold.or(last);
    }
    Ok(())
}
