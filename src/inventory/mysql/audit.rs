//! The audit: queries that recompute everything from the orders' carts. Each row found is something wrong.

use std::time::Duration;

use futures::StreamExt;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use uuid::Uuid;

use super::MysqlInventory;
use super::connect::{Purpose, Server};
use super::fault::Fault;
use super::lane::{Ask, Job, Lane};
use super::read;
use super::rows::Fields;
use crate::domain::OrderId;
use crate::inventory::{AuditReport, Auditing, Check, Finding};
use crate::ports;

/// A check: rows of (subject, detail, count). What is due before `@due_before` is overdue; a minute ago if it is not
/// set, as when somebody runs the query by hand.
struct Query {
    check: Check,
    sql: &'static str,
}

const QUERIES: &[Query] = &[
    Query {
        check: Check::Oversold,
        sql: "SELECT sku, CONCAT('sold ', sold, ' and blocked ', blocked, ' of ', initial + raised, \
             ' that there ever were'), CAST(sold + blocked - initial - raised AS SIGNED) \
         FROM (SELECT items.*, COALESCE((SELECT SUM(units) FROM adjustments AS a \
             WHERE a.sku = items.sku AND a.units > 0), 0) AS raised FROM items) AS i \
         WHERE sold + blocked > initial + raised",
    },
    Query {
        check: Check::Oversold,
        sql: "SELECT sku, CONCAT('available is ', available, ', which corrections do not explain'), -available \
         FROM items WHERE available < 0 AND available < COALESCE((SELECT SUM(units) FROM adjustments AS a \
             WHERE a.sku = items.sku AND a.units < 0), 0)",
    },
    Query {
        check: Check::Conservation,
        sql: "SELECT sku, CONCAT('initial ', initial, ' + adjusted ', adjusted, ' is not available ', available, \
             ' + blocked ', blocked, ' + sold ', sold), ABS(initial + adjusted - available - blocked - sold) \
         FROM items WHERE initial + adjusted <> available + blocked + sold",
    },
    Query {
        check: Check::Conservation,
        sql: "SELECT items.sku, CONCAT('adjusted is ', adjusted, ', but its corrections add up to ', \
             COALESCE(total, 0)), CAST(ABS(adjusted - COALESCE(total, 0)) AS SIGNED) \
         FROM items LEFT JOIN (SELECT sku, SUM(units) AS total FROM adjustments GROUP BY sku) AS a \
             ON a.sku = items.sku WHERE adjusted <> COALESCE(total, 0)",
    },
    // Carts are added up first, in one pass over the orders, and only the sums are held against the items.
    Query {
        check: Check::Conservation,
        sql: "SELECT sku, IF(SUM(is_item) > 0, \
             CONCAT('blocked is ', SUM(blocked), ' and sold ', SUM(sold), ', with sales not folded in, but its orders \
                 hold ', SUM(held), ' and bought ', SUM(bought)), \
             CONCAT('orders hold ', SUM(held), ' and bought ', SUM(bought), ' of no known item')), \
             CAST(ABS(SUM(blocked) - SUM(held)) + ABS(SUM(sold) - SUM(bought)) AS SIGNED) \
         FROM (SELECT sku, blocked, sold, 0 AS held, 0 AS bought, 1 AS is_item FROM items \
             UNION ALL \
             SELECT CAST(sale.sku AS BINARY) AS sku, -SUM(sale.units), SUM(sale.units), 0, 0, 0 \
             FROM sales JOIN JSON_TABLE(IF(JSON_VALID(sales.units), sales.units, '[]'), '$[*]' COLUMNS \
                 (sku VARCHAR(64) PATH '$[0]', units BIGINT PATH '$[1]')) AS sale \
             GROUP BY CAST(sale.sku AS BINARY) \
             UNION ALL \
             SELECT CAST(line.sku AS BINARY) AS sku, 0, 0, SUM(IF(s.state IS NULL, line.units, 0)), \
                 SUM(IF(s.state = 2, line.units, 0)), 0 \
             FROM orders AS o LEFT JOIN settlements AS s ON s.order_id = o.order_id \
                 JOIN JSON_TABLE(IF(JSON_VALID(o.body), o.body, '[]'), '$[4][*]' COLUMNS \
                 (sku VARCHAR(64) PATH '$[0]', units BIGINT PATH '$[1]')) AS line \
             WHERE s.state IS NULL OR s.state = 2 GROUP BY CAST(line.sku AS BINARY)) AS sides \
         GROUP BY sku \
         HAVING SUM(blocked) <> SUM(held) OR SUM(sold) <> SUM(bought) OR SUM(is_item) = 0",
    },
    Query {
        check: Check::Conservation,
        sql: "SELECT sku, CONCAT('blocked is ', blocked, ' and sold ', sold), \
             GREATEST(-blocked, 0) + GREATEST(-sold, 0) \
         FROM items WHERE blocked < 0 OR sold < 0",
    },
    Query {
        check: Check::Conservation,
        sql: "SELECT LOWER(HEX(order_id)) AS order_id, 'its cart cannot be read', 1 \
         FROM orders \
         WHERE IF(JSON_VALID(body), COALESCE(JSON_TYPE(JSON_EXTRACT(body, '$[4]')), ''), '') <> 'ARRAY'",
    },
    Query {
        check: Check::Conservation,
        sql: "SELECT CONCAT('sale ', sale_id), 'its units cannot be read', 1 FROM sales WHERE NOT JSON_VALID(units)",
    },
    Query {
        check: Check::Uniqueness,
        sql: "SELECT LOWER(HEX(r.order_id)) AS order_id, \
             IF(o.order_id IS NULL, 'refunded, and there is no such order', 'refunded, and it did not fail'), 1 \
         FROM refunds AS r LEFT JOIN orders AS o ON o.order_id = r.order_id \
             LEFT JOIN settlements AS s ON s.order_id = r.order_id \
         WHERE o.order_id IS NULL OR s.state IS NULL OR s.state <> 3",
    },
    Query {
        check: Check::Uniqueness,
        sql: "SELECT LOWER(HEX(s.order_id)) AS order_id, 'settled, and there is no such order', 1 \
         FROM settlements AS s LEFT JOIN orders AS o ON o.order_id = s.order_id WHERE o.order_id IS NULL",
    },
    Query {
        check: Check::Unpaid,
        sql: "SELECT LOWER(HEX(order_id)) AS order_id, \
             'placed without a time of settlement, or with a reason to fail', 1 \
         FROM settlements WHERE state = 2 AND (settled_at IS NULL OR reason IS NOT NULL)",
    },
    Query {
        check: Check::Uniqueness,
        sql: "SELECT LOWER(HEX(order_id)) AS order_id, 'failed without a reason', 1 \
         FROM settlements WHERE state = 3 AND reason IS NULL",
    },
    Query {
        check: Check::Unrefunded,
        sql: "SELECT LOWER(HEX(order_id)) AS order_id, \
             CONCAT('a refund of ', amount, ' is due since ', recorded_at), 1 \
         FROM refunds WHERE executed_at IS NULL \
             AND recorded_at < COALESCE(@due_before, (UNIX_TIMESTAMP() - 60) * 1000)",
    },
];

