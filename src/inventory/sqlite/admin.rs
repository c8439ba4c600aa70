//! Administration: catalogue, corrections, order search.

use std::fmt::Write as _;

use rusqlite::types::{ToSql, Type};
use rusqlite::{Connection, Error, OptionalExtension, Row, params};
use uuid::Uuid;

use super::rows::{self, ORDER_COLUMNS, ORDERS};
use super::{SqliteInventory, read};
use crate::domain::{Customer, Order, OrderId, Reason, Sku, Timestamp};
use crate::inventory::bounds::check_items;
use crate::inventory::{
    Adjusted, Adjustment, AdjustmentRow, Administration, BatchRow, Item, NewItem, OrderFilter,
    PutOutcome, StockLevel, Story, UnitsError, corrected,
};
use crate::ports::{self, Clock};

const ITEM_COLUMNS: &str = "sku, available, blocked, sold, version, name, price, initial, adjusted";

impl<C: Clock> Administration for SqliteInventory<C> {
    async fn put_items(&self, items: Vec<NewItem>) -> Result<Vec<PutOutcome>, ports::Error> {
        let action = format!("put {} items", items.len());
        if let Err(refused) = check_items(&items) {
            return Err(ports::Error::permanent(action).because(refused));
        }
        let now = self.clock.now();
        self.store
            .write(action, move |connection| {
                items
                    .iter()
                    .map(|item| put(connection, item, now))
                    .collect()
            })
            .await
    }

    async fn items(&self, after: Option<Sku>, limit: usize) -> Result<Vec<Item>, ports::Error> {
        self.store.read("read items", |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {ITEM_COLUMNS} FROM items WHERE sku > ?1 ORDER BY sku LIMIT ?2"
                ))?
                .query_map(
                    params![after.as_ref().map_or("", Sku::as_str), bounded(limit)],
                    item,
                )?
                .collect()
        })
    }

    async fn adjust(&self, adjustments: Vec<Adjustment>) -> Result<Vec<Adjusted>, ports::Error> {
        let action = format!("adjust {} items", adjustments.len());
        if adjustments.iter().any(|adjustment| adjustment.by == 0) {
            return Err(ports::Error::permanent(action).because(UnitsError::Zero));
        }
        let now = self.clock.now();
        self.store
            .write(action, move |connection| {
                adjustments
                    .iter()
                    .map(|adjustment| adjust(connection, adjustment, now))
                    .collect()
            })
            .await
    }

    async fn adjustments(
        &self,
        sku: Sku,
        limit: usize,
    ) -> Result<Vec<AdjustmentRow>, ports::Error> {
        self.store.read("read corrections", |connection| {
            connection
                .prepare_cached(
                    "SELECT adjustment_id, sku, units, reason, adjusted_at, available_after FROM adjustments \
                     WHERE sku = ?1 ORDER BY stock_version DESC LIMIT ?2",
                )?
                .query_map(params![sku.as_str(), bounded(limit)], adjustment_row)?
                .collect()
        })
    }

    async fn find_orders(&self, filter: OrderFilter) -> Result<Vec<Order>, ports::Error> {
        self.store
            .read_long("list orders", move |connection| find(connection, &filter))
            .await
    }

    async fn story(&self, id: OrderId) -> Result<Option<Story>, ports::Error> {
        self.store.read("read the story of an order", |connection| {
            let Some(order) = read::orders(connection, std::iter::once(&id))?.into_iter().flatten().next()
            else {
                return Ok(None);
            };
            let batch = match order.batch {
                Some(batch) => connection
                    .prepare_cached("SELECT batch_id, decided_at, orders, blocked FROM batches WHERE batch_id = ?1")?
                    .query_row([rows::stored(batch.id)], batch_row)
                    .optional()?,
                None => None,
            };
            let refund = connection
                .prepare_cached(
                    "SELECT order_id, amount, reason, recorded_at, executed_at FROM refunds WHERE order_id = ?1",
                )?
                .query_row([id.as_bytes()], read::refund)
                .optional()?;
            Ok(Some(Story { order, batch, refund }))
        })
    }
}

