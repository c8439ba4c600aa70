//! How an accepted cart travels through the queue: one JSON object, readable by people and by other programs.

use serde::{Deserialize, Serialize};

use crate::domain::{
    AcceptedCart, Cart, CartError, CartHash, Customer, Line, OrderId, Timestamp, cut_text,
};
use crate::json::{self, JsonError};
use crate::queue::Message;

/// How much of an error about an unreadable message is kept.
const QUOTED_BYTES_MAX: usize = 512;

/// The version this program writes, and the only one it reads.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Wire {
    v: u32,
    order_id: OrderId,
    customer: Customer,
    lines: Vec<Line>,
    accepted_at_ms: i64,
    hash: CartHash,
}

/// What can still be read of a broken message.
#[derive(Debug, Deserialize)]
struct JustTheId {
    order_id: OrderId,
}

/// A message that is no cart.
#[derive(Debug, thiserror::Error)]
pub(super) enum Poison {
    #[error("the message is not a cart: {0}")]
    Unreadable(String),
    #[error("the message has version {found}; this program reads version {VERSION}")]
    Version { found: u32 },
    #[error("the message holds no valid cart: {0}")]
    Cart(#[from] CartError),
    #[error("the message's hash does not fit its cart")]
    Hash,
}

impl From<JsonError> for Poison {
    /// An error may quote the value that cannot be read: the message may be one string of a megabyte.
    fn from(error: JsonError) -> Self {
        Self::Unreadable(cut_text(&error.to_string(), QUOTED_BYTES_MAX))
    }
}

/// The message of a cart; the key keeps carts for one SKU in order.
pub(super) fn encode(accepted: &AcceptedCart) -> Message {
    let wire = Wire {
        v: VERSION,
        order_id: accepted.order_id,
        customer: accepted.cart.customer().clone(),
        lines: accepted.cart.lines().to_vec(),
        accepted_at_ms: accepted.accepted_at.millis(),
        hash: accepted.hash,
    };
    let payload = serde_json::to_vec(&wire).expect("strings and numbers always serialise");
    Message {
        key: accepted.cart.first_sku().as_str().as_bytes().to_vec(),
        payload,
    }
}

/// The cart of a message.
pub(super) fn decode(payload: &[u8]) -> Result<AcceptedCart, Poison> {
    let wire: Wire = json::read(payload)?;
    if wire.v != VERSION {
        return Err(Poison::Version { found: wire.v });
    }
    let cart = Cart::new(wire.customer, wire.lines)?;
    let accepted_at = Timestamp::from_millis(wire.accepted_at_ms);
    let accepted = AcceptedCart::new(wire.order_id, cart, accepted_at);
    if accepted.hash != wire.hash {
        return Err(Poison::Hash);
    }
    Ok(accepted)
}

/// The order that a broken message names, if it gets that far.
pub(super) fn order_id(payload: &[u8]) -> Option<OrderId> {
    json::read::<JustTheId>(payload)
        .ok()
        .map(|message| message.order_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Quantity, Sku};

    fn accepted() -> AcceptedCart {
        let line = |sku: &str| Line {
            sku: Sku::new(sku).unwrap(),
            quantity: Quantity::new(2).unwrap(),
        };
        let cart = Cart::new(
            Customer::new("c \"1\"").unwrap(),
            vec![line("B"), line("a")],
        )
        .unwrap();
        AcceptedCart::new(
            OrderId::from_bytes([9; 16]),
            cart,
            Timestamp::from_millis(5),
        )
    }

    #[test]
    fn a_cart_reads_back_from_its_message() {
        let message = encode(&accepted());
        assert_eq!(message.key, b"B");
        assert_eq!(decode(&message.payload).unwrap(), accepted());
    }

    #[test]
    fn a_broken_message_is_poison_and_may_still_name_its_order() {
        let good = String::from_utf8(encode(&accepted()).payload).unwrap();
        for (broken, named) in [
            (good.replace("\"v\":1", "\"v\":2"), true),
            (good.replace("\"quantity\":2", "\"quantity\":3"), true),
            (good.replace("\"quantity\":2", "\"quantity\":-2"), true),
            (
                good.replace("\"quantity\":2", "\"quantity\":99999999999999999999"),
                true,
            ),
            (good.replace("\"sku\":\"a\"", "\"sku\":\"\""), true),
            ("[]".to_owned(), false),
            // An array of the members in order is no object.
            (
                format!(
                    "[1,\"{}\",\"c\",[],5,\"{}\"]",
                    accepted().order_id,
                    accepted().hash
                ),
                false,
            ),
            (
                good.replace("{\"sku\":\"a\",\"quantity\":2}", "[\"a\",2]"),
                true,
            ),
            (good[..good.len() / 2].to_owned(), false),
        ] {
            assert!(decode(broken.as_bytes()).is_err(), "{broken}");
            assert_eq!(order_id(broken.as_bytes()).is_some(), named, "{broken}");
        }
        assert!(decode(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn an_error_does_not_repeat_the_whole_message() {
        let good = String::from_utf8(encode(&accepted()).payload).unwrap();
        let long = "é€".repeat(100_000);
        for broken in [
            format!("\"{long}\""),
            good.replace("\"sku\":\"a\"", &format!("\"sku\":\"{long}\"")),
            good.replace("\"customer\":\"c", &format!("\"customer\":\"{long}")),
            good.replace("\"v\":1", &format!("\"v\":\"{long}\"")),
        ] {
            assert_ne!(broken, good);
            let said = decode(broken.as_bytes()).unwrap_err().to_string();
            assert!(said.len() < 1_024, "{} bytes: {}", said.len(), &said[..80]);
        }
    }
}
