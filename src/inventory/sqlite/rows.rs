//! How orders stand in their rows.

use rusqlite::types::Type;
use rusqlite::{Error, Row};

use crate::domain::{
    BatchRef, CartHash, Customer, Money, Order, OrderId, OrderState, Reason, Timestamp,
};
use crate::inventory::lines;

/// The columns of an order, in the order in which [`order`] reads and [`super::write`] writes them.
pub(super) const ORDER_COLUMNS: &str = "order_id, customer, cart_hash, lines, amount, state, reason, accepted_at, \
     decided_at, hold_until, settled_at, batch_id, batch_position";

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
    let state: u8 = row.get(5)?;
    let text = |column: usize| row.get_ref(column)?.as_str_or_null().map_err(Error::from);
    Ok(Order {
        order_id: id(row, 0)?,
        customer: text(1)?
            .map(Customer::new)
            .transpose()
            .map_err(|source| bad(1, Type::Text, source))?,
        cart_hash: row.get::<_, Option<[u8; 16]>>(2)?.map(CartHash::from_bytes),
        lines: lines::unpack(text(3)?.unwrap_or("[]"))
            .map_err(|source| bad(3, Type::Text, source))?,
        amount: money(row, 4)?,
        state: OrderState::from_code(state)
            .ok_or(Error::IntegralValueOutOfRange(5, state.into()))?,
        reason: text(6)?
            .map(str::parse::<Reason>)
            .transpose()
            .map_err(|source| bad(6, Type::Text, source))?,
        accepted_at: time(row, 7)?,
        decided_at: time(row, 8)?,
        hold_until: time(row, 9)?,
        settled_at: row.get::<_, Option<i64>>(10)?.map(Timestamp::from_millis),
        batch: match (
            row.get::<_, Option<i64>>(11)?,
            row.get::<_, Option<u32>>(12)?,
        ) {
            (Some(_), Some(position)) => Some(BatchRef {
                id: number(row, 11)?,
                position,
            }),
            _ => None,
        },
    })
}