fn bounded(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn put(connection: &Connection, item: &NewItem, now: Timestamp) -> Result<PutOutcome, Error> {
    let known: Option<(String, i64)> = connection
        .prepare_cached("SELECT name, price FROM items WHERE sku = ?1")?
        .query_row([item.sku.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match known {
        None => {
            connection
                .prepare_cached(
                    "INSERT INTO items (sku, name, price, initial, available, blocked, sold, adjusted, version, \
                     created_at) VALUES (?1, ?2, ?3, ?4, ?4, 0, 0, 0, 1, ?5)",
                )?
                .execute(params![item.sku.as_str(), item.name, item.price.minor(), item.stock, now.millis()])?;
            Ok(PutOutcome::Created)
        }
        Some((name, price)) if name == item.name && price == item.price.minor() => {
            Ok(PutOutcome::Unchanged)
        }
        Some(_) => {
            connection
                .prepare_cached("UPDATE items SET name = ?2, price = ?3 WHERE sku = ?1")?
                .execute(params![item.sku.as_str(), item.name, item.price.minor()])?;
            Ok(PutOutcome::Changed)
        }
    }
}

fn item(row: &Row<'_>) -> Result<Item, Error> {
    let sku: String = row.get(0)?;
    Ok(Item {
        name: row.get(5)?,
        price: rows::money(row, 6)?,
        initial: row.get(7)?,
        adjusted: row.get(8)?,
        level: StockLevel {
            sku: Sku::new(&sku).map_err(|source| rows::bad(0, Type::Text, source))?,
            available: row.get(1)?,
            blocked: row.get(2)?,
            sold: row.get(3)?,
            version: rows::number(row, 4)?,
            earliest_hold: None,
        },
    })
}

fn adjust(
    connection: &Connection,
    adjustment: &Adjustment,
    now: Timestamp,
) -> Result<Adjusted, Error> {
    let level = |connection| {
        let levels = read::levels(connection, std::slice::from_ref(&adjustment.sku))?;
        Ok::<_, Error>(levels.into_iter().flatten().next())
    };
    let done: Option<(String, i64, String)> = connection
        .prepare_cached("SELECT sku, units, reason FROM adjustments WHERE adjustment_id = ?1")?
        .query_row([adjustment.id.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    if let Some((sku, by, reason)) = done {
        let same =
            sku == adjustment.sku.as_str() && by == adjustment.by && reason == adjustment.reason;
        return Ok(match level(connection)? {
            Some(level) if same => Adjusted::Repeated(level),
            _ => Adjusted::IdConflict,
        });
    }
    let Some(before) = level(connection)? else {
        return Ok(Adjusted::UnknownSku);
    };
    let Some(available) = corrected(before.available, adjustment.by) else {
        return Ok(Adjusted::OutOfRange);
    };
    let after = StockLevel {
        available,
        version: before.version + 1,
        ..before
    };
    connection
        .prepare_cached("UPDATE items SET available = ?2, adjusted = adjusted + ?3, version = ?4 WHERE sku = ?1")?
        .execute(params![after.sku.as_str(), available, adjustment.by, rows::stored(after.version)])?;
    connection
        .prepare_cached("INSERT INTO adjustments VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            adjustment.id.as_bytes(),
            adjustment.sku.as_str(),
            adjustment.by,
            adjustment.reason,
            now.millis(),
            available,
            rows::stored(after.version),
        ])?;
    Ok(Adjusted::Applied(after))
}

fn adjustment_row(row: &Row<'_>) -> Result<AdjustmentRow, Error> {
    let sku: String = row.get(1)?;
    Ok(AdjustmentRow {
        id: Uuid::from_bytes(row.get(0)?),
        sku: Sku::new(&sku).map_err(|source| rows::bad(1, Type::Text, source))?,
        by: row.get(2)?,
        reason: row.get(3)?,
        at: rows::time(row, 4)?,
        available_after: row.get(5)?,
    })
}

fn batch_row(row: &Row<'_>) -> Result<BatchRow, Error> {
    Ok(BatchRow {
        id: rows::number(row, 0)?,
        decided_at: rows::time(row, 1)?,
        orders: rows::number(row, 2)?,
        blocked: rows::number(row, 3)?,
    })
}

fn find(connection: &Connection, filter: &OrderFilter) -> Result<Vec<Order>, Error> {
    let mut sql = format!("SELECT {ORDER_COLUMNS} FROM {ORDERS} WHERE TRUE");
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    let mut only = |condition: &str, value: Option<Box<dyn ToSql>>| {
        if let Some(value) = value {
            values.push(value);
            // Writing to a string cannot fail.
            let _ = write!(sql, " AND {condition} ?{}", values.len());
        }
    };
    only(
        "coalesce(s.state, 1) =",
        filter.state.map(|state| Box::new(state.code()) as _),
    );
    only(
        "s.reason =",
        filter
            .reason
            .map(|reason: Reason| Box::new(reason.as_str()) as _),
    );
    only(
        "o.customer =",
        filter
            .customer
            .as_ref()
            .map(|customer: &Customer| Box::new(customer.to_string()) as _),
    );
    only(
        "o.order_id >",
        filter.after.map(|after| Box::new(*after.as_bytes()) as _),
    );
    sql.push_str(" ORDER BY o.order_id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut orders = statement.query(rusqlite::params_from_iter(values))?;
    let mut found = Vec::new();
    while found.len() < filter.limit
        && let Some(row) = orders.next()?
    {
        found.extend(read::readable(row, rows::order));
    }
    Ok(found)
}
