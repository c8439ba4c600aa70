//! Administration: catalogue, corrections, order search.

use std::fmt::Write as _;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Value};

use super::MysqlInventory;
use super::adjust::Adjust;
use super::fault::Fault;
use super::lane::Ask;
use super::put::Put;
use super::rows::{self, Fields, ORDER_COLUMNS, ORDERS, REFUND_COLUMNS};
use super::{read, sales};
use crate::domain::{Order, OrderId, Sku};
use crate::inventory::bounds::check_items;
use crate::inventory::{
    Adjusted, Adjustment, AdjustmentRow, Administration, BatchRow, Item, NewItem, OrderFilter,
    PutOutcome, Story, UnitsError,
};
use crate::ports;

const ITEM_COLUMNS: &str = "sku, name, price, initial, adjusted, available, blocked, sold, version";

impl Administration for MysqlInventory {
    async fn put_items(&self, items: Vec<NewItem>) -> Result<Vec<PutOutcome>, ports::Error> {
        let action = format!("put {} items", items.len());
        if let Err(refused) = check_items(&items) {
            return Err(ports::Error::permanent(action).because(refused));
        }
        self.writing.transact(&action, &Put { items }).await
    }

    async fn items(&self, after: Option<Sku>, limit: usize) -> Result<Vec<Item>, ports::Error> {
        let ask = Ask((after, limit), |connection, (after, limit)| {
            Box::pin(items(connection, after.as_ref(), *limit))
        });
        self.reading.read("read items", &ask).await
    }

    async fn item(&self, sku: Sku) -> Result<Option<Item>, ports::Error> {
        let ask = Ask(sku, |connection, sku| Box::pin(one_item(connection, sku)));
        self.reading.read("read an item", &ask).await
    }

    async fn adjust(&self, adjustments: Vec<Adjustment>) -> Result<Vec<Adjusted>, ports::Error> {
        let action = format!("adjust {} items", adjustments.len());
        if adjustments.iter().any(|adjustment| adjustment.by == 0) {
            return Err(ports::Error::permanent(action).because(UnitsError::Zero));
        }
        self.writing
            .transact(&action, &Adjust { adjustments })
            .await
    }

    async fn adjustments(
        &self,
        sku: Sku,
        limit: usize,
    ) -> Result<Vec<AdjustmentRow>, ports::Error> {
        let ask = Ask((sku, limit), |connection, (sku, limit)| {
            Box::pin(corrections(connection, sku, *limit))
        });
        self.reading.read("read corrections", &ask).await
    }

    async fn find_orders(&self, filter: OrderFilter) -> Result<Vec<Order>, ports::Error> {
        let ask = Ask(filter, |connection, filter| {
            Box::pin(find(connection, filter))
        });
        self.reading.read("list orders", &ask).await
    }

    async fn story(&self, id: OrderId) -> Result<Option<Story>, ports::Error> {
        let ask = Ask(id, |connection, id| Box::pin(story(connection, *id)));
        self.reading.read("read the story of an order", &ask).await
    }
}

async fn items(
    connection: &mut Conn,
    after: Option<&Sku>,
    limit: usize,
) -> Result<Vec<Item>, Fault> {
    let page = format!("sku > ? ORDER BY sku LIMIT {limit}");
    items_where(connection, &page, after.map_or("", Sku::as_str)).await
}

async fn one_item(connection: &mut Conn, sku: &Sku) -> Result<Option<Item>, Fault> {
    let found = items_where(connection, "sku = ?", sku.as_str()).await?;
    Ok(found.into_iter().next())
}

/// Items with what was sold and is not folded in yet: one snapshot for both.
async fn items_where(connection: &mut Conn, which: &str, value: &str) -> Result<Vec<Item>, Fault> {
    let question = format!(
        "(SELECT {ITEM_COLUMNS}, NULL FROM items WHERE {which}) \
         UNION ALL (SELECT NULL, '', 0, 0, 0, 0, 0, 0, 0, units FROM sales)"
    );
    let rows = connection.exec(question, (value.as_bytes(),)).await?;
    let (rows, sales) = sales::separate(rows, 9);
    let mut items: Vec<Item> = rows.into_iter().map(item).collect::<Result<_, _>>()?;
    sales.show(items.iter_mut().map(|item| &mut item.level));
    // A union has no order of its own.
    items.sort_by(|one, other| one.level.sku.cmp(&other.level.sku));
    Ok(items)
}

