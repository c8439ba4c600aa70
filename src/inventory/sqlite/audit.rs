//! The audit: queries that recompute everything from the orders' carts. Each row found is something wrong.

use std::time::Duration;

use rusqlite::{Connection, Error, Row};
use uuid::Uuid;

use super::{SqliteInventory, rows};
use crate::domain::OrderId;
use crate::inventory::{AuditReport, Auditing, Check, Finding};
use crate::ports::{self, Clock};

/// A check: rows of (subject, detail, count). `?1` is the time before which what is due is overdue.
struct Query {
    check: Check,
    sql: &'static str,
}

const QUERIES: &[Query] = &[
    Query {
        check: Check::Oversold,
        sql: "SELECT sku, \
         'sold ' || sold || ' and blocked ' || blocked || ' of ' || (initial + raised) || ' that there ever were', \
         sold + blocked - initial - raised \
         FROM (SELECT items.*, coalesce((SELECT sum(units) FROM adjustments AS a \
             WHERE a.sku = items.sku AND a.units > 0), 0) AS raised FROM items) \
         WHERE sold + blocked > initial + raised",
    },
    Query {
        check: Check::Oversold,
        sql: "SELECT sku, 'available is ' || available || ', which corrections do not explain', -available \
         FROM items WHERE available < 0 AND available < coalesce((SELECT sum(units) FROM adjustments AS a \
             WHERE a.sku = items.sku AND a.units < 0), 0)",
    },
    Query {
        check: Check::Conservation,
        sql: "SELECT sku, 'initial ' || initial || ' + adjusted ' || adjusted || ' is not available ' || available \
         || ' + blocked ' || blocked || ' + sold ' || sold, \
         abs(initial + adjusted - available - blocked - sold) \
         FROM items WHERE initial + adjusted <> available + blocked + sold",
    },
    Query {
        check: Check::Conservation,
        sql: "SELECT items.sku, 'adjusted is ' || adjusted || ', but its corrections add up to ' || coalesce(total, 0), \
         abs(adjusted - coalesce(total, 0)) \
         FROM items LEFT JOIN (SELECT sku, sum(units) AS total FROM adjustments GROUP BY sku) AS a \
         ON a.sku = items.sku WHERE adjusted <> coalesce(total, 0)",
    },
    Query {
        check: Check::Conservation,
        sql: "WITH lines AS (SELECT coalesce(s.state, 1) AS state, json_extract(line.value, '$[0]') AS sku, \
                 json_extract(line.value, '$[1]') AS units \
             FROM orders AS o LEFT JOIN settlements AS s ON s.order_id = o.order_id, \
                 json_each(iif(json_valid(o.body), o.body, '[]'), '$[4]') AS line \
             WHERE coalesce(s.state, 1) IN (1, 2)), \
         carts AS (SELECT sku, sum(iif(state = 1, units, 0)) AS blocked, sum(iif(state = 2, units, 0)) AS sold \
             FROM lines GROUP BY sku) \
         SELECT items.sku, 'blocked is ' || items.blocked || ' and sold ' || items.sold || ', but its orders hold ' \
             || coalesce(carts.blocked, 0) || ' and bought ' || coalesce(carts.sold, 0), \
             abs(items.blocked - coalesce(carts.blocked, 0)) + abs(items.sold - coalesce(carts.sold, 0)) \
         FROM items LEFT JOIN carts ON carts.sku = items.sku \
         WHERE items.blocked <> coalesce(carts.blocked, 0) OR items.sold <> coalesce(carts.sold, 0) \
         UNION ALL \
         SELECT carts.sku, 'orders hold ' || carts.blocked || ' and bought ' || carts.sold || ' of no known item', \
             carts.blocked + carts.sold \
         FROM carts LEFT JOIN items ON items.sku = carts.sku WHERE items.sku IS NULL",
    },
    Query {
        check: Check::Conservation,
        sql: "SELECT sku, 'blocked is ' || blocked || ' and sold ' || sold, max(-blocked, 0) + max(-sold, 0) \
         FROM items WHERE blocked < 0 OR sold < 0",
    },
    Query {
        check: Check::Conservation,
        sql: "SELECT lower(hex(order_id)) AS order_id, 'its cart cannot be read', 1 \
         FROM orders WHERE iif(json_valid(body), json_type(body, '$[4]'), '') IS NOT 'array'",
    },
    Query {
        check: Check::Uniqueness,
        sql: "SELECT lower(hex(r.order_id)) AS order_id, \
         iif(o.order_id IS NULL, 'refunded, and there is no such order', 'refunded, and it did not fail'), 1 \
         FROM refunds AS r LEFT JOIN orders AS o ON o.order_id = r.order_id \
             LEFT JOIN settlements AS s ON s.order_id = r.order_id \
         WHERE o.order_id IS NULL OR s.state IS NOT 3",
    },
    Query {
        check: Check::Uniqueness,
        sql: "SELECT lower(hex(s.order_id)) AS order_id, 'settled, and there is no such order', 1 \
         FROM settlements AS s LEFT JOIN orders AS o ON o.order_id = s.order_id WHERE o.order_id IS NULL",
    },
    Query {
        check: Check::Unpaid,
        sql: "SELECT lower(hex(order_id)) AS order_id, 'placed without a time of settlement, or with a reason to fail', 1 \
         FROM settlements WHERE state = 2 AND (settled_at IS NULL OR reason IS NOT NULL)",
    },
    Query {
        check: Check::Uniqueness,
        sql: "SELECT lower(hex(order_id)) AS order_id, 'failed without a reason', 1 \
         FROM settlements WHERE state = 3 AND reason IS NULL",
    },
    Query {
        check: Check::Unrefunded,
        sql: "SELECT lower(hex(order_id)) AS order_id, 'a refund of ' || amount || ' is due since ' || recorded_at, 1 \
         FROM refunds WHERE executed_at IS NULL AND recorded_at < ?1",
    },
];

