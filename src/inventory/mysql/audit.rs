//! The audit: queries over items and corrections, and one pass over the orders.

use std::iter::Peekable;
use std::slice::Iter;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::MysqlInventory;
use super::audit_queries::{OVERDUE, QUERIES, UNITS_SOLD};
use super::connect::{Purpose, Server};
use super::fault::Fault;
use super::lane::{Ask, Job, Lane};
use super::rows::Fields;
use super::{checkpoint, read, sql};
use crate::domain::{OrderId, Timestamp};
use crate::inventory::audit::orders::{OrderAudit, OrderRow, RefundState, Start};
use crate::inventory::audit::{Query, Run};
use crate::inventory::{
    AuditReport, AuditRequest, Auditing, Check, Checkpoint, Coverage, Finding, OrderSink,
};
use crate::ports;

/// How long the server waits until the orders that it sends are read: other stores are asked about them meanwhile.
const WRITE_WAIT_SECONDS: u32 = 3_600;

/// Settlements read at once by a full audit.
const SETTLEMENTS_MAX: usize = 20_000;

/// Greater than any id: one byte longer than the greatest.
const BEHIND_ALL: [u8; 17] = [u8::MAX; 17];

/// The columns that [`joined_row`] reads.
const COLUMNS: &str = "o.order_id, o.customer, o.body, o.hold_until, o.batch_id, s.state, s.reason, s.settled_at, \
     r.order_id IS NOT NULL, r.executed_at IS NOT NULL";

/// What belongs to an order.
const ATTACHED: &str = "LEFT JOIN settlements AS s ON s.order_id = o.order_id \
     LEFT JOIN refunds AS r ON r.order_id = o.order_id";

/// Counters of each item, with what is sold and not folded in; what only sales mention is no item.
const COUNTERS: &str = "SELECT sku, CAST(SUM(blocked) AS SIGNED), CAST(SUM(sold) AS SIGNED), \
         CAST(SUM(is_item) AS SIGNED) \
     FROM (SELECT sku, blocked, sold, 1 AS is_item FROM items \
         UNION ALL \
         SELECT CAST(sale.sku AS BINARY) AS sku, -SUM(sale.units), SUM(sale.units), 0 \
         FROM sales JOIN JSON_TABLE(IF(JSON_VALID(sales.units), sales.units, '[]'), '$[*]' COLUMNS \
             (sku VARCHAR(64) PATH '$[0]', units BIGINT PATH '$[1]')) AS sale \
         GROUP BY CAST(sale.sku AS BINARY)) AS sides \
     GROUP BY sku";

impl Auditing for MysqlInventory {
    async fn store_id(&self) -> Result<Uuid, ports::Error> {
        let ask = Ask((), |connection, ()| Box::pin(store_id(connection)));
        self.reading.read("read the store's id", &ask).await
    }

    async fn checkpoint(&self) -> Result<Option<Checkpoint>, ports::Error> {
        let ask = Ask((), |connection, ()| Box::pin(checkpoint::last(connection)));
        self.reading.read("read the last checkpoint", &ask).await
    }

    async fn audit(
        &self,
        request: AuditRequest,
        orders: OrderSink,
    ) -> Result<AuditReport, ports::Error> {
        // A connection of its own: with a snapshot, and as long as it takes.
        let lane = Lane::unhurried(Server::new(&self.url, Purpose::Audit));
        let audit = Audit {
            request,
            orders: Mutex::new(orders),
        };
        // Not repeated: the receiver of the orders would get them twice.
        lane.read_unrepeated("audit the inventory", &audit).await
    }

    async fn cover(&self, coverage: Coverage, audited_at: Timestamp) -> Result<bool, ports::Error> {
        let action = format!("write checkpoint {}", coverage.number);
        let cover = Ask(
            (coverage, audited_at),
            |connection, (coverage, audited_at)| {
                Box::pin(checkpoint::write(connection, coverage, *audited_at))
            },
        );
        self.writing.transact(&action, &cover).await
    }

