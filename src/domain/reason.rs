//! Why a cart was refused or an order failed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)+) => {
        /// Why a cart was refused, or an order failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason {
            $($(#[$doc])* $variant,)+
        }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The reason as it stands in JSON, HTTP and the database.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

reasons! {
    /// Nothing left, nothing held.
    SoldOut = "sold_out",
    /// All that is left is blocked by others.
    Held = "held",
    /// The catalogue does not have the item.
    UnknownSku = "unknown_sku",
    /// The order is worth more than an amount can say, or asks for more units of an item than a line may.
    Limit = "limit",
    /// The payment was declined.
    Declined = "declined",
    /// The hold ran out before a payment succeeded.
    Expired = "expired",
    /// `placeOrder` waited its full time and the worker had not decided.
    GaveUp = "gave_up",
    /// The buyer cancelled.
    Cancelled = "cancelled",
    /// A correction had taken the stock away under the blocked items.
    NegativeInventory = "negative_inventory",
    /// A payment was captured for an order the database does not know.
    MissingOrder = "missing_order",
    /// Another amount than the order's was captured.
    AmountMismatch = "amount_mismatch",
    /// The id had been used with another cart.
    IdConflict = "id_conflict",
    /// The message could not be read or stored; it is a dead letter.
    Poison = "poison",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a known reason")]
pub struct UnknownReason(String);

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .find(|reason| reason.as_str() == text)
            .copied()
            .ok_or_else(|| UnknownReason(text.chars().take(32).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_from_its_text_and_its_json() {
        for &reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            assert_eq!(
                serde_json::to_string(&reason).unwrap(),
                format!("\"{reason}\"")
            );
        }
    }
}
