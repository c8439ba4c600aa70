//! `per-order`: lock the item's row, check in the client, update it, insert the order. What most shops do.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as ClientError};
use rusqlite::{Connection, OptionalExtension as _};

use super::mysql::{self, MysqlStatements};
use super::sqlite::{self, SqliteStatements};
use super::workload::BenchOrder;

pub(super) struct PerOrder;

impl MysqlStatements for PerOrder {
    async fn run(&self, connection: &mut Conn, order: &BenchOrder) -> Result<bool, ClientError> {
        let (sku, units) = (order.sku.as_str(), order.quantity.units());
        let select = "SELECT available FROM stock WHERE sku = ? FOR UPDATE";
        let available: Option<i64> = connection.exec_first(select, (sku,)).await?;
        if available.is_none_or(|available| available < units) {
            return Ok(false);
        }
        let update = "UPDATE stock SET available = available - ? WHERE sku = ?";
        connection.exec_drop(update, (units, sku)).await?;
        mysql::insert_order(connection, order).await?;
        Ok(true)
    }
}

impl SqliteStatements for PerOrder {
    fn run(&self, connection: &Connection, order: &BenchOrder) -> Result<bool, rusqlite::Error> {
        let (sku, units) = (order.sku.as_str(), order.quantity.units());
        let available: Option<i64> = connection
            .prepare_cached("SELECT available FROM stock WHERE sku = ?1")?
            .query_row([sku], |row| row.get(0))
            .optional()?;
        if available.is_none_or(|available| available < units) {
            return Ok(false);
        }
        connection
            .prepare_cached("UPDATE stock SET available = available - ?2 WHERE sku = ?1")?
            .execute((sku, units))?;
        sqlite::insert_order(connection, order)?;
        Ok(true)
    }
}
