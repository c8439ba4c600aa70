//! The order state machine, and the order in which its statuses may overwrite each other.
//!
//! ```text
//! INIT ──► BLOCK ──► PAYMENT_PENDING ──► PAYMENT_SUCCESS ──► PLACED
//!   │        │                   │              │
//!   │        │                   └► PAYMENT_FAILED ──► FAILED
//!   └────────┴──────────────────────────────────┴────► FAILED
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Accepted: the cart is in the queue.
    Init,
    /// All its items are blocked.
    Block,
    /// A charge has been begun and its outcome is not known.
    PaymentPending,
    /// The charge was captured.
    PaymentSuccess,
    /// The charge was declined.
    PaymentFailed,
    /// Not placed, and nothing is blocked or owed. Final.
    Failed,
    /// Sold. Final.
    Placed,
}

/// What can happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The worker blocked all lines of the cart.
    Blocked,
    /// The worker could not block all lines of the cart.
    Refused,
    /// The waiter gave up before a decision, and wrote that down.
    GaveUp,
    /// A charge is about to be sent to the gateway.
    ChargeStarted,
    /// The gateway says: captured.
    Captured,
    /// The gateway says: declined.
    Declined,
    /// The gateway has fenced the order's key: no charge was captured and none ever will be.
    Fenced,
    /// Settled with inventory in order.
    Confirmed,
    /// Settled, but a correction had taken the stock: items back, payment refunded.
    Reversed,
    /// The blocked items were given back.
    Released,
}

/// An event that cannot happen to an order in that status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order in {status} cannot see {event:?}")]
pub struct IllegalEvent {
    /// Where the order stood.
    pub status: Status,
    /// What was said to have happened.
    pub event: Event,
}

impl Status {
    /// Every status, in the order of their ranks.
    pub const ALL: [Self; 7] = [
        Self::Init,
        Self::Block,
        Self::PaymentPending,
        Self::PaymentFailed,
        Self::PaymentSuccess,
        Self::Failed,
        Self::Placed,
    ];

    /// The status after an event. PLACED and FAILED are final: no event leads out of them.
    ///
    /// # Errors
    /// [`IllegalEvent`] when the event cannot happen to an order in this status.
    pub const fn after(self, event: Event) -> Result<Self, IllegalEvent> {
        Ok(match (self, event) {
            (Self::Init, Event::Blocked) => Self::Block,
            (Self::Block, Event::ChargeStarted) => Self::PaymentPending,
            // A charge can be captured before anyone wrote PAYMENT_PENDING down: its payer crashed.
            (Self::Block | Self::PaymentPending, Event::Captured) => Self::PaymentSuccess,
            (Self::Block | Self::PaymentPending, Event::Declined | Event::Fenced) => {
                Self::PaymentFailed
            }
            (Self::PaymentSuccess, Event::Confirmed) => Self::Placed,
            (Self::Init, Event::Refused | Event::GaveUp)
            | (Self::PaymentSuccess, Event::Reversed)
            | (Self::PaymentFailed, Event::Released) => Self::Failed,
            _ => {
                return Err(IllegalEvent {
                    status: self,
                    event,
                });
            }
        })
    }

    /// How far along this is. A status of higher rank may overwrite one of lower rank, never the reverse (rule 8):
    /// missing, INIT, BLOCK, `PAYMENT_PENDING`, `PAYMENT_*`, final.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Init => 1,
            Self::Block => 2,
            Self::PaymentPending => 3,
            Self::PaymentSuccess | Self::PaymentFailed => 4,
            Self::Failed | Self::Placed => 5,
        }
    }

    /// PLACED or FAILED.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Failed | Self::Placed)
    }

    /// The status as it stands in JSON and HTTP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Block => "BLOCK",
            Self::PaymentPending => "PAYMENT_PENDING",
            Self::PaymentSuccess => "PAYMENT_SUCCESS",
            Self::PaymentFailed => "PAYMENT_FAILED",
            Self::Failed => "FAILED",
            Self::Placed => "PLACED",
        }
    }

    /// A stable number for compact storage, 1 to 7.
    pub const fn code(self) -> u8 {
        match self {
            Self::Init => 1,
            Self::Block => 2,
            Self::PaymentPending => 3,
            Self::PaymentSuccess => 4,
            Self::PaymentFailed => 5,
            Self::Failed => 6,
            Self::Placed => 7,
        }
    }

    /// The status that [`Status::code`] stored.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a status: expected INIT, BLOCK, PAYMENT_PENDING, PAYMENT_SUCCESS, PAYMENT_FAILED, FAILED or PLACED"
)]
pub struct UnknownStatus(String);

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| UnknownStatus(text.chars().take(32).collect()))
    }
}