const OVERDUE: &str = "SELECT o.order_id FROM orders AS o LEFT JOIN settlements AS s ON s.order_id = o.order_id \
     WHERE s.order_id IS NULL AND o.hold_until < ?1 ORDER BY o.order_id";

impl<C: Clock> Auditing for SqliteInventory<C> {
    async fn store_id(&self) -> Result<Uuid, ports::Error> {
        self.store.read("read the store's id", |connection| {
            connection.query_row("SELECT store_id FROM store", [], |row| {
                row.get(0).map(Uuid::from_bytes)
            })
        })
    }

    async fn audit(&self, grace: Duration) -> Result<AuditReport, ports::Error> {
        let due_before = self.clock.now().minus(grace).millis();
        self.store
            .read_long("audit the inventory", move |connection| {
                audit(connection, due_before)
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

/// The SKU, or the order: SQL shows an id as hexadecimal digits without hyphens.
fn subject(row: &Row<'_>) -> Result<String, Error> {
    let subject: String = row.get(0)?;
    let is_order = row.as_ref().column_name(0)? == "order_id";
    Ok(match Uuid::try_parse(&subject).map(OrderId::new) {
        Ok(id) if is_order => id.to_string(),
        _ => subject,
    })
}

fn audit(connection: &Connection, due_before: i64) -> Result<AuditReport, Error> {
    let mut report = AuditReport {
        skus: connection.query_row("SELECT count(*) FROM items", [], |row| rows::number(row, 0))?,
        orders: connection.query_row("SELECT count(*) FROM orders", [], |row| {
            rows::number(row, 0)
        })?,
        units_sold: connection.query_row(
            "SELECT coalesce(sum(max(sold, 0)), 0) FROM items",
            [],
            |row| rows::number(row, 0),
        )?,
        ..AuditReport::default()
    };
    for query in QUERIES {
        let mut statement = connection.prepare(query.sql)?;
        let parameters: &[i64] = if statement.parameter_count() > 0 {
            &[due_before]
        } else {
            &[]
        };
        let mut found = statement.query(rusqlite::params_from_iter(parameters))?;
        while let Some(row) = found.next()? {
            report.findings.push(Finding {
                check: query.check,
                subject: subject(row)?,
                detail: row.get(1)?,
                count: rows::number(row, 2)?.max(1),
            });
        }
    }
    report.overdue = connection
        .prepare(OVERDUE)?
        .query_map([due_before], |row| rows::id(row, 0))?
        .collect::<Result<_, _>>()?;
    Ok(report)
}
