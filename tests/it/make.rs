//! Short words for what tests speak of.

use oms::domain::{AcceptedCart, Cart, Customer, Line, Money, OrderId, Quantity, Sku, Timestamp};
use oms::inventory::NewItem;

/// The price of an item where it does not matter.
pub const PRICE: i64 = 250;

/// The `number`-th order id: their order is that of the numbers.
pub fn id(number: u64) -> OrderId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    OrderId::v7(1_700_000_000_000, &random)
}

pub fn sku(text: &str) -> Sku {
    Sku::new(text).unwrap()
}

pub fn customer(name: &str) -> Customer {
    Customer::new(name).unwrap()
}

pub fn money(minor: i64) -> Money {
    Money::new(minor).unwrap()
}

/// A cart of `(sku, units)` pairs.
pub fn cart<'a>(buyer: &str, lines: impl IntoIterator<Item = (&'a str, i64)>) -> Cart {
    let lines = lines
        .into_iter()
        .map(|(name, units)| Line {
            sku: sku(name),
            quantity: Quantity::new(units).unwrap(),
        })
        .collect();
    Cart::new(customer(buyer), lines).unwrap()
}

/// A cart of customer `c<number>` under the `number`-th id.
pub fn accepted<'a>(number: u64, lines: impl IntoIterator<Item = (&'a str, i64)>) -> AcceptedCart {
    AcceptedCart::new(
        id(number),
        cart(&format!("c{number}"), lines),
        Timestamp::from_millis(1_699_999_999_000),
    )
}

/// An item at the usual price.
pub fn item(name: &str, stock: i64) -> NewItem {
    NewItem {
        sku: sku(name),
        name: format!("item {name}"),
        price: money(PRICE),
        stock,
    }
}