    fn audit_sql(&self) -> Vec<(Check, &'static str)> {
        QUERIES
            .iter()
            .map(|query| (query.check, query.sql))
            .chain(std::iter::once((Check::Stuck, OVERDUE)))
            .collect()
    }
}

async fn store_id(connection: &mut Conn) -> Result<Uuid, Fault> {
    let row: Option<Row> = connection.query_first("SELECT store_id FROM store").await?;
    let missing = || Fault::BadRow {
        column: 0,
        cause: "the store has no id".to_owned(),
    };
    Fields::of(row.ok_or_else(missing)?).uuid()
}

struct Audit {
    request: AuditRequest,
    orders: Mutex<OrderSink>,
}

impl Job for Audit {
    type Done = AuditReport;

    async fn run(&self, connection: &mut Conn) -> Result<AuditReport, Fault> {
        let due_before = read::now(connection)
            .await?
            .minus(self.request.grace)
            .millis();
        connection
            .query_drop(format!(
                "SET @due_before = {due_before}, SESSION net_write_timeout = {WRITE_WAIT_SECONDS}"
            ))
            .await?;
        connection
            .query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            .await?;
        let mut audit = OrderAudit::new(start(connection, &self.request, due_before).await?);
        let mut report = AuditReport {
            skus: read::number(connection, "SELECT COUNT(*) FROM items").await?,
            units_sold: read::number(connection, UNITS_SOLD).await?,
            ..AuditReport::default()
        };
        for query in QUERIES.iter().filter(|query| query.run == Run::Always) {
            report.findings.extend(find(connection, query).await?);
        }
        let mut sink = self.orders.lock().await;
        if audit.is_full() {
            all_orders(connection, &mut audit, &mut sink).await?;
        } else {
            uncovered_orders(connection, &mut audit, &mut sink).await?;
        }
        *sink = OrderSink::none();
        if audit.is_full() && !is_complete(connection, &audit).await? {
            for query in QUERIES.iter().filter(|query| query.run == Run::IfMissed) {
                report.findings.extend(find(connection, query).await?);
            }
        }
        take_back(connection, &mut audit).await?;
        counters(connection, &mut audit).await?;
        audit.finish(&mut report);
        connection.query_drop("COMMIT").await?;
        Ok(report)
    }
}

async fn start(
    connection: &mut Conn,
    request: &AuditRequest,
    due_before: i64,
) -> Result<Start, Fault> {
    let checkpoint = checkpoint::stored(connection).await?;
    let uncovered =
        "SELECT batch_id FROM batches FORCE INDEX (batches_uncovered) WHERE checkpoint = 0";
    let sold: Vec<(Vec<u8>, i64)> = connection
        .query("SELECT sku, units FROM covered_sales")
        .await?;
    let text = |sku: Vec<u8>| String::from_utf8_lossy(&sku).into_owned();
    Ok(Start {
        due_before,
        is_full: request.full || checkpoint.is_none(),
        checkpoint,
        at_fault: request.at_fault.clone(),
        uncovered: connection.query(uncovered).await?,
        sold: sold
            .into_iter()
            .map(|(sku, units)| (text(sku), units))
            .collect(),
    })
}

