//! The bodies of the gateway's protocol.

use serde::{Deserialize, Serialize};

use crate::domain::{Customer, Money, OrderId};
use crate::payments::Verdict;

/// The longest text of a gateway that is kept, in characters.
const TEXT_CHARS_MAX: usize = 200;

/// A charge to make.
#[derive(Serialize)]
pub(super) struct ChargeRequest<'a> {
    pub(super) order_id: OrderId,
    pub(super) customer: &'a Customer,
    /// In minor units.
    pub(super) amount: Money,
    pub(super) currency: &'a str,
}

/// A refund to execute.
#[derive(Serialize)]
pub(super) struct RefundRequest {
    pub(super) order_id: OrderId,
    /// In minor units.
    pub(super) amount: Money,
}

/// A charge as the gateway tells it.
#[derive(Deserialize)]
pub(super) struct ChargeBody {
    pub(super) status: State,
    pub(super) amount: Option<Money>,
    /// What was returned of it, if the gateway tells.
    pub(super) refunded: Option<Money>,
    reason: Option<String>,
    pub(super) order_id: Option<OrderId>,
}

/// Where a charge stands.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Succeeded,
    Declined,
    Pending,
}

/// What may stand in an answer whose status says all.
#[derive(Deserialize)]
pub(super) struct Remark {
    pub(super) status: Option<String>,
    pub(super) order_id: Option<OrderId>,
}

/// What may stand in an answer that refuses.
#[derive(Deserialize)]
struct Refusal {
    reason: Option<String>,
    detail: Option<String>,
}

impl ChargeBody {
    /// What it says, of an amount.
    pub(super) fn verdict(self, amount: Money) -> Verdict {
        match self.status {
            State::Succeeded => Verdict::Captured { amount },
            State::Pending => Verdict::Pending,
            State::Declined => Verdict::Declined {
                reason: self
                    .reason
                    .map_or_else(|| "declined".to_owned(), |reason| short(&reason)),
            },
        }
    }
}

impl State {
    /// The state that a remark names; a cancelled charge is a declined one.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        match text {
            "succeeded" => Some(Self::Succeeded),
            "declined" | "cancelled" | "canceled" => Some(Self::Declined),
            "pending" => Some(Self::Pending),
            _ => None,
        }
    }
}

/// A body to send.
pub(super) fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("strings and numbers always serialise")
}

/// What a refusal says, to go behind its status. Only what is meant for reading: other parts may echo the request.
pub(super) fn detail(body: &[u8]) -> String {
    let refusal = serde_json::from_slice::<Refusal>(body).ok();
    let said = refusal.and_then(|refusal| refusal.reason.or(refusal.detail));
    said.map_or_else(String::new, |text| format!(": {}", short(&text)))
}

fn short(text: &str) -> String {
    let readable = text.chars().filter(|c| !c.is_control());
    readable.take(TEXT_CHARS_MAX).collect()
}
