//! A member of the consumer group.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::super::{Consumer, Delivery, Position};
use super::lease::{self, Held, Taken};
use super::{Inner, PARTITION, log};
use crate::ports::{Clock, Error};
use crate::sqlite::ChangeWatch;

/// How often consumed messages are trimmed, unless there are more to trim.
const TRIM_EVERY: Duration = Duration::from_secs(60);

/// The longest wait that is kept to the letter; longer ones end here.
const WAIT_MAX: Duration = Duration::from_secs(86_400);

/// A member of the embedded queue's consumer group.
///
/// It delivers from where it has read, which may be ahead of what is committed. When it gains the lease, or gains it
/// again, it begins at the committed offset. A commit of a member that has lost the lease is ignored, as at-least-once
/// allows: its messages are delivered again, to the member that has it now.
#[derive(Debug)]
pub struct SqliteConsumer<C> {
    inner: Arc<Inner<C>>,
    watch: ChangeWatch,
    member: Uuid,
    held: Option<Held>,
    /// The offset that it reads next.
    position: u64,
    trim_due: Instant,
}

impl<C: Clock> SqliteConsumer<C> {
    pub(super) fn new(inner: Arc<Inner<C>>, watch: ChangeWatch, member: Uuid) -> Self {
        Self {
            inner,
            watch,
            member,
            held: None,
            position: 0,
            trim_due: Instant::now(),
        }
    }

    /// Takes or renews the lease where that is due. Returns whether this member has it, and when to ask again.
    async fn lead(&mut self) -> Result<(bool, Duration), Error> {
        let (member, held) = (self.member, self.held);
        let now = self.inner.clock.now();
        if let Some(rests) = held.and_then(|held| held.rests(now)) {
            return Ok((true, rests));
        }
        let store = &self.inner.store;
        if held.is_none()
            && let Some(left) = store.read("look for the lease", |connection| {
                lease::taken_for(connection, member, now)
            })?
        {
            return Ok((false, left));
        }
        let clock = Arc::clone(&self.inner.clock);
        let (taken, committed) = store
            .write("take the lease", move |connection| {
                let taken = lease::take(connection, member, held, clock.now())?;
                Ok((taken, log::committed(connection)?))
            })
            .await?;
        let held = match taken {
            Taken::Refused(left) => {
                self.held = None;
                return Ok((false, left));
            }
            Taken::Gained(held) => {
                self.position = committed;
                held
            }
            Taken::Renewed(held) => held,
        };
        self.held = Some(held);
        // Renew at once if the clock is stepping, but not in a tight loop.
        let rests = held.rests(self.inner.clock.now());
        Ok((true, rests.unwrap_or(Duration::from_millis(1))))
    }

    fn read(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        let from = self.position;
        let deliveries = self.inner.store.read("read the queue", |connection| {
            log::read(connection, from, max)
        })?;
        if let Some(last) = deliveries.last() {
            self.position = last.position.offset + 1;
        }
        Ok(deliveries)
    }
}

impl<C: Clock> Consumer for SqliteConsumer<C> {
    async fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, Error> {
        let deadline = Instant::now() + wait.min(WAIT_MAX);
        let inner = Arc::clone(&self.inner);
        loop {
            // Listen first, then read: what comes in between is not missed.
            let mut published = pin!(inner.published.notified());
            published.as_mut().enable();
            self.watch.look()?;
            let (leads, pause) = self.lead().await?;
            if leads && max > 0 {
                let deliveries = self.read(max)?;
                if !deliveries.is_empty() {
                    return Ok(deliveries);
                }
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(Vec::new());
            }
            tokio::select! {
                biased;
                () = published => {}
                changed = self.watch.changed() => changed?,
                () = tokio::time::sleep_until(deadline.min(now + pause)) => {}
            }
        }
    }

    async fn commit(&mut self, positions: Vec<Position>) -> Result<(), Error> {
        if let Some(foreign) = positions.iter().find(|p| p.partition != PARTITION) {
            let partition = foreign.partition;
            return Err(Error::permanent(format!("commit in partition {partition}")));
        }
        let Some(last) = positions.iter().map(|position| position.offset).max() else {
            return Ok(());
        };
        let Some(held) = self.held else {
            tracing::warn!(offset = last, "the lease is lost: the offset stays");
            return Ok(());
        };
        let member = self.member;
        let trims = Instant::now() >= self.trim_due;
        let clock = Arc::clone(&self.inner.clock);
        let done = self
            .inner
            .store
            .write("commit an offset", move |connection| {
                if last >= log::end(connection)? {
                    return Ok(Committed::BeyondTheEnd);
                }
                let Some(held) = lease::renew(connection, member, held, clock.now())? else {
                    return Ok(Committed::LeaseLost);
                };
                log::advance(connection, last + 1)?;
                let more_to_trim = trims && log::trim(connection, clock.now())?;
                Ok(Committed::Done { held, more_to_trim })
            })
            .await?;
        match done {
            Committed::Done { held, more_to_trim } => {
                self.held = Some(held);
                if trims && !more_to_trim {
                    self.trim_due = Instant::now() + TRIM_EVERY;
                }
            }
            Committed::LeaseLost => {
                tracing::warn!(offset = last, "the lease is lost: the offset stays");
                self.held = None;
            }
            Committed::BeyondTheEnd => {
                return Err(Error::permanent(format!(
                    "commit offset {last}, which is not in the queue"
                )));
            }
        }
        Ok(())
    }

    async fn still_owned(&mut self, positions: Vec<Position>) -> Result<Vec<Position>, Error> {
        let (member, held) = (self.member, self.held);
        let Some(held) = held else {
            return Ok(Vec::new());
        };
        let owned = self.inner.store.read("look for the lease", |connection| {
            lease::is_owner(connection, member, held)
        })?;
        if !owned {
            self.held = None;
            return Ok(Vec::new());
        }
        Ok(positions)
    }

    async fn close(self) {
        let member = self.member;
        let released = self
            .inner
            .store
            .write("release the lease", move |connection| {
                lease::release(connection, member)
            });
        if let Err(error) = released.await {
            tracing::warn!(error = %error.chain(), "the lease was not released: it runs out by itself");
        }
    }
}

/// What a commit came to.
enum Committed {
    Done { held: Held, more_to_trim: bool },
    LeaseLost,
    BeyondTheEnd,
}
