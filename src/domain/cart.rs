//! What a buyer asks for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{Customer, OrderId, Quantity, QuantityError, Sku, Timestamp};

/// The most lines a cart may have.
pub const LINES_MAX: usize = 1_000;

/// One item and how many of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The item.
    pub sku: Sku,
    /// How many units.
    pub quantity: Quantity,
}

/// A customer's cart: 1 to 1,000 lines, each SKU once, ordered by SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cart {
    customer: Customer,
    lines: Vec<Line>,
}

impl Cart {
    /// Sums lines that name the same SKU and puts them in order.
    pub fn new(customer: Customer, mut lines: Vec<Line>) -> Result<Self, CartError> {
        if lines.is_empty() {
            return Err(CartError::Empty);
        }
        if lines.len() > LINES_MAX {
            return Err(CartError::TooManyLines { lines: lines.len() });
        }
        lines.sort_by(|a, b| a.sku.cmp(&b.sku));
        let mut merged: Vec<Line> = Vec::with_capacity(lines.len());
        for line in lines {
            match merged.last_mut() {
                Some(last) if last.sku == line.sku => {
                    last.quantity = last.quantity.checked_add(line.quantity).map_err(|source| {
                        CartError::Sum {
                            sku: line.sku,
                            source,
                        }
                    })?;
                }
                _ => merged.push(line),
            }
        }
        Ok(Self {
            customer,
            lines: merged,
        })
    }

    /// Whose cart it is.
    pub fn customer(&self) -> &Customer {
        &self.customer
    }

    /// The lines, ordered by SKU, each SKU once; never empty.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The SKU that decides the partition: the first in order.
    pub fn first_sku(&self) -> &Sku {
        &self.lines[0].sku
    }

    /// A hash of customer and lines: one order id, one cart (rule 5).
    pub fn hash(&self) -> CartHash {
        let mut hasher = Sha256::new();
        // Lengths are hashed along, so that no two carts share an encoding.
        let mut text = |part: &str| {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        };
        text(self.customer.as_str());
        for line in &self.lines {
            text(line.sku.as_str());
            text(&line.quantity.to_string());
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize()[..16]);
        CartHash(bytes)
    }
}

/// Lines that make no cart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CartError {
    /// No lines.
    #[error("the cart is empty: it needs at least one line")]
    Empty,
    /// More than 1,000 lines.
    #[error("the cart has {lines} lines: at most {LINES_MAX} are allowed")]
    TooManyLines {
        /// How many there are.
        lines: usize,
    },
    /// The same SKU several times, too many in sum.
    #[error("the lines of {sku} add up to too much")]
    Sum {
        /// The SKU that is named several times.
        sku: Sku,
        /// What is wrong with the sum.
        source: QuantityError,
    },
}

/// The first 16 bytes of SHA-256 over customer and cart, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CartHash([u8; 16]);

impl CartHash {
    /// The hash that was stored as these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes that are stored.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for CartHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for CartHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CartHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u128::from_str_radix(text, 16) {
            Ok(number) if digits => Ok(Self(number.to_be_bytes())),
            _ => Err("not a cart hash: expected 32 hexadecimal digits".to_owned()),
        }
    }
}

impl TryFrom<String> for CartHash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CartHash> for String {
    fn from(hash: CartHash) -> Self {
        hash.to_string()
    }
}

/// A cart that was accepted: what travels through the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedCart {
    /// The order it becomes.
    pub order_id: OrderId,
    /// What is asked for.
    pub cart: Cart,
    /// [`Cart::hash`], computed once.
    pub hash: CartHash,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

impl AcceptedCart {
    /// Accepts a cart under an id.
    pub fn new(order_id: OrderId, cart: Cart, accepted_at: Timestamp) -> Self {
        let hash = cart.hash();
        Self {
            order_id,
            cart,
            hash,
            accepted_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(sku: &str, quantity: i64) -> Line {
        Line {
            sku: Sku::new(sku).unwrap(),
            quantity: Quantity::new(quantity).unwrap(),
        }
    }

    fn cart(lines: Vec<Line>) -> Result<Cart, CartError> {
        Cart::new(Customer::new("c1").unwrap(), lines)
    }

    proptest! {
        #[test]
        fn order_and_splitting_of_lines_do_not_change_a_cart(
            lines in prop::collection::vec((0u32..5, 1i64..50), 1..30),
            turn in 0usize..30,
        ) {
            let lines: Vec<Line> = lines.into_iter().map(|(sku, units)| line(&format!("S{sku}"), units)).collect();
            let total: i64 = lines.iter().map(|line| line.quantity.units()).sum();
            let mut turned = lines.clone();
            turned.rotate_left(turn % lines.len());
            let (one, other) = (cart(lines).unwrap(), cart(turned).unwrap());
            prop_assert_eq!(&one, &other);
            prop_assert_eq!(one.hash(), other.hash());
            prop_assert_eq!(one.lines().iter().map(|line| line.quantity.units()).sum::<i64>(), total);
            prop_assert!(one.lines().windows(2).all(|pair| pair[0].sku < pair[1].sku));
        }
    }

    #[test]
    fn different_carts_have_different_hashes() {
        let base = cart(vec![line("A", 1), line("B", 1)]).unwrap();
        for other in [
            vec![line("A", 1)],
            vec![line("A", 11), line("B", 1)],
            vec![line("a", 1), line("B", 1)],
        ] {
            assert_ne!(base.hash(), cart(other).unwrap().hash());
        }
        let stranger = Cart::new(Customer::new("c2").unwrap(), base.lines().to_vec()).unwrap();
        assert_ne!(base.hash(), stranger.hash());
        assert_eq!(base.hash().to_string().parse(), Ok(base.hash()));
    }

    #[test]
    fn a_sum_beyond_the_limit_is_refused() {
        let error = cart(vec![line("A", 1_000_000), line("A", 1)]).unwrap_err();
        assert!(matches!(error, CartError::Sum { .. }));
        assert_eq!(cart(vec![]), Err(CartError::Empty));
        assert_eq!(
            cart(vec![line("A", 1); 1_001]),
            Err(CartError::TooManyLines { lines: 1_001 })
        );
    }
}
