//! The audit: queries over items and corrections, and one pass over the orders.

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, Error, Row, params_from_iter};
use uuid::Uuid;

use super::audit_queries::{OVERDUE, QUERIES};
use super::{SqliteInventory, checkpoint, rows};
use crate::domain::{OrderId, Timestamp};
use crate::inventory::audit::orders::{OrderAudit, OrderRow, RefundState, Start};
use crate::inventory::audit::{Query, Run};
use crate::inventory::{
    AuditReport, AuditRequest, Auditing, Check, Checkpoint, Coverage, Finding, OrderSink,
};
use crate::ports::{self, Clock};

/// The columns that [`order_row`] reads.
const COLUMNS: &str = "o.order_id, o.customer, o.body, o.hold_until, o.batch_id, s.state, s.reason, s.settled_at, \
     r.order_id IS NOT NULL, r.executed_at IS NOT NULL";

/// What belongs to an order.
const ATTACHED: &str = "LEFT JOIN settlements AS s ON s.order_id = o.order_id \
     LEFT JOIN refunds AS r ON r.order_id = o.order_id";

impl<C: Clock> Auditing for SqliteInventory<C> {
    async fn store_id(&self) -> Result<Uuid, ports::Error> {
        self.store.read("read the store's id", |connection| {
            connection.query_row("SELECT store_id FROM store", [], |row| {
                row.get(0).map(Uuid::from_bytes)
            })
        })
    }

    async fn checkpoint(&self) -> Result<Option<Checkpoint>, ports::Error> {
        self.store
            .read("read the last checkpoint", checkpoint::last)
    }

    async fn audit(
        &self,
        request: AuditRequest,
        mut orders: OrderSink,
    ) -> Result<AuditReport, ports::Error> {
        let due_before = self.clock.now().minus(request.grace).millis();
        self.store
            .read_long("audit the inventory", move |connection| {
                audit(connection, &request, due_before, &mut orders)
            })
            .await
    }

    async fn cover(&self, coverage: Coverage, audited_at: Timestamp) -> Result<bool, ports::Error> {
        let action = format!("write checkpoint {}", coverage.number);
        self.store
            .write(action, move |connection| {
                checkpoint::write(connection, &coverage, audited_at)
            })
            .await
    }

    fn audit_sql(&self) -> Vec<(Check, &'static str)> {
        QUERIES
            .iter()
            .map(|query| (query.check, query.sql))
            .chain(std::iter::once((Check::Stuck, OVERDUE)))
            .collect()
    }
}

fn audit(
    connection: &Connection,
    request: &AuditRequest,
    due_before: i64,
    sink: &mut OrderSink,
) -> Result<AuditReport, Error> {
    let count = |sql| connection.query_row(sql, [], |row| rows::number(row, 0));
    let mut audit = OrderAudit::new(start(connection, request, due_before)?);
    let mut report = AuditReport {
        skus: count("SELECT count(*) FROM items")?,
        units_sold: count("SELECT coalesce(sum(max(sold, 0)), 0) FROM items")?,
        ..AuditReport::default()
    };
    for query in QUERIES.iter().filter(|query| query.run == Run::Always) {
        find(connection, query, due_before, &mut report)?;
    }
    for query in order_queries(&audit) {
        orders(connection, &query, &mut audit, sink)?;
    }
    *sink = OrderSink::none();
    let attached = || {
        let settlements = count("SELECT count(*) FROM settlements")?;
        Ok::<_, Error>((settlements, count("SELECT count(*) FROM refunds")?))
    };
    if audit.is_full() && audit.attached() != attached()? {
        for query in QUERIES.iter().filter(|query| query.run == Run::IfMissed) {
            find(connection, query, due_before, &mut report)?;
        }
    }
    take_back(connection, &mut audit)?;
    let mut counters = connection.prepare("SELECT sku, blocked, sold FROM items")?;
    let mut items = counters.query([])?;
    while let Some(row) = items.next()? {
        audit.item(row.get_ref(0)?.as_str()?, (row.get(1)?, row.get(2)?), true);
    }
    audit.finish(&mut report);
    Ok(report)
}

