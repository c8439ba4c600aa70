//! Strategies that are one transaction on MySQL or MariaDB.

use std::collections::HashMap;
use std::future::Future;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as ClientError};

use super::strategy::Decide;
use super::workload::{BenchOrder, Workload};
use crate::inventory::mysql::{ScratchDatabase, failed, roll_back_conflict};
use crate::ports::Error;

/// What every order is decided under, in errors.
pub(super) const DECIDE: &str = "decide an order";

/// Attempts at one order while other transactions are in the way.
const ATTEMPTS_MAX: u32 = 100;

/// Rows of one INSERT.
const ROWS_MAX: usize = 10_000;

/// The same columns for every strategy, indexed by the key only.
const ORDERS: &str = "CREATE TABLE orders (order_id BINARY(16) NOT NULL PRIMARY KEY, customer VARCHAR(64) NOT NULL, \
     sku VARBINARY(64) NOT NULL, quantity BIGINT NOT NULL) ENGINE = InnoDB";

/// A counter per item.
const STOCK: &str = "CREATE TABLE stock (sku VARBINARY(64) NOT NULL PRIMARY KEY, available BIGINT NOT NULL) \
     ENGINE = InnoDB";

/// A row per unit; NULL where nobody has it.
const UNITS: &str = "CREATE TABLE units (unit_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, \
     sku VARBINARY(64) NOT NULL, order_id BINARY(16), KEY units_of_item (sku, order_id)) ENGINE = InnoDB";

/// How the database holds the stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StockTable {
    Counters,
    Units,
    /// It is held elsewhere.
    None,
}

/// The statements of one order, inside of a transaction that somebody else begins and ends.
pub(super) trait MysqlStatements: Send + Sync + 'static {
    /// Whether the order is reserved; if so, its row is inserted.
    fn run(
        &self,
        connection: &mut Conn,
        order: &BenchOrder,
    ) -> impl Future<Output = Result<bool, ClientError>> + Send;
}

/// Each order in a transaction of its own.
pub(super) struct OnMysql<S> {
    pub(super) database: ScratchDatabase,
    pub(super) statements: S,
}

impl<S: MysqlStatements> OnMysql<S> {
    async fn attempt(
        &self,
        connection: &mut Conn,
        order: &BenchOrder,
    ) -> Result<bool, ClientError> {
        connection.query_drop("START TRANSACTION").await?;
        let is_reserved = self.statements.run(connection, order).await?;
        let end = if is_reserved { "COMMIT" } else { "ROLLBACK" };
        connection.query_drop(end).await?;
        Ok(is_reserved)
    }
}

impl<S: MysqlStatements> Decide for OnMysql<S> {
    type Session = Conn;

    async fn session(&self) -> Result<Conn, Error> {
        self.database.connection().await
    }

    async fn decide(&self, connection: &mut Conn, order: &BenchOrder) -> Result<bool, Error> {
        for _ in 1..ATTEMPTS_MAX {
            match self.attempt(connection, order).await {
                Ok(is_reserved) => return Ok(is_reserved),
                Err(error) => roll_back_conflict(connection, DECIDE, error).await?,
            }
        }
        let last = self.attempt(connection, order).await;
        last.map_err(|error| failed(DECIDE, error))
    }
}

/// Inserts the row of a reserved order.
pub(super) async fn insert_order(
    connection: &mut Conn,
    order: &BenchOrder,
) -> Result<(), ClientError> {
    let insert = "INSERT INTO orders (order_id, customer, sku, quantity) VALUES (?, ?, ?, ?)";
    let row = (
        order.id.as_bytes(),
        order.customer.as_str(),
        order.sku.as_str(),
        order.quantity.units(),
    );
    connection.exec_drop(insert, row).await
}

/// Creates the tables, and fills in the stock of each item by rank.
pub(super) async fn prepare(
    database: &ScratchDatabase,
    workload: &Workload,
    stock: &[i64],
    table: StockTable,
) -> Result<(), Error> {
    let mut connection = database.connection().await?;
    let mut statements = vec![ORDERS.to_owned()];
    match table {
        StockTable::Counters => {
            statements.push(STOCK.to_owned());
            let rows = workload.skus().iter().zip(stock);
            let rows: Vec<String> = rows
                .map(|(sku, units)| format!("('{sku}', {units})"))
                .collect();
            statements.extend(inserts("stock (sku, available)", &rows));
        }
        StockTable::Units => {
            statements.push(UNITS.to_owned());
            for (sku, units) in workload.skus().iter().zip(stock) {
                let rows = vec![format!("('{sku}')"); usize::try_from(*units).unwrap_or(0)];
                statements.extend(inserts("units (sku)", &rows));
            }
        }
        StockTable::None => {}
    }
    for statement in statements {
        let ran = connection.query_drop(statement).await;
        ran.map_err(|error| failed("prepare the tables", error))?;
    }
    Ok(())
}

/// SKUs are synthetic, so that nothing in them can be taken for SQL.
fn inserts(into: &str, rows: &[String]) -> Vec<String> {
    rows.chunks(ROWS_MAX)
        .map(|rows| format!("INSERT INTO {into} VALUES {}", rows.join(",")))
        .collect()
}

/// Units per SKU of committed orders, as a query of two columns says.
pub(super) async fn sold(
    database: &ScratchDatabase,
    query: &str,
) -> Result<HashMap<String, i64>, Error> {
    let mut connection = database.connection().await?;
    let rows: Result<Vec<(String, i64)>, _> = connection.query(query).await;
    let rows = rows.map_err(|error| failed("read the orders", error))?;
    Ok(rows.into_iter().collect())
}

/// For the tables of [`prepare`].
pub(super) const SOLD: &str = "SELECT sku, CAST(SUM(quantity) AS SIGNED) FROM orders GROUP BY sku";

/// For the tables of the inventory of oms: an order without a settlement is reserved.
pub(super) const SOLD_OF_OMS: &str = "SELECT JSON_UNQUOTE(JSON_EXTRACT(o.body, '$[4][0][0]')), \
     CAST(SUM(JSON_EXTRACT(o.body, '$[4][0][1]')) AS SIGNED) FROM orders AS o \
     LEFT JOIN settlements AS s ON s.order_id = o.order_id WHERE s.order_id IS NULL GROUP BY 1";
