//! How orders, items and refunds stand in their rows.

use std::fmt::Display;

use mysql_async::Row;
use mysql_async::prelude::FromValue;
use uuid::Uuid;

use super::bodies::Standing;
use super::fault::Fault;
use crate::domain::{
    BatchRef, CartHash, Customer, GatewayId, Money, Order, OrderId, OrderState, Reason, Sku,
    Timestamp,
};
use crate::inventory::decide::ItemRow;
use crate::inventory::{Refund, StockLevel, lines};

/// The columns of an order, in the order in which [`order`] reads and [`super::write`] writes them.
pub(super) const ORDER_COLUMNS: &str = "order_id, customer, cart_hash, cart_lines, amount, state, reason, \
     accepted_at, decided_at, hold_until, settled_at, batch_id, batch_position";

/// Where `hold_until` is among [`ORDER_COLUMNS`].
pub(super) const HOLD_UNTIL: usize = 9;

/// The columns that [`standing`] reads.
pub(super) const STANDING_COLUMNS: &str =
    "order_id, state, reason, settled_at, decided_at, batch_id";

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

    pub(super) fn state(&mut self) -> Result<OrderState, Fault> {
        self.made(|code: u8| OrderState::from_code(code).ok_or("the state is unknown"))
    }

    /// The next column, of a closed set of texts.
    pub(super) fn one_of<T>(&mut self, find: impl FnOnce(&str) -> Option<T>) -> Result<T, Fault> {
        self.made(|text: String| find(&text).ok_or(format!("`{text}` is unknown")))
    }

    pub(super) fn lines(&mut self) -> Result<Vec<crate::domain::OrderLine>, Fault> {
        self.made(|text: String| lines::unpack(&text))
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
    let fields = &mut fields;
    Ok(Order {
        order_id: fields.order_id()?,
        customer: fields.maybe_made(|text: String| Customer::new(&text))?,
        cart_hash: fields
            .maybe_made(|bytes: Vec<u8>| <[u8; 16]>::try_from(bytes.as_slice()))?
            .map(CartHash::from_bytes),
        lines: fields.lines()?,
        amount: fields.money()?,
        state: fields.state()?,
        reason: fields.maybe_made(|text: String| text.parse::<Reason>())?,
        accepted_at: fields.time()?,
        decided_at: fields.time()?,
        hold_until: fields.time()?,
        settled_at: fields.maybe_time()?,
        batch: match (fields.maybe()?, fields.maybe()?) {
            (Some(id), Some(position)) => Some(BatchRef { id, position }),
            _ => None,
        },
    })
}

/// Reads a row of [`STANDING_COLUMNS`].
pub(super) fn standing(row: Row) -> Result<Standing, Fault> {
    let mut fields = Fields::of(row);
    Ok(Standing {
        order_id: fields.order_id()?,
        state: fields.state()?,
        reason: fields.maybe_made(|text: String| text.parse::<Reason>())?,
        settled_at: fields.maybe_time()?,
        decided_at: fields.time()?,
        batch_id: fields.maybe()?,
    })
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