fn item(row: Row) -> Result<Item, Fault> {
    let mut fields = Fields::of(row);
    let sku = fields.sku()?;
    Ok(Item {
        name: fields.take()?,
        price: fields.money()?,
        initial: fields.take()?,
        adjusted: fields.take()?,
        level: rows::level(sku, &mut fields)?,
    })
}

async fn corrections(
    connection: &mut Conn,
    sku: &Sku,
    limit: usize,
) -> Result<Vec<AdjustmentRow>, Fault> {
    let query = format!(
        "SELECT adjustment_id, sku, units, reason, adjusted_at, available_after FROM adjustments \
         WHERE sku = ? ORDER BY stock_version DESC LIMIT {limit}"
    );
    let rows: Vec<Row> = connection.exec(query, (sku.as_str().as_bytes(),)).await?;
    let correction = |row| {
        let mut fields = Fields::of(row);
        Ok(AdjustmentRow {
            id: fields.uuid()?,
            sku: fields.sku()?,
            by: fields.take()?,
            reason: fields.take()?,
            at: fields.time()?,
            available_after: fields.take()?,
        })
    };
    rows.into_iter().map(correction).collect()
}

/// A page without the rows that cannot be read, which are logged: more are read in their place, so that a page that is
/// not full is the last one.
async fn find(connection: &mut Conn, filter: &OrderFilter) -> Result<Vec<Order>, Fault> {
    let mut filter = filter.clone();
    let mut found = Vec::new();
    loop {
        let rows = page(connection, &filter).await?;
        let full = rows.len() == filter.limit;
        filter.after = rows.last().and_then(read::id_in);
        let readable = read::readable(rows, rows::order);
        filter.limit -= readable.len();
        found.extend(readable);
        if !full || filter.limit == 0 || filter.after.is_none() {
            return Ok(found);
        }
    }
}

async fn page(connection: &mut Conn, filter: &OrderFilter) -> Result<Vec<Row>, Fault> {
    let mut query = format!("SELECT {ORDER_COLUMNS} FROM {ORDERS} WHERE TRUE");
    let mut values: Vec<Value> = Vec::new();
    let mut only = |condition: &str, value: Option<Value>| {
        if let Some(value) = value {
            query.push_str(condition);
            values.push(value);
        }
    };
    let text = |text: &str| Value::from(text.as_bytes());
    only(
        " AND COALESCE(s.state, 1) = ?",
        filter.state.map(|state| state.code().into()),
    );
    only(
        " AND s.reason = ?",
        filter.reason.map(|reason| text(reason.as_str())),
    );
    only(
        " AND o.customer = ?",
        filter
            .customer
            .as_ref()
            .map(|customer| text(customer.as_str())),
    );
    only(
        " AND o.order_id > ?",
        filter
            .after
            .map(|after| Value::from(after.as_bytes().as_slice())),
    );
    // Writing to a string cannot fail.
    let _ = write!(query, " ORDER BY o.order_id LIMIT {}", filter.limit);
    Ok(connection.exec(query, Params::Positional(values)).await?)
}

async fn story(connection: &mut Conn, id: OrderId) -> Result<Option<Story>, Fault> {
    let found = read::orders(connection, &std::iter::once(id).collect()).await?;
    let Some(order) = found.into_iter().next() else {
        return Ok(None);
    };
    let batch = match order.batch {
        Some(batch) => {
            let query =
                "SELECT batch_id, decided_at, orders, blocked FROM batches WHERE batch_id = ?";
            connection.exec_first(query, (batch.id,)).await?
        }
        None => None,
    };
    let query = format!("SELECT {REFUND_COLUMNS} FROM refunds WHERE order_id = ?");
    let refund: Option<Row> = connection
        .exec_first(query, (id.as_bytes().as_slice(),))
        .await?;
    Ok(Some(Story {
        order,
        batch: batch.map(batch_row).transpose()?,
        refund: refund.map(rows::refund).transpose()?,
    }))
}

fn batch_row(row: Row) -> Result<BatchRow, Fault> {
    let mut fields = Fields::of(row);
    Ok(BatchRow {
        id: fields.count()?,
        decided_at: fields.time()?,
        orders: fields.count()?,
        blocked: fields.count()?,
    })
}