/// A set of statuses, "missing" included: what a compare-and-set accepts as the present one.
///
/// Bit 0 stands for "missing", bit n for the status with code n.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusSet(u8);

impl StatusSet {
    /// Only "missing".
    pub const MISSING: Self = Self(1);

    /// Exactly this status.
    pub const fn only(status: Status) -> Self {
        Self(1 << status.code())
    }

    /// Both sets together.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// "Missing" and every status of lower rank than `status` (rule 8).
    pub fn below(status: Status) -> Self {
        Status::ALL
            .into_iter()
            .filter(|lower| lower.rank() < status.rank())
            .fold(Self::MISSING, |set, lower| set.or(Self::only(lower)))
    }

    /// What an outcome of the database may overwrite: for a final status everything else, since the database holds
    /// the truth (a final status that contradicts it comes from a database that lost its last commits); otherwise
    /// what is [`StatusSet::below`] it.
    pub fn yields_to(status: Status) -> Self {
        if status.is_final() {
            Self(0xff ^ Self::only(status).0)
        } else {
            Self::below(status)
        }
    }

    /// Whether the present status (`None` = missing) is in the set.
    pub const fn contains(self, present: Option<Status>) -> bool {
        let bit = match present {
            None => 1,
            Some(status) => 1 << status.code(),
        };
        self.0 & bit != 0
    }

    /// The bits, for adapters that compare on the server.
    pub const fn bits(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENTS: [Event; 10] = [
        Event::Blocked,
        Event::Refused,
        Event::GaveUp,
        Event::ChargeStarted,
        Event::Captured,
        Event::Declined,
        Event::Fenced,
        Event::Confirmed,
        Event::Reversed,
        Event::Released,
    ];

    proptest! {
        #[test]
        fn no_sequence_of_events_leaves_a_final_status_or_loses_rank(picks in prop::collection::vec(0usize..10, 0..40)) {
            let mut status = Status::Init;
            let mut captured = false;
            let mut released = false;
            for pick in picks {
                let event = EVENTS[pick];
                let Ok(next) = status.after(event) else { continue };
                prop_assert!(!status.is_final(), "{status} is final and became {next}");
                prop_assert!(next.rank() > status.rank(), "{status} became {next}");
                prop_assert!(StatusSet::below(next).contains(Some(status)));
                captured |= event == Event::Captured;
                released |= event == Event::Released;
                status = next;
            }
            prop_assert!(!(captured && released), "a captured payment's items were released without a reversal");
            if status == Status::Placed {
                prop_assert!(captured, "placed without a captured payment");
            }
        }
    }

    #[test]
    fn every_status_can_still_end() {
        for status in Status::ALL {
            let mut reached = vec![status];
            let mut index = 0;
            while let Some(&present) = reached.get(index) {
                for event in EVENTS {
                    if let Ok(next) = present.after(event)
                        && !reached.contains(&next)
                    {
                        reached.push(next);
                    }
                }
                index += 1;
            }
            assert!(
                reached.iter().any(|status| status.is_final()),
                "{status} is a dead end"
            );
        }
    }

    #[test]
    fn codes_and_texts_read_back() {
        for status in Status::ALL {
            assert_eq!(Status::from_code(status.code()), Some(status));
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!(Status::from_code(0), None);
        assert!("init".parse::<Status>().is_err());
    }

    #[test]
    fn a_set_contains_exactly_what_was_put_in() {
        let below_pending = StatusSet::below(Status::PaymentPending);
        assert!(below_pending.contains(None));
        assert!(below_pending.contains(Some(Status::Block)));
        assert!(!below_pending.contains(Some(Status::PaymentPending)));
        assert!(!StatusSet::below(Status::Placed).contains(Some(Status::Failed)));
        assert!(StatusSet::yields_to(Status::Placed).contains(Some(Status::Failed)));
        assert!(!StatusSet::yields_to(Status::Placed).contains(Some(Status::Placed)));
        assert!(!StatusSet::yields_to(Status::Block).contains(Some(Status::Failed)));
    }
}
