//! Reads, inside and outside of write transactions.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, Error, OptionalExtension, Row};

use super::rows::{self, ORDER_COLUMNS, ORDERS};
use crate::domain::{Order, OrderId, OrderState, Sku, Timestamp};
use crate::findings;
use crate::inventory::decide::ItemRow;
use crate::inventory::overdue::{self, HOLDS_MAX, Overdue};
use crate::inventory::{HoldEnd, Owed, Refund, StockLevel};

/// How many orders of open batches are looked at for the earliest hold on an item.
const HOLDS_READ_MAX: usize = 2_000;

/// The number of the last batch.
pub(super) fn batches(connection: &Connection) -> Result<u64, Error> {
    connection
        .prepare_cached("SELECT batches FROM store")?
        .query_row([], |row| rows::number(row, 0))
}

const ITEM: &str = "SELECT available, blocked, sold, version, price FROM items WHERE sku = ?1";

fn level(sku: &Sku, row: &Row<'_>) -> Result<StockLevel, Error> {
    Ok(StockLevel {
        sku: sku.clone(),
        available: row.get(0)?,
        blocked: row.get(1)?,
        sold: row.get(2)?,
        version: rows::number(row, 3)?,
        earliest_hold: None,
    })
}

/// The items that exist.
pub(super) fn items(connection: &Connection, skus: BTreeSet<Sku>) -> Result<Vec<ItemRow>, Error> {
    let mut statement = connection.prepare_cached(ITEM)?;
    let mut items = Vec::with_capacity(skus.len());
    for sku in skus {
        let item = statement
            .query_row([sku.as_str()], |row| {
                Ok(ItemRow {
                    price: rows::money(row, 4)?,
                    level: level(&sku, row)?,
                })
            })
            .optional()?;
        items.extend(item);
    }
    Ok(items)
}

/// The stock of items, in the order asked for.
pub(super) fn levels(
    connection: &Connection,
    skus: &[Sku],
) -> Result<Vec<Option<StockLevel>>, Error> {
    let mut statement = connection.prepare_cached(ITEM)?;
    skus.iter()
        .map(|sku| {
            statement
                .query_row([sku.as_str()], |row| level(sku, row))
                .optional()
        })
        .collect()
}

/// Orders, in the order asked for.
pub(super) fn orders<'a>(
    connection: &Connection,
    ids: impl Iterator<Item = &'a OrderId>,
) -> Result<Vec<Option<Order>>, Error> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ORDER_COLUMNS} FROM {ORDERS} WHERE o.order_id = ?1"
    ))?;
    ids.map(|id| statement.query_row([id.as_bytes()], rows::order).optional())
        .collect()
}

/// Those of the orders that are there. Ids that are ordered by time lie together, with few others between them: one scan
/// finds out that none of a batch is there. Where too many others are between them, each is looked up.
pub(super) fn known_orders(
    connection: &Connection,
    mut ids: Vec<OrderId>,
) -> Result<Vec<Order>, Error> {
    ids.sort_unstable();
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
        return Ok(Vec::new());
    };
    let mut between = connection.prepare_cached(
        "SELECT order_id FROM orders WHERE order_id BETWEEN ?1 AND ?2 ORDER BY order_id LIMIT ?3",
    )?;
    let most = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let found: Vec<OrderId> = between
        .query_map((first.as_bytes(), last.as_bytes(), most), |row| {
            rows::id(row, 0)
        })?
        .collect::<Result<_, _>>()?;
    if found.len() < ids.len() {
        ids.retain(|id| found.binary_search(id).is_ok());
    }
    let known = orders(connection, ids.iter())?;
    Ok(known.into_iter().flatten().collect())
}

/// A row that begins with the id of its order; none if it cannot be read, which is logged (rule 18).
pub(super) fn readable<T>(row: &Row<'_>, read: impl Fn(&Row<'_>) -> Result<T, Error>) -> Option<T> {
    let reading = read(row).inspect_err(|error| {
        let id = rows::id(row, 0).ok();
        let subject = id.map_or_else(|| "an order".to_owned(), |id| id.to_string());
        findings::report(&subject, error);
    });
    reading.ok()
}