/// Reads all orders in the order of their ids. Settlements and refunds are read beside them, a range of ids at a time:
/// three scans cost the server half of what it takes to join the tables.
async fn all_orders(
    connection: &mut Conn,
    audit: &mut OrderAudit,
    sink: &mut OrderSink,
) -> Result<(), Fault> {
    let mut after = Vec::new();
    loop {
        let settlements: Vec<Row> = connection
            .exec(
                format!(
                    "SELECT order_id, state, reason, settled_at FROM settlements FORCE INDEX (PRIMARY) \
                     WHERE order_id > ? ORDER BY order_id LIMIT {SETTLEMENTS_MAX}"
                ),
                (&after,),
            )
            .await?;
        let last = settlements.get(SETTLEMENTS_MAX - 1);
        let until = last.map_or_else(|| BEHIND_ALL.to_vec(), |row| key(row).to_vec());
        let refunds: Vec<Row> = connection
            .exec(
                "SELECT order_id, executed_at IS NOT NULL FROM refunds FORCE INDEX (PRIMARY) \
                 WHERE order_id > ? AND order_id <= ? ORDER BY order_id",
                (&after, &until),
            )
            .await?;
        let (mut settlements, mut refunds) =
            (settlements.iter().peekable(), refunds.iter().peekable());
        let mut rows = connection
            .exec_iter(
                "SELECT order_id, customer, body, hold_until, batch_id FROM orders FORCE INDEX (PRIMARY) \
                 WHERE order_id > ? AND order_id <= ? ORDER BY order_id",
                (&after, &until),
            )
            .await?;
        while let Some(row) = rows.next().await? {
            let settlement = of_order(&mut settlements, key(&row)).map(|found| (found, 1));
            let refund = of_order(&mut refunds, key(&row));
            let refund = refund.map(|found| refund_state(found, 1)).transpose()?;
            let checked = audit.add(&order_row(&row, settlement, refund)?);
            if checked.is_some_and(|checked| sink.push(checked)) {
                sink.send().await;
            }
        }
        rows.drop_result().await?;
        if last.is_none() {
            break;
        }
        after = until;
    }
    sink.send().await;
    Ok(())
}

/// Reads the orders that no checkpoint covers, batch by batch, and tombstones.
async fn uncovered_orders(
    connection: &mut Conn,
    audit: &mut OrderAudit,
    sink: &mut OrderSink,
) -> Result<(), Fault> {
    let of_batches = format!(
        "SELECT STRAIGHT_JOIN {COLUMNS} FROM batches AS b FORCE INDEX (batches_uncovered) \
         JOIN orders AS o FORCE INDEX (orders_of_batch) ON o.batch_id = b.batch_id {ATTACHED} WHERE b.checkpoint = 0"
    );
    let tombstones = format!(
        "SELECT {COLUMNS} FROM orders AS o FORCE INDEX (orders_of_batch) {ATTACHED} WHERE o.batch_id IS NULL"
    );
    for query in [of_batches, tombstones] {
        let mut rows = connection.exec_iter(query, ()).await?;
        while let Some(row) = rows.next().await? {
            let checked = audit.add(&joined_row(&row)?);
            if checked.is_some_and(|checked| sink.push(checked)) {
                sink.send().await;
            }
        }
        rows.drop_result().await?;
    }
    sink.send().await;
    Ok(())
}

/// Whether every settlement and every refund came with its order.
async fn is_complete(connection: &mut Conn, audit: &OrderAudit) -> Result<bool, Fault> {
    let settlements = read::number(connection, "SELECT COUNT(*) FROM settlements").await?;
    let refunds = read::number(connection, "SELECT COUNT(*) FROM refunds").await?;
    Ok(audit.attached() == (settlements, refunds))
}

/// Reads the orders of open batches again, since no checkpoint is to cover them.
async fn take_back(connection: &mut Conn, audit: &mut OrderAudit) -> Result<(), Fault> {
    for batches in audit.open_batches().chunks(sql::LIST_MAX) {
        let list: Vec<String> = batches.iter().map(i64::to_string).collect();
        let query = format!(
            "SELECT {COLUMNS} FROM orders AS o FORCE INDEX (orders_of_batch) {ATTACHED} WHERE o.batch_id IN ({})",
            list.join(",")
        );
        let mut rows = connection.exec_iter(query, ()).await?;
        while let Some(row) = rows.next().await? {
            audit.take_back(&joined_row(&row)?);
        }
        rows.drop_result().await?;
    }
    Ok(())
}

async fn counters(connection: &mut Conn, audit: &mut OrderAudit) -> Result<(), Fault> {
    let mut rows = connection.query_iter(COUNTERS).await?;
    while let Some(row) = rows.next().await? {
        let mut fields = Fields::of(row);
        let sku: Vec<u8> = fields.take()?;
        let counters = (fields.take()?, fields.take()?);
        let is_item = fields.take::<i64>()? > 0;
        audit.item(&String::from_utf8_lossy(&sku), counters, is_item);
    }
    rows.drop_result().await?;
    Ok(())
}