const OVERDUE: &str = "SELECT LOWER(HEX(o.order_id)) AS order_id, CONCAT('held until ', o.hold_until), 1 \
     FROM orders AS o LEFT JOIN settlements AS s ON s.order_id = o.order_id \
     WHERE s.order_id IS NULL AND o.hold_until < COALESCE(@due_before, (UNIX_TIMESTAMP() - 60) * 1000) \
     ORDER BY o.order_id";

/// Units sold, by the items and by what is not folded into them yet.
const UNITS_SOLD: &str = "SELECT CAST((SELECT COALESCE(SUM(GREATEST(sold, 0)), 0) FROM items) \
     + (SELECT COALESCE(SUM(sale.units), 0) FROM sales JOIN JSON_TABLE(IF(JSON_VALID(sales.units), sales.units, '[]'), \
         '$[*]' COLUMNS (units BIGINT PATH '$[1]')) AS sale) AS SIGNED)";

impl Auditing for MysqlInventory {
    async fn store_id(&self) -> Result<Uuid, ports::Error> {
        let ask = Ask((), |connection, ()| Box::pin(store_id(connection)));
        self.reading.read("read the store's id", &ask).await
    }

    async fn audit(&self, grace: Duration) -> Result<AuditReport, ports::Error> {
        // A connection of its own: with a snapshot, and as long as it takes.
        let lane = Lane::unhurried(Server::new(&self.url, Purpose::Audit));
        lane.read("audit the inventory", &Audit { grace }).await
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
    grace: Duration,
}

impl Job for Audit {
    type Done = AuditReport;

    async fn run(&self, connection: &mut Conn) -> Result<AuditReport, Fault> {
        let due_before = read::now(connection).await?.minus(self.grace).millis();
        connection
            .query_drop(format!("SET @due_before = {due_before}"))
            .await?;
        connection
            .query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            .await?;
        let mut report = AuditReport {
            skus: read::number(connection, "SELECT COUNT(*) FROM items").await?,
            orders: read::number(connection, "SELECT COUNT(*) FROM orders").await?,
            units_sold: read::number(connection, UNITS_SOLD).await?,
            ..AuditReport::default()
        };
        for query in QUERIES {
            report.findings.extend(find(connection, query).await?);
        }
        let overdue: Vec<Row> = connection.query(OVERDUE).await?;
        for row in overdue {
            let id: String = Fields::of(row).take()?;
            report
                .overdue
                .extend(Uuid::try_parse(&id).ok().map(OrderId::new));
        }
        connection.query_drop("COMMIT").await?;
        Ok(report)
    }
}

/// Runs a check; the server adds up, and only what is wrong is sent.
async fn find(connection: &mut Conn, query: &Query) -> Result<Vec<Finding>, Fault> {
    let mut result = connection.query_iter(query.sql).await?;
    let is_order = result
        .columns_ref()
        .first()
        .is_some_and(|column| column.name_str() == "order_id");
    let mut findings = Vec::new();
    if let Some(mut rows) = result.stream::<Row>().await? {
        while let Some(row) = rows.next().await {
            let mut fields = Fields::of(row?);
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
    }
    result.drop_result().await?;
    Ok(findings)
}
