//! The task that wakes those who wait, when another process has written what they wait for.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::Inner;
use super::changes::{Follower, Found};
use crate::domain::OrderId;
use crate::ports::{Clock, Error};
use crate::sqlite::ChangeWatch;

/// How long the task goes on when nobody waits, since somebody else may soon.
const LINGER: Duration = Duration::from_secs(1);

/// How often everything that somebody waits for is read, whatever the log of changes says: the safety net.
const READ_ALL_EVERY: Duration = Duration::from_secs(2);

/// The most orders that are read for the safety net; more would only slow down those who do the work.
const READ_ALL_MAX: usize = 100_000;

/// How many statuses are read before other tasks get their turn.
const CHUNK: usize = 256;

/// How long to wait after an error.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(200);

/// Starts the task unless it runs.
pub(super) fn ensure<C: Clock>(inner: &Arc<Inner<C>>) {
    if !inner.start_following() {
        return;
    }
    // The task must keep neither the store open nor, if its runtime ends, others from starting it again.
    let running = Running {
        inner: Arc::downgrade(inner),
        rests: false,
    };
    tokio::spawn(run(running));
}

async fn run<C: Clock>(mut running: Running<C>) {
    while !running.rests {
        match follow(&running.inner).await {
            Ok(()) => running.rests = true,
            Err(error) => {
                tracing::warn!(error = %error.chain(), "cannot follow the status store");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

/// Marks the task as ended when dropped, unless it has said so itself.
struct Running<C: Clock> {
    inner: Weak<Inner<C>>,
    rests: bool,
}

impl<C: Clock> Drop for Running<C> {
    fn drop(&mut self) {
        if !self.rests
            && let Some(inner) = self.inner.upgrade()
        {
            inner.stop_following();
        }
    }
}

/// Follows until nobody waits any more, or the store is gone.
async fn follow<C: Clock>(inner: &Weak<Inner<C>>) -> Result<(), Error> {
    let mut watch = match inner.upgrade() {
        Some(inner) => ChangeWatch::open(&inner.store)?,
        None => return Ok(()),
    };
    let mut follower = Follower::default();
    let mut waited_at = Instant::now();
    let mut read_all_at = Instant::now();
    loop {
        {
            let Some(inner) = inner.upgrade() else {
                return Ok(());
            };
            let now = Instant::now();
            if !inner.waiters.is_empty() {
                waited_at = now;
            } else if now >= waited_at + LINGER && inner.rest_from_following() {
                return Ok(());
            }
            if catch_up(&inner, &mut follower).await? || now >= read_all_at {
                inner.wake(&inner.waiters.waited_for(READ_ALL_MAX)).await?;
                read_all_at = now + READ_ALL_EVERY;
            }
        }
        tokio::select! {
            biased;
            changed = watch.changed() => changed?,
            () = tokio::time::sleep_until(read_all_at) => {}
        }
    }
}

/// Wakes those whose order is in the log of changes; returns whether the log has a gap.
async fn catch_up<C: Clock>(inner: &Inner<C>, follower: &mut Follower) -> Result<bool, Error> {
    loop {
        let found = inner.store.read("follow the status store", |connection| {
            follower.look(connection)
        })?;
        let (changed, more) = match found {
            Found::Gap => return Ok(true),
            Found::Changes { changed, more } => (changed, more),
        };
        let wanted: Vec<OrderId> = changed
            .into_iter()
            .filter(|(id, status)| inner.waiters.wants(*id, *status))
            .map(|(id, _)| id)
            .collect();
        inner.wake(&wanted).await?;
        if !more {
            return Ok(false);
        }
    }
}

impl<C: Clock> Inner<C> {
    /// Reads statuses and wakes those who wait for them.
    async fn wake(&self, ids: &[OrderId]) -> Result<(), Error> {
        for chunk in ids.chunks(CHUNK) {
            let entries = self.read_all(chunk)?;
            for (id, entry) in chunk.iter().zip(entries) {
                if let Some(entry) = entry {
                    self.waiters.notify(*id, entry);
                }
            }
            if ids.len() > CHUNK {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}
