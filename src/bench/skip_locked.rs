//! `skip-locked`: one row per unit; an order takes rows that nobody else has locked. Orders for one item do not wait for
//! each other, at the price of a row per unit.
//!
//! The last units may be locked by transactions that end up with a ROLLBACK, or that have taken part of what a larger
//! order needs. Whoever finds too few free rows while others are locked tries again briefly, and then refuses: what is
//! left over then is undersold.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as ClientError};

use super::mysql::{self, MysqlStatements};
use super::workload::BenchOrder;

/// Attempts while units are locked by others.
const ATTEMPTS_MAX: u32 = 5;

/// Pause between them.
const PAUSE: Duration = Duration::from_millis(2);

pub(super) struct SkipLocked;

impl MysqlStatements for SkipLocked {
    async fn run(&self, connection: &mut Conn, order: &BenchOrder) -> Result<bool, ClientError> {
        let (sku, units) = (order.sku.as_str(), order.quantity.units());
        for attempt in 1..=ATTEMPTS_MAX {
            let select = "SELECT unit_id FROM units WHERE sku = ? AND order_id IS NULL LIMIT ? \
                 FOR UPDATE SKIP LOCKED";
            let taken: Vec<i64> = connection.exec(select, (sku, units)).await?;
            if i64::try_from(taken.len()) == Ok(units) {
                mark(connection, order, &taken).await?;
                mysql::insert_order(connection, order).await?;
                return Ok(true);
            }
            // What it has locked in vain must not be missed by others.
            connection.query_drop("ROLLBACK").await?;
            connection.query_drop("START TRANSACTION").await?;
            if attempt == ATTEMPTS_MAX || !has_units(connection, sku, units).await? {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
    }
}

async fn mark(connection: &mut Conn, order: &BenchOrder, taken: &[i64]) -> Result<(), ClientError> {
    let ids: Vec<String> = taken.iter().map(i64::to_string).collect();
    let update = match &ids[..] {
        // By far the most frequent: prepared once.
        [_] => {
            let update = "UPDATE units SET order_id = ? WHERE unit_id = ?";
            let row = (order.id.as_bytes(), taken[0]);
            return connection.exec_drop(update, row).await;
        }
        ids => format!(
            "UPDATE units SET order_id = X'{}' WHERE unit_id IN ({})",
            order.id.uuid().simple(),
            ids.join(",")
        ),
    };
    connection.query_drop(update).await
}

/// Whether enough units are not sold yet, locked or not.
async fn has_units(connection: &mut Conn, sku: &str, units: i64) -> Result<bool, ClientError> {
    let count = "SELECT COUNT(*) FROM (SELECT 1 FROM units WHERE sku = ? AND order_id IS NULL LIMIT ?) AS unsold";
    let unsold: Option<i64> = connection.exec_first(count, (sku, units)).await?;
    Ok(unsold.is_some_and(|unsold| unsold >= units))
}
