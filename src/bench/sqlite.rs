//! Strategies that are one transaction on SQLite.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::Mutex;

use super::mysql::DECIDE;
use super::strategy::Decide;
use super::workload::{BenchOrder, Workload};
use crate::ports::Error;
use crate::sqlite::{port_error, scratch_connection};

/// Pages of log before a commit writes them back: as much as a store of oms keeps.
const LOG_PAGES: u32 = (64 << 20) / 4_096;

/// The same columns as on MySQL.
const TABLES: &str = "\
    CREATE TABLE orders (order_id BLOB NOT NULL PRIMARY KEY, customer TEXT NOT NULL, sku TEXT NOT NULL, \
        quantity INTEGER NOT NULL) STRICT, WITHOUT ROWID; \
    CREATE TABLE stock (sku TEXT NOT NULL PRIMARY KEY, available INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/// The statements of one order, inside of a transaction that somebody else begins and ends.
pub(super) trait SqliteStatements: Send + Sync + 'static {
    /// Whether the order is reserved; if so, its row is inserted.
    fn run(&self, connection: &Connection, order: &BenchOrder) -> Result<bool, rusqlite::Error>;
}

/// Each order in a transaction of its own. SQLite has one writer: callers take turns on one connection, in the order in
/// which they come, since its own waiting polls.
pub(super) struct OnSqlite<S> {
    connection: Arc<Mutex<Connection>>,
    statements: Arc<S>,
}

impl<S: SqliteStatements> OnSqlite<S> {
    /// Makes the file and its tables, and fills in the stock of each item by rank.
    pub(super) fn prepare(
        file: &Path,
        statements: S,
        workload: &Workload,
        stock: &[i64],
    ) -> Result<Self, Error> {
        let connection = scratch_connection(file)?;
        let fill = || -> Result<(), rusqlite::Error> {
            connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
            connection.execute_batch(TABLES)?;
            connection.execute_batch("BEGIN IMMEDIATE")?;
            let mut insert = connection.prepare("INSERT INTO stock VALUES (?1, ?2)")?;
            for (sku, units) in workload.skus().iter().zip(stock) {
                insert.execute((sku.as_str(), units))?;
            }
            connection.execute_batch("COMMIT")
        };
        fill().map_err(|error| port_error("prepare the tables", error))?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            statements: Arc::new(statements),
        })
    }
}

fn transact<S: SqliteStatements>(
    connection: &Connection,
    statements: &S,
    order: &BenchOrder,
) -> Result<bool, rusqlite::Error> {
    let execute = |sql: &str| connection.prepare_cached(sql)?.execute([]);
    execute("BEGIN IMMEDIATE")?;
    let is_reserved = statements.run(connection, order)?;
    execute(if is_reserved { "COMMIT" } else { "ROLLBACK" })?;
    Ok(is_reserved)
}

impl<S: SqliteStatements> Decide for OnSqlite<S> {
    type Session = ();

    async fn session(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn decide(&self, (): &mut (), order: &BenchOrder) -> Result<bool, Error> {
        let connection = Arc::clone(&self.connection).lock_owned().await;
        let (statements, order) = (Arc::clone(&self.statements), order.clone());
        let decided =
            tokio::task::spawn_blocking(move || transact(&connection, &*statements, &order)).await;
        match decided {
            Ok(decided) => decided.map_err(|error| port_error(DECIDE, error)),
            Err(error) => Err(Error::permanent(DECIDE).because(error)),
        }
    }
}

/// Inserts the row of a reserved order.
pub(super) fn insert_order(
    connection: &Connection,
    order: &BenchOrder,
) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("INSERT INTO orders VALUES (?1, ?2, ?3, ?4)")?
        .execute((
            order.id.as_bytes(),
            order.customer.as_str(),
            order.sku.as_str(),
            order.quantity.units(),
        ))
        .map(drop)
}

/// Units per SKU of committed orders, as a query of two columns says.
pub(super) fn sold(file: &Path, query: &str) -> Result<HashMap<String, i64>, Error> {
    let connection = scratch_connection(file)?;
    let read = || -> Result<HashMap<String, i64>, rusqlite::Error> {
        connection
            .prepare(query)?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    };
    read().map_err(|error| port_error("read the orders", error))
}

/// For the tables of [`OnSqlite`].
pub(super) const SOLD: &str = "SELECT sku, SUM(quantity) FROM orders GROUP BY sku";

/// For the tables of the inventory of oms: an order without a settlement is reserved.
pub(super) const SOLD_OF_OMS: &str = "SELECT json_extract(o.body, '$[4][0][0]'), \
     SUM(json_extract(o.body, '$[4][0][1]')) FROM orders AS o \
     LEFT JOIN settlements AS s ON s.order_id = o.order_id WHERE s.order_id IS NULL GROUP BY 1";
