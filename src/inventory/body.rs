//! How what is decided once about an order is packed into its row: JSON, which SQL can unpack. How the order ended stands
//! in a row of its own.

use std::borrow::Cow;

use serde::Deserialize;

use crate::domain::{BatchRef, CartHash, Customer, Money, Order, OrderId, OrderLine, OrderState};
use crate::domain::{Quantity, Reason, Sku, Timestamp};

/// One line as it is packed: SKU, quantity, price, available before, stock version.
type Line = (Sku, Quantity, Money, i64, u64);

/// What is packed: cart hash, when it was accepted, when it was decided, its place in the batch, its lines.
type Body = (Option<CartHash>, i64, i64, Option<u32>, Vec<Line>);

/// A text without a copy of it, unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The same as [`Line`], for those who read very many.
type BorrowedLine<'a> = (Text<'a>, Quantity, Money, i64, u64);

/// The same as [`Body`].
type BorrowedBody<'a> = (
    Option<CartHash>,
    i64,
    i64,
    Option<u32>,
    Vec<BorrowedLine<'a>>,
);

/// What an audit needs of a body.
pub(super) struct Cart<'a> {
    pub(super) decided_at: Timestamp,
    pub(super) amount: Money,
    lines: Vec<BorrowedLine<'a>>,
}

impl Cart<'_> {
    /// SKU and units of each line.
    pub(super) fn units(&self) -> impl Iterator<Item = (&str, i64)> {
        self.lines
            .iter()
            .map(|(Text(sku), units, ..)| (&**sku, units.units()))
    }
}

/// The columns beside the body.
pub(super) struct Columns {
    pub(super) order_id: OrderId,
    pub(super) customer: Option<Customer>,
    pub(super) hold_until: Timestamp,
    pub(super) batch_id: Option<u64>,
    /// How the order ended, if it has.
    pub(super) ended: Option<Ended>,
}

/// How an order ended.
pub(super) struct Ended {
    pub(super) state: OrderState,
    pub(super) reason: Option<Reason>,
    pub(super) settled_at: Option<Timestamp>,
}

/// Packs an order.
pub(super) fn pack(order: &Order) -> String {
    let lines: Vec<_> = order
        .lines
        .iter()
        .map(|line| {
            (
                line.sku.as_str(),
                line.quantity,
                line.price,
                line.available_before,
                line.stock_version,
            )
        })
        .collect();
    let body = (
        order.cart_hash,
        order.accepted_at.millis(),
        order.decided_at.millis(),
        order.batch.map(|batch| batch.position),
        lines,
    );
    serde_json::to_string(&body).expect("strings and numbers always serialise")
}

/// Unpacks what [`pack`] packed.
pub(super) fn unpack(body: &str, columns: Columns) -> Result<Order, serde_json::Error> {
    let (cart_hash, accepted_at, decided_at, position, lines): Body = serde_json::from_str(body)?;
    let line = |(sku, quantity, price, available_before, stock_version)| OrderLine {
        sku,
        quantity,
        price,
        available_before,
        stock_version,
    };
    let lines: Vec<OrderLine> = lines.into_iter().map(line).collect();
    let (state, reason, settled_at) = match columns.ended {
        None => (OrderState::Blocked, None, None),
        Some(ended) => (ended.state, ended.reason, ended.settled_at),
    };
    Ok(Order {
        order_id: columns.order_id,
        customer: columns.customer,
        cart_hash,
        // One whose amount was out of range has failed for that, and costs nothing.
        amount: amount(&lines).unwrap_or_default(),
        lines,
        state,
        reason,
        accepted_at: Timestamp::from_millis(accepted_at),
        decided_at: Timestamp::from_millis(decided_at),
        hold_until: columns.hold_until,
        settled_at,
        batch: columns
            .batch_id
            .zip(position)
            .map(|(id, position)| BatchRef { id, position }),
    })
}

/// Reads what an audit needs of a body.
pub(super) fn cart(body: &[u8]) -> Result<Cart<'_>, serde_json::Error> {
    let (_, _, decided_at, _, lines): BorrowedBody<'_> = serde_json::from_slice(body)?;
    Ok(Cart {
        decided_at: Timestamp::from_millis(decided_at),
        amount: total(lines.iter().map(|line| (line.2, line.1))).unwrap_or_default(),
        lines,
    })
}

/// What the lines cost together, unless that is out of range.
pub(super) fn amount(lines: &[OrderLine]) -> Option<Money> {
    total(lines.iter().map(|line| (line.price, line.quantity)))
}

fn total(mut lines: impl Iterator<Item = (Money, Quantity)>) -> Option<Money> {
    lines.try_fold(Money::ZERO, |sum, (price, quantity)| {
        sum.checked_add(price.checked_mul(quantity)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_unpacked_as_it_was_packed() {
        let order = Order {
            amount: Money::new(3_998).unwrap(),
            cart_hash: Some(CartHash::from_bytes([0xab; 16])),
            lines: vec![OrderLine {
                sku: Sku::new("SKU-\"1\"").unwrap(),
                quantity: Quantity::new(2).unwrap(),
                price: Money::new(1_999).unwrap(),
                available_before: -3,
                stock_version: 9,
            }],
            accepted_at: Timestamp::from_millis(3),
            batch: Some(BatchRef { id: 4, position: 5 }),
            ..Order::blocked(OrderId::from_bytes([1; 16]))
        };
        let columns = |ended| Columns {
            order_id: order.order_id,
            customer: None,
            hold_until: order.hold_until,
            batch_id: Some(4),
            ended,
        };
        let packed = pack(&order);
        assert!(
            packed.ends_with(r#",3,7,5,[["SKU-\"1\"",2,1999,-3,9]]]"#),
            "{packed}"
        );
        assert_eq!(unpack(&packed, columns(None)).unwrap(), order);
        let read = cart(packed.as_bytes()).unwrap();
        assert_eq!(
            (read.decided_at, read.amount),
            (order.decided_at, order.amount)
        );
        assert_eq!(read.units().collect::<Vec<_>>(), [("SKU-\"1\"", 2)]);
        let ended = Ended {
            state: OrderState::Failed,
            reason: Some(Reason::Expired),
            settled_at: Some(Timestamp::from_millis(8)),
        };
        let failed = unpack(&packed, columns(Some(ended))).unwrap();
        assert_eq!(failed.state, OrderState::Failed);
        assert_eq!(failed.reason, Some(Reason::Expired));
        assert!(unpack("[]", columns(None)).is_err());
        assert!(cart(b"[]").is_err());
    }
}
