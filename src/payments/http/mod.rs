//! A payment gateway over HTTP.
//!
//! | call | request | answer |
//! |---|---|---|
//! | charge | `POST {base}/v1/charges` `{"order_id","customer","amount","currency"}`, with `Idempotency-Key: <order id>` | 200 with a charge; 202: pending |
//! | look up | `GET {base}/v1/charges/{order_id}` | 200 with a charge; 202: pending; 404: none known |
//! | cancel | `POST {base}/v1/charges/{order_id}/cancel` | 200: fenced, also a key never seen; 409: it has succeeded |
//! | refund | `POST {base}/v1/refunds` `{"order_id","amount"}` | 200, once per order however often it is sent |
//!
//! A charge is `{"status":"succeeded"|"declined"|"pending","amount"?,"reason"?,"refunded"?}`: amounts are minor units, and
//! a charge that was looked up and has succeeded says its own, since a refund must return what was captured. `refunded`
//! is what was returned of it: with it an audit verifies refunds, and `oms recover` never places what was refunded.
//!
//! `Retry-After` of a refusal is passed on with the error. What else can be answered, or not: 429, 408, 5xx and no connection are [`ErrorKind::Unavailable`]; other statuses
//! are [`ErrorKind::Permanent`]; sent and not answered, or answered with something that is not understood, is
//! [`ErrorKind::OutcomeUnknown`], except for a look-up, which changes nothing and is just repeated. Nothing is
//! repeated here: the flow asks until it knows.

mod wire;

use std::time::Duration;

use hyper::StatusCode;
use tokio::time::timeout;

use uuid::Uuid;

use super::{
    Attempt, Cancelled, Charge, ChargeRecord, GatewayIdentity, Identity, LedgerEntry, LedgerQuery,
    Payments, Verdict,
};
use crate::domain::{GatewayId, Money, OrderId};
use crate::http_client::{Answer, Ask, Client, HttpUrl, Limits};
use crate::ports::{Error, ErrorKind};
use wire::{ChargeBody, ChargeRequest, RefundRequest, State};

/// How long one request may take unless the URL says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long the first answer may take.
const PROBE_TIME_MAX: Duration = Duration::from_secs(5);

/// The most requests under way unless the URL says otherwise; the others wait.
const CONNECTIONS: usize = 256;

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// The currency of charges unless the URL says otherwise.
const CURRENCY: &str = "USD";

/// A gateway that is spoken to over HTTP. It cannot be listed, and tells no attempts.
#[derive(Debug)]
pub struct HttpPayments {
    client: Client,
    url: HttpUrl,
    timeout: Duration,
    currency: String,
}

/// A request to the gateway.
struct Request {
    /// Verb and object, for errors.
    action: String,
    /// Whether money can move.
    acts: bool,
}

impl HttpPayments {
    /// The gateway at a URL, which was read with [`HttpUrl::parse_gateway`]. Connects to nothing yet.
    ///
    /// # Errors
    /// When a file that the URL names cannot be used.
    pub fn open(url: &HttpUrl) -> Result<Self, Error> {
        let limits = Limits {
            connections_max: url.connections().unwrap_or(CONNECTIONS),
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let client = Client::open(url, limits).map_err(|error| {
            Error::permanent(format!("open the payment gateway {url}")).because(error)
        })?;
        Ok(Self {
            client,
            url: url.clone(),
            timeout: url.timeout().unwrap_or(TIMEOUT),
            currency: url.currency().unwrap_or(CURRENCY).to_owned(),
        })
    }

    async fn send(&self, request: &Request, ask: Ask<'_>) -> Result<Answer, Error> {
        let answered = self.client.send(ask, self.timeout).await;
        answered.map_err(|error| {
            let kind = if request.acts && error.may_be_done() {
                ErrorKind::OutcomeUnknown
            } else {
                ErrorKind::Unavailable
            };
            Error::new(kind, &request.action).because(error)
        })
    }
}

impl Request {
    fn acting(action: String) -> Self {
        Self { action, acts: true }
    }

    fn reading(action: String) -> Self {
        Self {
            action,
            acts: false,
        }
    }

    /// An answer that is no answer to this request.
    fn refused(&self, answer: &Answer) -> Error {
        let status = answer.status;
        let passes = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        );
        let kind = if status.is_server_error() || passes {
            ErrorKind::Unavailable
        } else {
            ErrorKind::Permanent
        };
        let detail = wire::detail(&answer.body);
        Error::new(kind, &self.action)
            .after(answer.retry_after)
            .because(Odd::Status { status, detail })
    }

    /// An answer that is not understood: what it stands for may have happened.
    fn odd(&self, odd: Odd) -> Error {
        let kind = if self.acts {
            ErrorKind::OutcomeUnknown
        } else {
            ErrorKind::Unavailable
        };
        Error::new(kind, &self.action).because(odd)
    }

    /// The charge of an answer with status 200.
    fn charge(&self, id: OrderId, answer: &Answer) -> Result<ChargeBody, Error> {
        let charge: ChargeBody = serde_json::from_slice(&answer.body)
            .map_err(|error| self.odd(Odd::Body(error.into())))?;
        match charge.order_id {
            Some(other) if other != id => Err(self.odd(Odd::Other(other))),
            _ => Ok(charge),
        }
    }

    /// What an answer that needs no body says of the charge, if it says anything.
    fn remark(&self, id: OrderId, answer: &Answer) -> Result<Option<State>, Error> {
        if answer.body.is_empty() {
            return Ok(None);
        }
        let remark: wire::Remark = serde_json::from_slice(&answer.body)
            .map_err(|error| self.odd(Odd::Body(error.into())))?;
        match remark.order_id {
            Some(other) if other != id => Err(self.odd(Odd::Other(other))),
            _ => Ok(remark.status.as_deref().and_then(State::from_text)),
        }
    }
}

