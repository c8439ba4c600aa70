//! The worker: poll, reserve, write statuses, commit offsets; sweep what is overdue; drain on shutdown.

use tokio::sync::watch;

use crate::flow::Flow;
use crate::inventory::DeadLetterIndex;
use crate::ports::{Error, Ports};

/// How a worker runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The most carts decided in one transaction.
    pub batch_max: usize,
    /// Whether to end once the queue is empty.
    pub drain: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch_max: 4_000,
            drain: false,
        }
    }
}

/// What a worker has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// Batches decided.
    pub batches: u64,
    /// Carts decided, redeliveries included.
    pub carts: u64,
    /// Messages set aside.
    pub dead_letters: u64,
    /// Overdue orders settled.
    pub expired: u64,
    /// Refunds executed.
    pub refunds: u64,
}

/// Runs a worker until `stop` becomes true (or its sender is gone), or until drained: it finishes the batch in hand,
/// commits it, and leaves the group.
///
/// # Errors
/// Only when it cannot start: afterwards it retries, with backoff.
pub async fn run<P>(
    flow: Flow<P>,
    options: Options,
    stop: watch::Receiver<bool>,
) -> Result<Totals, Error>
where
    P: Ports<Inventory: DeadLetterIndex>,
{
    let _ = (flow, options, stop);
    todo!()
}
