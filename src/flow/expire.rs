//! What is overdue: holds that have run out, refunds that are owed.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::place_order::stored;
use super::{Failure, Flow, Placement};
use crate::domain::{Order, Reason};
use crate::inventory::Inventory;
use crate::ports::{Error, Ports, chain};
use crate::supervise::caught;

/// The most overdue orders, and the most refunds, of one round.
pub(super) const SWEEP_MAX: usize = 1_000;

/// How many the gateway is asked about at a time.
pub(super) const ASKED_AT_ONCE: usize = 64;

/// How long a gateway may take to say nothing to that many questions, and still be asked more of them at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// What one round has swept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Orders whose hold had run out and that are settled now.
    pub settled: usize,
    /// Orders whose hold had run out and whose verdict the gateway owes.
    pub awaiting_gateway: usize,
    /// Refunds executed.
    pub refunded: usize,
    /// Whether more was overdue than fits one round.
    pub more: bool,
}

/// Where the last round ended, if it did not reach the end. The next one begins behind it, and from the front again
/// after one that did: what waits for its gateway, or fails, stays overdue, and however much of it there is, whatever
/// comes after has a turn.
#[derive(Debug)]
pub(super) struct RoundEnd<C>(Mutex<Option<C>>);

impl<C> Default for RoundEnd<C> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<C: Copy> RoundEnd<C> {
    /// Behind which the next round begins.
    pub(super) fn get(&self) -> Option<C> {
        *self.0.lock()
    }

    /// Notes what a round has looked at, and whether there may be more behind it.
    pub(super) fn passes<'a, T>(&self, round: &'a [T], more: bool)
    where
        C: From<&'a T>,
    {
        *self.0.lock() = round.last().filter(|_| more).map(C::from);
    }
}

impl<P: Ports> Flow<P> {
    /// One round over what is overdue; what does not fit is looked at in the rounds after it. The gateway is asked before
    /// anything is released (rule 1), and refunds are executed as they were recorded (rule 11). Any number of processes
    /// may sweep at once.
    ///
    /// # Errors
    /// When the database did not answer; what was settled until then is settled.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        self.sweep_while(|| true).await
    }

    /// The same, but begins with another order only as long as `going_on` says so.
    ///
    /// # Errors
    /// As [`Flow::sweep`].
    pub async fn sweep_while(&self, going_on: impl Fn() -> bool + Sync) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        let after = self.0.swept_to.get();
        let overdue = self.ports().inventory().expired(after, SWEEP_MAX).await?;
        let full = overdue.len() == SWEEP_MAX;
        let mut begun = 0;
        // A gateway that hangs takes the time of a payment for each question: after as many without an answer as are
        // asked at a time, the round is over.
        let began = Instant::now();
        let mut unanswered = 0;
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < ASKED_AT_ONCE
                && begun < overdue.len()
                && (unanswered < ASKED_AT_ONCE || began.elapsed() < PATIENCE)
                && going_on()
            {
                let order = &overdue[begun];
                begun += 1;
                // A damaged order waits for its repair, not for the next round (rule 18).
                if !self.0.damaged.was_met(order.order_id) {
                    under_way.push(self.expire(order));
                }
            }
            match under_way.next().await {
                None => break,
                Some(Ok(Placement::Placed | Placement::Failed(_))) => {
                    unanswered = 0;
                    swept.settled += 1;
                }
                Some(Ok(Placement::Waiting(_))) => {
                    unanswered += 1;
                    swept.awaiting_gateway += 1;
                }
                // It is noted, and logged, already.
                Some(Err(Failure::Damaged { .. })) => {}
                Some(Err(error)) => {
                    tracing::warn!(error = %chain(&error), "an overdue order is not settled");
                }
            }
        }
        let more = full || begun < overdue.len();
        self.0.swept_to.passes(&overdue[..begun], more);
        if !going_on() {
            return Ok(swept);
        }
        swept.refunded = self.sweep_refunds().await?;
        // Those that wait for the gateway stay overdue: only progress is a reason to go on at once.
        swept.more = full && swept.settled > 0;
        Ok(swept)
    }

    /// Releases one overdue order. A panic is an error of this order alone.
    async fn expire(&self, order: &Order) -> Result<Placement, Failure> {
        let id = order.order_id;
        let released = caught("release an overdue order", async {
            Ok(self.release(order, Reason::Expired).await)
        });
        match released.await {
            Ok(released) => released,
            Err(panicked) => {
                self.0.damaged.note(id, &panicked);
                Err(stored(id, panicked))
            }
        }
    }
}