/// Reads overdue orders, a hold at a time.
pub(super) fn overdue(
    connection: &Connection,
    now: Timestamp,
    after: HoldEnd,
    limit: usize,
) -> Result<Overdue, Error> {
    let holds: Vec<Timestamp> = connection
        .prepare_cached(
            "SELECT DISTINCT hold_until FROM batches WHERE closed = 0 AND hold_until BETWEEN ?1 AND ?2 \
             ORDER BY hold_until LIMIT ?3",
        )?
        .query_map((after.hold_until.millis(), now.millis(), i64::from(HOLDS_MAX)), |row| {
            rows::time(row, 0)
        })?
        .collect::<Result<_, _>>()?;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ORDER_COLUMNS} FROM batches AS b CROSS JOIN {ORDERS} \
         WHERE b.closed = 0 AND b.hold_until = ?1 AND o.batch_id = b.batch_id AND s.order_id IS NULL AND o.order_id > ?2 \
         ORDER BY o.order_id"
    ))?;
    let mut found = Overdue::default();
    for hold in &holds {
        let first = overdue::begin(*hold, after);
        let mut orders = statement.query((hold.millis(), first.as_bytes()))?;
        let mut is_exhausted = first == HoldEnd::FIRST.order_id;
        while let Some(row) = orders.next()? {
            is_exhausted = false;
            found.orders.extend(readable(row, rows::order));
            if found.orders.len() == limit {
                return Ok(found);
            }
        }
        if is_exhausted {
            found.exhausted.push(*hold);
        }
    }
    found.next = overdue::behind(&holds);
    Ok(found)
}

/// Fills in when the earliest hold on each item runs out. Of very many orders only those of the oldest open batches are
/// read: an item that is not among them is held until the last of these at least.
pub(super) fn earliest_holds(
    connection: &Connection,
    levels: &mut [Option<StockLevel>],
) -> Result<(), Error> {
    let mut wanted: HashMap<Sku, Option<Timestamp>> = levels
        .iter()
        .flatten()
        .filter(|level| level.blocked > 0)
        .map(|level| (level.sku.clone(), None))
        .collect();
    let mut missing = wanted.len();
    if missing == 0 {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ORDER_COLUMNS} FROM batches AS b CROSS JOIN {ORDERS} WHERE b.closed = 0 AND o.batch_id = b.batch_id \
         ORDER BY b.hold_until LIMIT {HOLDS_READ_MAX}"
    ))?;
    let mut held = statement.query([])?;
    let mut last = None;
    while let Some(row) = held.next()? {
        let Some(order) = readable(row, rows::order) else {
            continue;
        };
        last = last.max(Some(order.hold_until));
        if order.state != OrderState::Blocked {
            continue;
        }
        for line in &order.lines {
            if let Some(until @ None) = wanted.get_mut(&line.sku) {
                *until = Some(order.hold_until);
                missing -= 1;
            }
        }
        if missing == 0 {
            break;
        }
    }
    for level in levels.iter_mut().flatten() {
        if let Some(until) = wanted.get(&level.sku) {
            level.earliest_hold = until.or(last);
        }
    }
    Ok(())
}

/// Those of the orders that have a refund recorded.
pub(super) fn refunds_of<'a>(
    connection: &Connection,
    ids: impl Iterator<Item = &'a OrderId>,
) -> Result<Vec<OrderId>, Error> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM refunds WHERE order_id = ?1")?;
    let mut found = Vec::new();
    for id in ids {
        if statement.exists([id.as_bytes()])? {
            found.push(*id);
        }
    }
    Ok(found)
}

/// Refunds that are not executed, the oldest first.
pub(super) fn refunds_due(
    connection: &Connection,
    after: Option<Owed>,
    limit: usize,
) -> Result<Vec<Refund>, Error> {
    let after = after.unwrap_or(Owed::FIRST);
    let mut statement = connection.prepare_cached(
        "SELECT order_id, amount, reason, recorded_at, executed_at FROM refunds \
         WHERE executed_at IS NULL AND (recorded_at, order_id) > (?1, ?2) \
         ORDER BY recorded_at, order_id",
    )?;
    let mut due = statement.query((after.recorded_at.millis(), after.order_id.as_bytes()))?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = due.next()?
    {
        found.extend(readable(row, refund));
    }
    Ok(found)
}

/// Reads a row of `order_id, amount, reason, recorded_at, executed_at`.
pub(super) fn refund(row: &Row<'_>) -> Result<Refund, Error> {
    let reason: String = row.get(2)?;
    Ok(Refund {
        order_id: rows::id(row, 0)?,
        amount: rows::money(row, 1)?,
        reason: reason
            .parse()
            .map_err(|source| rows::bad(2, rusqlite::types::Type::Text, source))?,
        recorded_at: rows::time(row, 3)?,
        executed_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis),
    })
}
