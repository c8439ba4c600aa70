//! Buyers over HTTP.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::super::driver::{Asked, Driver, Retry, Said, Trouble};
use crate::clock::SystemClock;
use crate::domain::{Cart, Customer, Line, OrderId, Reason, Sku, Status};
use crate::http_client::{Answer, Ask, Client, Error};
use crate::ports::Clock;
use crate::rng::Rng;

/// How long the service may hold one `placeOrder` before it answers with the present status.
const SLICE: Duration = Duration::from_secs(10);

/// How long one answer may take, on top of what it was asked to wait.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A service reached over HTTP. Ids are chosen here, so that a request can be repeated whatever became of it.
#[derive(Debug)]
pub struct OverHttp {
    client: Arc<Client>,
    wait: Duration,
    /// Keeps the ids of two runs of one seed apart.
    salt: u64,
    trouble: Trouble,
}

impl OverHttp {
    /// Drives the service behind a client; a request is retried for at most `wait`.
    pub fn new(client: Arc<Client>, wait: Duration) -> Self {
        Self {
            client,
            wait,
            salt: Rng::from_system().bits(),
            trouble: Trouble::default(),
        }
    }

    /// Sends a request until it is answered by something else than a server error or an overload.
    async fn insist(
        &self,
        path: &str,
        body: impl Fn() -> Vec<u8> + Send + Sync,
        limit: Duration,
        rng: &mut Rng,
    ) -> Option<Answer> {
        let mut retry = None;
        loop {
            let sent = Instant::now();
            let answer = self.client.send(Ask::post(path, body()), limit).await;
            let took = sent.elapsed();
            let at_least = match answer {
                Ok(answer) if !may_pass(answer.status) => {
                    if limit == ANSWER_MAX {
                        self.trouble.answered(took);
                    }
                    return Some(answer);
                }
                Ok(answer) => {
                    self.trouble.note(|| {
                        format!("{path} answered {}: {}", answer.status, excerpt(&answer))
                    });
                    answer.retry_after
                }
                Err(error) => {
                    self.trouble.note(|| with_cause(&error));
                    None
                }
            };
            let retry = retry.get_or_insert_with(|| Retry::within(self.wait));
            if !retry.pause(rng, at_least).await {
                return None;
            }
        }
    }

    fn misunderstood(&self, answer: &Answer) {
        let why = excerpt(answer);
        let status = answer.status;
        self.trouble
            .note(|| format!("cannot understand the answer {status}: {why}"));
    }
}

impl Driver for OverHttp {
    fn new_order_id(&self, rng: &mut Rng) -> OrderId {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&(rng.bits() ^ self.salt).to_be_bytes());
        random[8..].copy_from_slice(&rng.bytes::<2>());
        OrderId::v7(
            u64::try_from(SystemClock.now().millis()).unwrap_or(0),
            &random,
        )
    }

    async fn add_to_cart(&self, cart: &Cart, key: Option<OrderId>, rng: &mut Rng) -> Asked {
        let order_id = key.unwrap_or_else(|| self.new_order_id(rng));
        let request = CartRequest {
            order_id,
            customer: cart.customer(),
            lines: cart.lines(),
        };
        let body = || serde_json::to_vec(&request).expect("plain data becomes JSON");
        let Some(answer) = self.insist("/v1/carts", body, ANSWER_MAX, rng).await else {
            return Asked::InDoubt(order_id);
        };
        match answer.status {
            // 200: it is known, since a request before this one arrived although its answer did not.
            StatusCode::ACCEPTED | StatusCode::CREATED | StatusCode::OK => {
                Asked::Accepted(order_id)
            }
            StatusCode::CONFLICT => match serde_json::from_slice::<RefusalBody>(&answer.body) {
                Ok(refusal) => Asked::Refused {
                    order_id,
                    reason: refusal.reason,
                    sku: refusal.sku,
                    retry_after: refusal
                        .retry_after_ms
                        .map(Duration::from_millis)
                        .or(answer.retry_after),
                },
                Err(_) => {
                    self.misunderstood(&answer);
                    Asked::InDoubt(order_id)
                }
            },
            _ => match serde_json::from_slice::<RefusalBody>(&answer.body) {
                // Such as an unknown SKU: a client error with a reason is a refusal.
                Ok(refusal) if answer.status.is_client_error() => Asked::Refused {
                    order_id,
                    reason: refusal.reason,
                    sku: refusal.sku,
                    retry_after: None,
                },
                _ => {
                    self.misunderstood(&answer);
                    Asked::InDoubt(order_id)
                }
            },
        }
    }

    async fn place(&self, id: OrderId, rng: &mut Rng) -> Said {
        let path = format!("/v1/orders/{id}/place?wait={}s", SLICE.as_secs());
        let Some(answer) = self
            .insist(&path, || b"{}".to_vec(), ANSWER_MAX + SLICE, rng)
            .await
        else {
            return Said::Silent;
        };
        match answer.status {
            StatusCode::OK => match serde_json::from_slice::<PlacedBody>(&answer.body) {
                Ok(PlacedBody {
                    status: Status::Placed,
                    ..
                }) => Said::Placed,
                Ok(PlacedBody {
                    status: Status::Failed,
                    reason: Some(reason),
                }) => Said::Failed(reason),
                Ok(_) => Said::Waiting,
                Err(_) => {
                    self.misunderstood(&answer);
                    Said::Silent
                }
            },
            StatusCode::ACCEPTED => Said::Waiting,
            StatusCode::NOT_FOUND => Said::Forgotten,
            _ => {
                self.misunderstood(&answer);
                Said::Silent
            }
        }
    }

    fn trouble(&self) -> &Trouble {
        &self.trouble
    }
}

/// Whether the same request can be answered differently later.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        )
}

fn excerpt(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body)
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect()
}

fn with_cause(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[derive(Serialize)]
struct CartRequest<'a> {
    order_id: OrderId,
    customer: &'a Customer,
    lines: &'a [Line],
}

#[derive(Deserialize)]
struct RefusalBody {
    reason: Reason,
    sku: Option<Sku>,
    retry_after_ms: Option<u64>,
}

#[derive(Deserialize)]
struct PlacedBody {
    status: Status,
    reason: Option<Reason>,
}
