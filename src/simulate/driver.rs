//! How simulated buyers reach the order service: in this process, or over HTTP (see [`super::target`]).

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::domain::{Cart, OrderId, Reason, Sku};
use crate::flow::{AddToCart, Added, Failure, Flow, Placement};
use crate::ports::Ports;
use crate::rng::Rng;

/// The first and the longest pause between two tries of one request.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A way to the order service. It retries what may have been lost, under the same order id.
pub trait Driver: Send + Sync + 'static {
    /// An id for a cart that may be sent more than once.
    fn new_order_id(&self, rng: &mut Rng) -> OrderId;

    /// Sends a cart, under this id if it is given. `rng` spreads retries.
    fn add_to_cart(
        &self,
        cart: &Cart,
        key: Option<OrderId>,
        rng: &mut Rng,
    ) -> impl Future<Output = Asked> + Send;

    /// Asks for an accepted order to be placed. May be repeated.
    fn place(&self, id: OrderId, rng: &mut Rng) -> impl Future<Output = Said> + Send;

    /// What went wrong on the way.
    fn trouble(&self) -> &Trouble;
}

/// The answer to a cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Accepted.
    Accepted(OrderId),
    /// Refused at once.
    Refused {
        /// Under which id.
        order_id: OrderId,
        /// Why.
        reason: Reason,
        /// The item at fault, if it was named.
        sku: Option<Sku>,
        /// When coming back may help.
        retry_after: Option<Duration>,
    },
    /// No answer in time: it may or may not have been accepted.
    InDoubt(OrderId),
}

/// The answer to `placeOrder`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Sold.
    Placed,
    /// Failed.
    Failed(Reason),
    /// Not decided or not paid yet: ask again.
    Waiting,
    /// Nobody knows such an order.
    Forgotten,
    /// No answer in time.
    Silent,
}

/// What went wrong on the way, and how long answers took at most.
#[derive(Debug, Default)]
pub struct Trouble {
    errors: AtomicU64,
    first: Mutex<Option<String>>,
    longest_us: AtomicU64,
}

impl Trouble {
    /// Counts an error and keeps the first one's text.
    pub fn note(&self, text: impl FnOnce() -> String) {
        if self.errors.fetch_add(1, Ordering::Relaxed) == 0 {
            let text = text();
            tracing::warn!(error = %text, "a simulated buyer got no answer and tries again");
            *self.first.lock() = Some(text);
        }
    }

    /// How many requests failed, and how the first one did.
    pub fn errors(&self) -> (u64, Option<String>) {
        (
            self.errors.load(Ordering::Relaxed),
            self.first.lock().clone(),
        )
    }

    /// Notes how long the answer to one cart took. The shared maximum is written only when it grows.
    pub fn answered(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if self.longest_us.load(Ordering::Relaxed) < us {
            self.longest_us.fetch_max(us, Ordering::Relaxed);
        }
    }

    /// The longest that the answer to one cart took.
    pub fn longest(&self) -> Duration {
        Duration::from_micros(self.longest_us.load(Ordering::Relaxed))
    }
}

/// The pauses between tries of one request: they double, with jitter, and end at a deadline.
#[derive(Debug)]
pub struct Retry {
    pause: Duration,
    deadline: Instant,
}

impl Retry {
    /// Tries until `limit` from now.
    pub fn within(limit: Duration) -> Self {
        Self {
            pause: PAUSE.0,
            deadline: Instant::now() + limit,
        }
    }

    /// Pauses, at least for `at_least` where the service asked for that; false, at once, when the time is over.
    pub async fn pause(&mut self, rng: &mut Rng, at_least: Option<Duration>) -> bool {
        let pause = rng.jitter(self.pause).max(at_least.unwrap_or_default());
        if Instant::now() + pause >= self.deadline {
            return false;
        }
        self.pause = (self.pause * 2).min(PAUSE.1);
        tokio::time::sleep(pause).await;
        true
    }
}

/// The flow in this process.
pub struct InProcess<P: Ports> {
    flow: Flow<P>,
    wait: Duration,
    trouble: Trouble,
}

impl<P: Ports> InProcess<P> {
    /// Drives this flow; a request is retried for at most `wait`.
    pub fn new(flow: Flow<P>, wait: Duration) -> Self {
        Self {
            flow,
            wait,
            trouble: Trouble::default(),
        }
    }

    /// Whether to try again after a failure, having noted it.
    async fn again(&self, failure: &Failure, retry: &mut Option<Retry>, rng: &mut Rng) -> bool {
        self.trouble.note(|| chain(failure));
        let helps = match failure {
            Failure::Overloaded { .. } => true,
            Failure::Port { source, .. } => source.is_transient(),
            _ => false,
        };
        helps
            && retry
                .get_or_insert_with(|| Retry::within(self.wait))
                .pause(rng, None)
                .await
    }
}

impl<P: Ports> Driver for InProcess<P> {
    fn new_order_id(&self, _: &mut Rng) -> OrderId {
        self.flow.new_order_id()
    }

    async fn add_to_cart(&self, cart: &Cart, key: Option<OrderId>, rng: &mut Rng) -> Asked {
        // Mostly the flow makes the id; a retry repeats it.
        let mut order_id = key;
        let mut retry = None;
        loop {
            let sent = Instant::now();
            let added = self
                .flow
                .add_to_cart(AddToCart {
                    order_id,
                    cart: cart.clone(),
                })
                .await;
            self.trouble.answered(sent.elapsed());
            let failure = match added {
                Ok(Added::Accepted { order_id, .. } | Added::Known { order_id, .. }) => {
                    return Asked::Accepted(order_id);
                }
                Ok(Added::Refused(refusal)) => {
                    return Asked::Refused {
                        order_id: refusal.order_id,
                        reason: refusal.reason,
                        sku: Some(refusal.sku),
                        retry_after: refusal.retry_after,
                    };
                }
                Err(failure) => failure,
            };
            let id = order_of(&failure);
            order_id = Some(id);
            if !self.again(&failure, &mut retry, rng).await {
                return Asked::InDoubt(id);
            }
        }
    }

    async fn place(&self, id: OrderId, rng: &mut Rng) -> Said {
        let mut retry = None;
        loop {
            match self.flow.place_order(id, None).await {
                Ok(Placement::Placed) => return Said::Placed,
                Ok(Placement::Failed(reason)) => return Said::Failed(reason),
                Ok(Placement::Waiting(_)) => return Said::Waiting,
                Err(Failure::UnknownOrder { .. }) => return Said::Forgotten,
                Err(failure) => {
                    if !self.again(&failure, &mut retry, rng).await {
                        return Said::Silent;
                    }
                }
            }
        }
    }

    fn trouble(&self) -> &Trouble {
        &self.trouble
    }
}

fn order_of(failure: &Failure) -> OrderId {
    match failure {
        Failure::IdConflict { order_id }
        | Failure::CartMismatch { order_id }
        | Failure::CustomerMismatch { order_id }
        | Failure::UnknownOrder { order_id }
        | Failure::NotKnownYet { order_id, .. }
        | Failure::Overloaded { order_id, .. }
        | Failure::Damaged { order_id, .. }
        | Failure::Port { order_id, .. } => *order_id,
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
