//! What all ports share: the error, the clock, and the bundle that `flow` is generic over.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;
use crate::inventory::Inventory;
use crate::payments::Payments;
use crate::queue::Queue;
use crate::statuses::Statuses;

/// One choice of backend for each port.
pub trait Ports: Send + Sync + 'static {
    /// Holds the truth.
    type Inventory: Inventory;
    /// Holds accepted carts that are not decided yet.
    type Queue: Queue;
    /// A projection, there for speed.
    type Statuses: Statuses;
    /// Knows what was paid.
    type Payments: Payments;
    /// Knows what time it is.
    type Clock: Clock;

    /// The inventory service.
    fn inventory(&self) -> &Self::Inventory;
    /// The log.
    fn queue(&self) -> &Self::Queue;
    /// The status store.
    fn statuses(&self) -> &Self::Statuses;
    /// The payment gateway.
    fn payments(&self) -> &Self::Payments;
    /// The wall clock.
    fn clock(&self) -> &Self::Clock;
}

/// A choice of backends, put together.
#[derive(Debug, Clone, Default)]
pub struct Backends<I, Q, S, Y, C> {
    /// Holds the truth.
    pub inventory: I,
    /// Holds accepted carts that are not decided yet.
    pub queue: Q,
    /// A projection, there for speed.
    pub statuses: S,
    /// Knows what was paid.
    pub payments: Y,
    /// Knows what time it is.
    pub clock: C,
}

impl<I, Q, S, Y, C> Ports for Backends<I, Q, S, Y, C>
where
    I: Inventory,
    Q: Queue,
    S: Statuses,
    Y: Payments,
    C: Clock,
{
    type Inventory = I;
    type Queue = Q;
    type Statuses = S;
    type Payments = Y;
    type Clock = C;

    fn inventory(&self) -> &I {
        &self.inventory
    }

    fn queue(&self) -> &Q {
        &self.queue
    }

    fn statuses(&self) -> &S {
        &self.statuses
    }

    fn payments(&self) -> &Y {
        &self.payments
    }

    fn clock(&self) -> &C {
        &self.clock
    }
}

/// The wall clock. Waits are monotonic and go through `tokio::time`, which tests can pause; only persisted times
/// come from here.
pub trait Clock: Send + Sync + 'static {
    /// Now, in Unix milliseconds.
    fn now(&self) -> Timestamp;
}

impl<C: Clock> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        C::now(self)
    }
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Not done, and later may be better: away, busy, full, read-only.
    Unavailable,
    /// Asked, but not answered: it may have been done. Find out by reading, or repeat (everything is idempotent).
    OutcomeUnknown,
    /// Will never work as asked.
    Permanent,
}

/// A port could not do what it was asked.
///
/// Expected outcomes ("out of stock", "declined") are values, not errors.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    action: String,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of a kind, while doing `action` (verb and object, such as `reserve 12 carts`).
    pub fn new(kind: ErrorKind, action: impl Into<String>) -> Self {
        Self {
            kind,
            action: action.into(),
            retry_after: None,
            source: None,
        }
    }

    /// [`ErrorKind::Unavailable`].
    pub fn unavailable(action: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, action)
    }

    /// [`ErrorKind::OutcomeUnknown`].
    pub fn outcome_unknown(action: impl Into<String>) -> Self {
        Self::new(ErrorKind::OutcomeUnknown, action)
    }

    /// [`ErrorKind::Permanent`].
    pub fn permanent(action: impl Into<String>) -> Self {
        Self::new(ErrorKind::Permanent, action)
    }

    /// With the cause.
    #[must_use]
    pub fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// With the time after which whoever refused wants to be asked again.
    #[must_use]
    pub fn after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// After which time whoever refused wants to be asked again, if it says so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The error with its causes, on one line: what a log line must show, since `%error` alone hides them.
    pub fn chain(&self) -> String {
        chain(self)
    }

    /// Whether trying again can help.
    pub fn is_transient(&self) -> bool {
        !matches!(self.kind, ErrorKind::Permanent)
    }
}

/// What a call answers within `limit`; after that an error of a kind, which says whether it can have been done.
pub(crate) async fn within<T>(
    limit: Duration,
    kind: ErrorKind,
    action: &str,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(Error::new(kind, action).because(elapsed)),
    }
}

/// An error with its causes, on one line.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::Unavailable => write!(f, "cannot {} now", self.action),
            ErrorKind::OutcomeUnknown => {
                write!(f, "cannot tell whether this was done: {}", self.action)
            }
            ErrorKind::Permanent => write!(f, "cannot {}", self.action),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
