//! `conditional-update`: one UPDATE that finds no row when too little is left, then insert the order.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as ClientError};
use rusqlite::Connection;

use super::mysql::{self, MysqlStatements};
use super::sqlite::{self, SqliteStatements};
use super::workload::BenchOrder;

pub(super) struct ConditionalUpdate;

impl MysqlStatements for ConditionalUpdate {
    async fn run(&self, connection: &mut Conn, order: &BenchOrder) -> Result<bool, ClientError> {
        let (sku, units) = (order.sku.as_str(), order.quantity.units());
        let update = "UPDATE stock SET available = available - ? WHERE sku = ? AND available >= ?";
        connection.exec_drop(update, (units, sku, units)).await?;
        if connection.affected_rows() == 0 {
            return Ok(false);
        }
        mysql::insert_order(connection, order).await?;
        Ok(true)
    }
}

impl SqliteStatements for ConditionalUpdate {
    fn run(&self, connection: &Connection, order: &BenchOrder) -> Result<bool, rusqlite::Error> {
        let changed = connection
            .prepare_cached(
                "UPDATE stock SET available = available - ?2 WHERE sku = ?1 AND available >= ?2",
            )?
            .execute((order.sku.as_str(), order.quantity.units()))?;
        if changed == 0 {
            return Ok(false);
        }
        sqlite::insert_order(connection, order)?;
        Ok(true)
    }
}