/// Reads a row of [`COLUMNS`] without a copy.
fn joined_row(row: &Row) -> Result<OrderRow<'_>, Fault> {
    let refund = match number(row, 8)? {
        Some(1) => Some(refund_state(row, 9)?),
        _ => None,
    };
    order_row(row, Some((row, 5)), refund)
}

/// Reads an order, with its settlement from a column on.
fn order_row<'row>(
    order: &'row Row,
    settlement: Option<(&'row Row, usize)>,
    refund: Option<RefundState>,
) -> Result<OrderRow<'row>, Fault> {
    let id = <[u8; 16]>::try_from(key(order)).map_err(|_| bad(0, order.as_ref(0)))?;
    let (state, reason, settled_at) = match settlement {
        Some((row, from)) => (
            number(row, from)?,
            bytes(row, from + 1)?,
            number(row, from + 2)?,
        ),
        None => (None, None, None),
    };
    Ok(OrderRow {
        order_id: OrderId::from_bytes(id),
        customer: bytes(order, 1)?,
        body: bytes(order, 2)?.unwrap_or_default(),
        hold_until: number(order, 3)?.unwrap_or_default(),
        batch_id: number(order, 4)?,
        state,
        reason,
        settled_at,
        refund,
    })
}

/// Reads whether a refund is executed.
fn refund_state(row: &Row, column: usize) -> Result<RefundState, Fault> {
    Ok(match number(row, column)? {
        Some(1) => RefundState::Executed,
        _ => RefundState::Due,
    })
}

/// The row of an order, if it is among the next ones; rows of orders before it are passed over. Both are ordered by id.
fn of_order<'row>(rows: &mut Peekable<Iter<'row, Row>>, id: &[u8]) -> Option<&'row Row> {
    while let Some(row) = rows.next_if(|row| key(row) <= id) {
        if key(row) == id {
            return Some(row);
        }
    }
    None
}

/// The id at the beginning of a row.
fn key(row: &Row) -> &[u8] {
    match row.as_ref(0) {
        Some(Value::Bytes(bytes)) => bytes,
        _ => &[],
    }
}

fn bytes(row: &Row, column: usize) -> Result<Option<&[u8]>, Fault> {
    match row.as_ref(column) {
        Some(Value::Bytes(bytes)) => Ok(Some(bytes)),
        Some(Value::NULL) => Ok(None),
        other => Err(bad(column, other)),
    }
}

fn number(row: &Row, column: usize) -> Result<Option<i64>, Fault> {
    match row.as_ref(column) {
        Some(Value::Int(number)) => Ok(Some(*number)),
        Some(Value::UInt(number)) => i64::try_from(*number)
            .map(Some)
            .map_err(|_| bad(column, row.as_ref(column))),
        Some(Value::NULL) => Ok(None),
        other => Err(bad(column, other)),
    }
}

fn bad(column: usize, value: Option<&Value>) -> Fault {
    Fault::BadRow {
        column,
        cause: format!("it is {value:?}"),
    }
}

/// Runs a check; the server adds up, and only what is wrong is sent.
async fn find(connection: &mut Conn, query: &Query) -> Result<Vec<Finding>, Fault> {
    let mut rows = connection.query_iter(query.sql).await?;
    let is_order = rows
        .columns_ref()
        .first()
        .is_some_and(|column| column.name_str() == "order_id");
    let mut findings = Vec::new();
    while let Some(row) = rows.next().await? {
        let mut fields = Fields::of(row);
        let subject: String = fields.take()?;
        findings.push(Finding {
            check: query.check,
            // SQL shows an id as hexadecimal digits without hyphens.
            subject: match Uuid::try_parse(&subject).map(OrderId::new) {
                Ok(id) if is_order => id.to_string(),
                _ => subject,
            },
            detail: fields.take()?,
            count: fields.count()?.max(1),
        });
    }
    rows.drop_result().await?;
    Ok(findings)
}