impl Payments for HttpPayments {
    async fn charge(&self, charge: Charge) -> Result<Verdict, Error> {
        let id = charge.order_id;
        let request = Request::acting(format!("charge order {id}"));
        let body = wire::json(&ChargeRequest {
            order_id: id,
            customer: &charge.customer,
            amount: charge.amount,
            currency: &self.currency,
        });
        let ask = Ask::post("/v1/charges", body).with_key(&id.to_string());
        let answer = self.send(&request, ask).await?;
        match answer.status {
            StatusCode::ACCEPTED => Ok(Verdict::Pending),
            status if status.is_success() => {
                let body = request.charge(id, &answer)?;
                // The key keeps the charge single, so this is its amount unless the gateway says another.
                let amount = body.amount.unwrap_or(charge.amount);
                Ok(body.verdict(amount))
            }
            _ => Err(request.refused(&answer)),
        }
    }

    async fn lookup(&self, id: OrderId) -> Result<Option<Verdict>, Error> {
        Ok(self.record(id).await?.and_then(|record| record.verdict))
    }

    async fn record(&self, id: OrderId) -> Result<Option<ChargeRecord>, Error> {
        let request = Request::reading(format!("look up the charge of order {id}"));
        let path = format!("/v1/charges/{id}");
        let answer = self.send(&request, Ask::get(&path)).await?;
        match answer.status {
            StatusCode::ACCEPTED => Ok(Some(ChargeRecord {
                verdict: Some(Verdict::Pending),
                refunded: None,
            })),
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let body = request.charge(id, &answer)?;
                let refunded = body.refunded;
                let verdict = match (body.status, body.amount) {
                    (State::Succeeded, None) => return Err(request.odd(Odd::NoAmount)),
                    (_, amount) => body.verdict(amount.unwrap_or_default()),
                };
                Ok(Some(ChargeRecord {
                    verdict: Some(verdict),
                    refunded,
                }))
            }
            _ => Err(request.refused(&answer)),
        }
    }

    async fn cancel(&self, id: OrderId) -> Result<Cancelled, Error> {
        let request = Request::acting(format!("cancel the charge of order {id}"));
        let path = format!("/v1/charges/{id}/cancel");
        let ask = Ask::post(&path, b"{}".to_vec());
        let answer = self.send(&request, ask).await?;
        match answer.status {
            StatusCode::CONFLICT => {}
            // It does not say yet: nothing may be released.
            StatusCode::ACCEPTED => return Err(request.odd(Odd::NotYet)),
            status if status.is_success() => match request.remark(id, &answer)? {
                None | Some(State::Declined) => return Ok(Cancelled::Fenced),
                Some(State::Pending) => return Err(request.odd(Odd::NotYet)),
                // It contradicts its status, and says that there is money.
                Some(State::Succeeded) => {}
            },
            _ => return Err(request.refused(&answer)),
        }
        match self.lookup(id).await? {
            Some(Verdict::Captured { amount }) => Ok(Cancelled::Captured { amount }),
            _ => Err(request.odd(Odd::NotCaptured)),
        }
    }

    async fn refund(&self, id: OrderId, amount: Money) -> Result<(), Error> {
        let request = Request::acting(format!("refund {amount} of order {id}"));
        let body = wire::json(&RefundRequest {
            order_id: id,
            amount,
        });
        let answer = self.send(&request, Ask::post("/v1/refunds", body)).await?;
        match answer.status {
            StatusCode::ACCEPTED => Err(request.odd(Odd::NotYet)),
            status if status.is_success() => request.remark(id, &answer).map(|_| ()),
            _ => Err(request.refused(&answer)),
        }
    }

    async fn attempts(&self, _id: OrderId) -> Result<Vec<Attempt>, Error> {
        Ok(Vec::new())
    }

    async fn ledger(&self, _query: LedgerQuery) -> Result<Option<Vec<LedgerEntry>>, Error> {
        Ok(None)
    }
}

impl GatewayIdentity for HttpPayments {
    async fn identity(&self) -> Result<Identity, Error> {
        let id = GatewayId::new(&self.url.place()).map_err(|error| {
            Error::permanent(format!("name the payment gateway {}", self.url)).because(error)
        })?;
        Ok(Identity {
            id,
            location: self.url.place(),
        })
    }

    /// Looks up a random key: whatever the gateway says of it, it answers.
    async fn probe(&self) -> Result<(), Error> {
        let action = || format!("reach the payment gateway {}", self.url);
        let lookup = self.lookup(OrderId::new(Uuid::new_v4()));
        match timeout(PROBE_TIME_MAX, lookup).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Error::new(error.kind(), action()).because(error)),
            Err(_) => Err(Error::unavailable(action()).because(Odd::Silent)),
        }
    }

    async fn store(&self) -> Result<Option<Uuid>, Error> {
        Ok(None)
    }

    async fn bind_store(&self, store: Uuid) -> Result<Uuid, Error> {
        Ok(store)
    }
}

/// What is odd about an answer.
#[derive(Debug, thiserror::Error)]
enum Odd {
    #[error("the gateway answered {status}{detail}")]
    Status { status: StatusCode, detail: String },
    #[error("the gateway's answer is not understood")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no answer within {} s", PROBE_TIME_MAX.as_secs())]
    Silent,
    #[error("the gateway answered for order {0}")]
    Other(OrderId),
    #[error("the gateway says that it has succeeded and not with which amount")]
    NoAmount,
    #[error("the gateway has not done it yet")]
    NotYet,
    #[error("the gateway says that it has succeeded, and knows of no captured charge")]
    NotCaptured,
}
