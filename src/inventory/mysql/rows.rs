//! How orders, items and refunds stand in their rows.

use std::fmt::Display;

use mysql_async::Row;
use mysql_async::prelude::FromValue;
use uuid::Uuid;

use super::fault::Fault;
use crate::domain::{
    Customer, GatewayId, Money, Order, OrderId, OrderState, Reason, Sku, Timestamp,
};
use crate::inventory::body::{self, Columns, Ended};
use crate::inventory::decide::ItemRow;
use crate::inventory::{Refund, StockLevel};

/// The columns of an order that [`order`] reads, out of [`ORDERS`].
pub(super) const ORDER_COLUMNS: &str =
    "o.order_id, o.customer, o.body, o.hold_until, o.batch_id, s.state, s.reason, s.settled_at";

/// Where `body` is.
const BODY: usize = 2;

/// Orders with how they ended.
pub(super) const ORDERS: &str = "orders AS o LEFT JOIN settlements AS s ON s.order_id = o.order_id";

/// The columns that [`item`] reads.
pub(super) const ITEM_COLUMNS: &str = "sku, price, available, blocked, sold, version";

/// The columns that [`refund`] reads.
pub(super) const REFUND_COLUMNS: &str = "order_id, amount, reason, recorded_at, executed_at";

/// The database's clock, in Unix milliseconds.
pub(super) const NOW: &str = "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";

/// A row that is read from left to right.
pub(super) struct Fields {
    row: Row,
    next: usize,
}

impl Fields {
    pub(super) fn of(row: Row) -> Self {
        Self { row, next: 0 }
    }

    /// The next column, `None` for NULL.
    pub(super) fn maybe<T: FromValue>(&mut self) -> Result<Option<T>, Fault> {
        let column = self.next;
        self.next += 1;
        match self.row.take_opt::<Option<T>, _>(column) {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(bad(column, error)),
            None => Err(bad(column, "it is missing")),
        }
    }

    /// The next column, which is never NULL.
    pub(super) fn take<T: FromValue>(&mut self) -> Result<T, Fault> {
        self.maybe()?
            .ok_or_else(|| bad(self.next - 1, "it is NULL"))
    }

    /// The next column, as what its value is made into.
    fn made<T, V: FromValue, E: Display>(
        &mut self,
        make: impl FnOnce(V) -> Result<T, E>,
    ) -> Result<T, Fault> {
        let value = self.take()?;
        make(value).map_err(|error| bad(self.next - 1, error))
    }

    /// The same, `None` for NULL.
    fn maybe_made<T, V: FromValue, E: Display>(
        &mut self,
        make: impl FnOnce(V) -> Result<T, E>,
    ) -> Result<Option<T>, Fault> {
        let value = self.maybe()?.map(make).transpose();
        value.map_err(|error| bad(self.next - 1, error))
    }

    /// A number that is never negative.
    pub(super) fn count(&mut self) -> Result<u64, Fault> {
        self.made(|value: i64| u64::try_from(value))
    }

    pub(super) fn sku(&mut self) -> Result<Sku, Fault> {
        self.made(|text: String| Sku::new(&text))
    }

    pub(super) fn money(&mut self) -> Result<Money, Fault> {
        self.made(Money::new)
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, Fault> {
        self.take().map(Timestamp::from_millis)
    }

    pub(super) fn maybe_time(&mut self) -> Result<Option<Timestamp>, Fault> {
        Ok(self.maybe()?.map(Timestamp::from_millis))
    }

    pub(super) fn uuid(&mut self) -> Result<Uuid, Fault> {
        self.made(|bytes: Vec<u8>| Uuid::from_slice(&bytes))
    }

    pub(super) fn order_id(&mut self) -> Result<OrderId, Fault> {
        self.uuid().map(OrderId::new)
    }

    pub(super) fn maybe_order_id(&mut self) -> Result<Option<OrderId>, Fault> {
        self.maybe_made(|bytes: Vec<u8>| Uuid::from_slice(&bytes).map(OrderId::new))
    }

    pub(super) fn maybe_gateway_id(&mut self) -> Result<Option<GatewayId>, Fault> {
        self.maybe_made(|text: String| GatewayId::new(&text))
    }

    pub(super) fn reason(&mut self) -> Result<Reason, Fault> {
        self.made(|text: String| text.parse())
    }

    /// How an order ended: `state, reason, settled_at`.
    pub(super) fn ended(&mut self) -> Result<Option<Ended>, Fault> {
        let find = |code: u8| OrderState::from_code(code).ok_or("the state is unknown");
        let state = self.maybe_made(find)?;
        let reason = self.maybe_made(|text: String| text.parse::<Reason>())?;
        let settled_at = self.maybe_time()?;
        Ok(state.map(|state| Ended {
            state,
            reason,
            settled_at,
        }))
    }

    /// The next column, of a closed set of texts.
    pub(super) fn one_of<T>(&mut self, find: impl FnOnce(&str) -> Option<T>) -> Result<T, Fault> {
        self.made(|text: String| find(&text).ok_or(format!("`{text}` is unknown")))
    }
}

/// A value in the database that no version of this program has written.
fn bad(column: usize, cause: impl Display) -> Fault {
    Fault::BadRow {
        column,
        cause: cause.to_string(),
    }
}

/// Reads a row of [`ORDER_COLUMNS`].
pub(super) fn order(row: Row) -> Result<Order, Fault> {
    let mut fields = Fields::of(row);
    let order_id = fields.order_id()?;
    let customer = fields.maybe_made(|text: String| Customer::new(&text))?;
    let body: String = fields.take()?;
    let columns = Columns {
        order_id,
        customer,
        hold_until: fields.time()?,
        batch_id: fields.maybe()?,
        ended: fields.ended()?,
    };
    body::unpack(&body, columns).map_err(|error| bad(BODY, error))
}

/// Reads a row of [`ITEM_COLUMNS`].
pub(super) fn item(row: Row) -> Result<ItemRow, Fault> {
    let mut fields = Fields::of(row);
    let sku = fields.sku()?;
    Ok(ItemRow {
        price: fields.money()?,
        level: level(sku, &mut fields)?,
    })
}

/// Reads `available, blocked, sold, version`.
pub(super) fn level(sku: Sku, fields: &mut Fields) -> Result<StockLevel, Fault> {
    Ok(StockLevel {
        sku,
        available: fields.take()?,
        blocked: fields.take()?,
        sold: fields.take()?,
        version: fields.count()?,
        earliest_hold: None,
    })
}

/// Reads a row of [`REFUND_COLUMNS`].
pub(super) fn refund(row: Row) -> Result<Refund, Fault> {
    let mut fields = Fields::of(row);
    Ok(Refund {
        order_id: fields.order_id()?,
        amount: fields.money()?,
        reason: fields.reason()?,
        recorded_at: fields.time()?,
        executed_at: fields.maybe_time()?,
    })
}
