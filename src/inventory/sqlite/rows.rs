//! How orders stand in their rows.

use rusqlite::types::Type;
use rusqlite::{Error, Row};

use crate::domain::{Customer, Money, Order, OrderId, OrderState, Reason, Timestamp};
use crate::inventory::body::{self, Columns, Ended};

/// The columns of an order that [`order`] reads, out of [`ORDERS`].
pub(super) const ORDER_COLUMNS: &str =
    "o.order_id, o.customer, o.body, o.hold_until, o.batch_id, s.state, s.reason, s.settled_at";

/// Orders with how they ended.
pub(super) const ORDERS: &str = "orders AS o LEFT JOIN settlements AS s ON s.order_id = o.order_id";

pub(super) fn id(row: &Row<'_>, column: usize) -> Result<OrderId, Error> {
    row.get(column).map(OrderId::from_bytes)
}

pub(super) fn time(row: &Row<'_>, column: usize) -> Result<Timestamp, Error> {
    row.get(column).map(Timestamp::from_millis)
}

/// A number that is never negative.
pub(super) fn number(row: &Row<'_>, column: usize) -> Result<u64, Error> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(column, value))
}

/// A number as SQLite stores it.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn money(row: &Row<'_>, column: usize) -> Result<Money, Error> {
    let minor: i64 = row.get(column)?;
    Money::new(minor).map_err(|source| bad(column, Type::Integer, source))
}

/// A value in the database that no version of this program has written.
pub(super) fn bad(
    column: usize,
    kind: Type,
    source: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::FromSqlConversionFailure(column, kind, Box::new(source))
}

/// Reads a row of [`ORDER_COLUMNS`].
pub(super) fn order(row: &Row<'_>) -> Result<Order, Error> {
    let text = |column: usize| row.get_ref(column)?.as_str_or_null().map_err(Error::from);
    let state: Option<u8> = row.get(5)?;
    let ended = match state {
        None => None,
        Some(code) => Some(Ended {
            state: OrderState::from_code(code)
                .ok_or(Error::IntegralValueOutOfRange(5, code.into()))?,
            reason: text(6)?
                .map(str::parse::<Reason>)
                .transpose()
                .map_err(|source| bad(6, Type::Text, source))?,
            settled_at: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis),
        }),
    };
    let columns = Columns {
        order_id: id(row, 0)?,
        customer: text(1)?
            .map(Customer::new)
            .transpose()
            .map_err(|source| bad(1, Type::Text, source))?,
        hold_until: time(row, 3)?,
        batch_id: row
            .get::<_, Option<i64>>(4)?
            .map(|_| number(row, 4))
            .transpose()?,
        ended,
    };
    body::unpack(text(2)?.unwrap_or_default(), columns).map_err(|source| bad(2, Type::Text, source))
}
