//! A write with its reply.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::is_disk_full;
use super::port_error;
use crate::ports::Error;
use crate::supervise::Panicked;

/// A write, whatever it returns.
pub(super) trait Job: Send {
    /// Whether nobody waits for it any more.
    fn is_abandoned(&self) -> bool;
    /// Claims the job for the writer; `false` if its caller has given it up. From then on its caller waits.
    fn claim(&self) -> bool;
    /// Does the work; `false` if its changes must be undone.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Whether it failed since the disk is full.
    fn met_full_disk(&self) -> bool;
    /// Replies, once it is known whether the transaction was committed.
    fn finish(self: Box<Self>, committed: &Result<(), Error>);
}

/// Who has a job: decided once, so that a job given up is never run, and one that runs is never said to be given up.
#[derive(Debug, Default)]
pub(super) struct Claim(AtomicU8);

const WAITING: u8 = 0;
const CLAIMED: u8 = 1;
const ABANDONED: u8 = 2;

impl Claim {
    fn settle(&self, to: u8) -> bool {
        self.0
            .compare_exchange(WAITING, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Gives the job up; `false` if the writer has claimed it.
    pub(super) fn abandon(&self) -> bool {
        self.settle(ABANDONED) || self.0.load(Ordering::Acquire) == ABANDONED
    }
}

/// A write of `F`, which returns `T`.
pub(super) struct Typed<T, F> {
    action: String,
    work: Option<F>,
    result: Option<Result<T, Error>>,
    claim: Arc<Claim>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Typed<T, F> {
    pub(super) fn new(
        action: String,
        work: F,
        claim: Arc<Claim>,
        reply: oneshot::Sender<Result<T, Error>>,
    ) -> Self {
        Self {
            action,
            work: Some(work),
            result: None,
            claim,
            reply,
        }
    }
}

impl<T, F> Job for Typed<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn claim(&self) -> bool {
        self.claim.settle(CLAIMED)
    }

    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else {
            return false;
        };
        // The writer outlives a job with a bug; what the job has changed is undone.
        let result = match catch_unwind(AssertUnwindSafe(|| work(connection))) {
            Ok(result) => result.map_err(|source| port_error(self.action.as_str(), source)),
            Err(panic) => {
                Err(Error::permanent(self.action.as_str()).because(Panicked::new(&*panic)))
            }
        };
        let done = result.is_ok();
        self.result = Some(result);
        done
    }

    fn met_full_disk(&self) -> bool {
        let own = self
            .result
            .as_ref()
            .and_then(|result| result.as_ref().err());
        own.is_some_and(is_disk_full)
    }

    fn finish(self: Box<Self>, committed: &Result<(), Error>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            // A permanent error is not believed: it may be due to what another job had done before both were undone.
            (Err(_), Some(Err(own))) if own.is_transient() => Err(own),
            (Err(error), _) => Err(Error::new(error.kind(), self.action).because(error.clone())),
            (Ok(()), None) => Err(Error::unavailable(self.action)),
        };
        // A caller that has gone does not need to know.
        let _ = self.reply.send(result);
    }
}
