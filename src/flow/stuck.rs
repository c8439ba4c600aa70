//! A batch that this process's worker cannot decide, for as long as that lasts: what `/readyz` reports.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Flow;
use crate::ports::{Error, Ports};
use crate::queue::{Delivery, Position};

/// For how long the attempts at a batch may fail before that is reported: longer than a restart of a database takes.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// A batch whose attempts have failed for too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// Its first message.
    pub position: Position,
    /// For how long.
    pub lasts: Duration,
    /// Why the last attempt failed.
    pub cause: String,
}

/// The batch in hand, if the last attempt at it failed.
#[derive(Debug, Default)]
pub(super) struct StuckBatch(Mutex<Option<Failing>>);

#[derive(Debug)]
struct Failing {
    since: Instant,
    position: Position,
    cause: String,
}

impl<P: Ports> Flow<P> {
    /// An attempt at a batch failed. The time counts from the first failure since a batch was last decided.
    pub(crate) fn batch_failed(&self, batch: &[Delivery], error: &Error) {
        self.metrics().batches_failed.inc();
        let Some(first) = batch.first() else {
            return;
        };
        let mut failing = self.0.stuck.0.lock();
        let since = failing
            .as_ref()
            .map_or_else(Instant::now, |known| known.since);
        *failing = Some(Failing {
            since,
            position: first.position,
            cause: error.chain(),
        });
    }

    /// A batch was decided, or went to another worker.
    pub(crate) fn batch_ended(&self) {
        *self.0.stuck.0.lock() = None;
    }

    /// The batch that this process's worker has failed to decide for over 30 s, if there is one.
    pub fn stuck(&self) -> Option<Stuck> {
        let failing = self.0.stuck.0.lock();
        let failing = failing.as_ref()?;
        let lasts = failing.since.elapsed();
        (lasts > STUCK_AFTER).then(|| Stuck {
            position: failing.position,
            lasts,
            cause: failing.cause.clone(),
        })
    }
}