fn start(connection: &Connection, request: &AuditRequest, due_before: i64) -> Result<Start, Error> {
    let checkpoint = checkpoint::stored(connection)?;
    Ok(Start {
        due_before,
        is_full: request.full || checkpoint.is_none(),
        checkpoint,
        at_fault: request.at_fault.clone(),
        uncovered: connection
            .prepare("SELECT batch_id FROM batches WHERE checkpoint = 0")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?,
        sold: connection
            .prepare("SELECT sku, units FROM covered_sales")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?,
    })
}

/// What reads the orders that an audit is about: all of them by id, or those that no checkpoint covers.
fn order_queries(audit: &OrderAudit) -> Vec<String> {
    if audit.is_full() {
        return vec![format!(
            "SELECT {COLUMNS} FROM orders AS o {ATTACHED} ORDER BY o.order_id"
        )];
    }
    let of_batches = format!(
        "SELECT {COLUMNS} FROM batches AS b CROSS JOIN orders AS o ON o.batch_id = b.batch_id {ATTACHED} \
         WHERE b.checkpoint = 0"
    );
    let tombstones =
        format!("SELECT {COLUMNS} FROM orders AS o {ATTACHED} WHERE o.batch_id IS NULL");
    vec![of_batches, tombstones]
}

fn orders(
    connection: &Connection,
    query: &str,
    audit: &mut OrderAudit,
    sink: &mut OrderSink,
) -> Result<(), Error> {
    let mut statement = connection.prepare(query)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let checked = audit.add(&order_row(row)?);
        if checked.is_some_and(|checked| sink.push(checked)) {
            sink.blocking_send();
        }
    }
    sink.blocking_send();
    Ok(())
}

/// Reads the orders of open batches again, since no checkpoint is to cover them.
fn take_back(connection: &Connection, audit: &mut OrderAudit) -> Result<(), Error> {
    let mut statement = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM orders AS o {ATTACHED} WHERE o.batch_id = ?1"
    ))?;
    for batch in audit.open_batches() {
        let mut found = statement.query([batch])?;
        while let Some(row) = found.next()? {
            audit.take_back(&order_row(row)?);
        }
    }
    Ok(())
}

/// Reads a row of [`COLUMNS`] without a copy.
fn order_row<'row>(row: &'row Row<'_>) -> Result<OrderRow<'row>, Error> {
    let bytes = |column: usize| match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Some(bytes)),
        ValueRef::Null => Ok(None),
        other => Err(Error::InvalidColumnType(
            column,
            String::new(),
            other.data_type(),
        )),
    };
    let id = bytes(0)?.and_then(|id| <[u8; 16]>::try_from(id).ok());
    let bad_id = || Error::InvalidColumnType(0, "order_id".to_owned(), Type::Blob);
    Ok(OrderRow {
        order_id: OrderId::from_bytes(id.ok_or_else(bad_id)?),
        customer: bytes(1)?,
        body: bytes(2)?.unwrap_or_default(),
        hold_until: row.get(3)?,
        batch_id: row.get(4)?,
        state: row.get(5)?,
        reason: bytes(6)?,
        settled_at: row.get(7)?,
        refund: match (row.get(8)?, row.get(9)?) {
            (false, _) => None,
            (true, false) => Some(RefundState::Due),
            (true, true) => Some(RefundState::Executed),
        },
    })
}

fn find(
    connection: &Connection,
    query: &Query,
    due_before: i64,
    report: &mut AuditReport,
) -> Result<(), Error> {
    let mut statement = connection.prepare(query.sql)?;
    let takes_time = statement.parameter_count() > 0;
    let mut found = statement.query(params_from_iter(takes_time.then_some(due_before)))?;
    while let Some(row) = found.next()? {
        report.findings.push(Finding {
            check: query.check,
            subject: subject(row)?,
            detail: row.get(1)?,
            count: rows::number(row, 2)?.max(1),
        });
    }
    Ok(())
}

/// The SKU, or the order: SQL shows an id as hexadecimal digits without hyphens.
fn subject(row: &Row<'_>) -> Result<String, Error> {
    let subject: String = row.get(0)?;
    let is_order = row.as_ref().column_name(0)? == "order_id";
    Ok(match Uuid::try_parse(&subject).map(OrderId::new) {
        Ok(id) if is_order => id.to_string(),
        _ => subject,
    })
}
