//! What each simulated client was told: the evidence that the audit joins with committed state.

use crate::domain::{OrderId, Reason, Timestamp};

/// One request to buy, and what its client was told in the end. Small, since there is one for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Which buyer, from 0.
    pub buyer: u32,
    /// Under which id.
    pub order_id: OrderId,
    /// When the cart was sent.
    pub asked_at: Timestamp,
    /// When the last answer came.
    pub answered_at: Timestamp,
    /// The last answer.
    pub answer: Answer,
    /// Whether it was in the warm-up: evidence, and in no figure.
    pub warm_up: bool,
}

/// The last thing a client was told about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The cart was refused at once.
    Refused(Reason),
    /// The cart was accepted, and nothing final was said.
    Accepted,
    /// It was sold.
    Placed,
    /// It failed.
    Failed(Reason),
    /// The cart had been accepted, and then nobody knew the order.
    Forgotten,
    /// No answer to the cart: it may or may not have been accepted.
    InDoubt,
}

impl Answer {
    /// Whether the client was told that its cart is accepted.
    pub const fn was_accepted(self) -> bool {
        !matches!(self, Self::Refused(_) | Self::InDoubt)
    }

    /// Whether nothing final was said.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Accepted | Self::InDoubt | Self::Forgotten)
    }

    /// The reason of a refusal for want of stock, at once or by the worker.
    pub const fn out_of_stock(self) -> Option<Reason> {
        match self {
            Self::Refused(reason @ (Reason::SoldOut | Reason::Held))
            | Self::Failed(reason @ (Reason::SoldOut | Reason::Held)) => Some(reason),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_each_request_is_small() {
        // A million buyers are to fit a process of a gibibyte with all else.
        assert!(size_of::<Told>() <= 40, "{}", size_of::<Told>());
    }
}
