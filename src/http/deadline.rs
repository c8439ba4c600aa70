//! How long an answer may take, whatever the stores behind it do.

use std::time::Duration;

use tokio::time::timeout;

use crate::domain::OrderId;
use crate::flow::Failure;
use crate::ports::{self, Error, ErrorKind};

/// An answer that only reads, to a request without a `wait`. An id that no store knows is looked for up to 2 s of it.
pub(super) const READ_TIME_MAX: Duration = Duration::from_secs(5);

/// How much longer than its `wait` an answer may take: the present status has to be read.
pub(super) const WAIT_GRACE: Duration = Duration::from_secs(3);

/// An answer to a request that changes something. What is abandoned then may nevertheless have been done.
pub(super) const CHANGE_TIME_MAX: Duration = Duration::from_secs(15);

/// A read from a store, within [`READ_TIME_MAX`].
pub(super) async fn read<T>(
    action: &str,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    ports::within(READ_TIME_MAX, ErrorKind::Unavailable, action, answer).await
}

/// A change in a store, within [`CHANGE_TIME_MAX`].
pub(super) async fn change<T>(
    action: &str,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    ports::within(CHANGE_TIME_MAX, ErrorKind::OutcomeUnknown, action, answer).await
}

/// What the flow answers about an order, within a time.
pub(super) async fn within<T>(
    limit: Duration,
    order_id: OrderId,
    answer: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match timeout(limit, answer).await {
        Ok(answer) => answer,
        Err(elapsed) => {
            let source = Error::outcome_unknown("answer about an order").because(elapsed);
            Err(Failure::Port { order_id, source })
        }
    }
}
