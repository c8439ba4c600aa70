//! Refunds that are owed: executed as they were recorded (rule 11), less and less often while the gateway refuses them.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use super::Flow;
use super::expire::{ASKED_AT_ONCE, SWEEP_MAX};
use crate::domain::OrderId;
use crate::inventory::{Inventory, Owed, Refund};
use crate::payments::Payments;
use crate::ports::{Error, Ports};

/// The first and the longest pause of a refund that failed. It doubles with every further failure.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// The longest pause that a gateway can ask for (`Retry-After`).
const ASKED_PAUSE_MAX: Duration = Duration::from_secs(3_600);

/// The most pauses that are remembered, of 64 bytes each. Beyond that all are forgotten, and begin anew.
const PAUSES_MAX: usize = 65_536;

/// The due refunds that are counted for the metrics; more show as this many.
const COUNTED_MAX: usize = 10_000;

/// When refunds that failed are tried again.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    refunds: Mutex<HashMap<OrderId, Pause>>,
    /// Until when the gateway asked to be left alone.
    gateway: Mutex<Option<Instant>>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    length: Duration,
    until: Instant,
}

impl Pauses {
    /// The last pause of a refund that may be tried now, zero for the first attempt; `None` while it pauses.
    fn ended(&self, id: OrderId) -> Option<Duration> {
        match self.refunds.lock().get(&id) {
            None => Some(Duration::ZERO),
            Some(pause) => (pause.until <= Instant::now()).then_some(pause.length),
        }
    }

    fn begin(&self, id: OrderId, length: Duration, until: Instant) {
        let mut refunds = self.refunds.lock();
        if refunds.len() >= PAUSES_MAX {
            refunds.clear();
        }
        refunds.insert(id, Pause { length, until });
    }

    fn forget(&self, id: OrderId) {
        self.refunds.lock().remove(&id);
    }

    fn gateway_pauses(&self) -> bool {
        (*self.gateway.lock()).is_some_and(|until| Instant::now() < until)
    }

    fn leave_gateway_alone(&self, until: Instant) {
        let mut gateway = self.gateway.lock();
        *gateway = Some(gateway.map_or(until, |known| known.max(until)));
    }
}

impl<P: Ports> Flow<P> {
    /// One round over due refunds; returns how many were executed.
    pub(super) async fn sweep_refunds(&self) -> Result<usize, Error> {
        if self.0.refund_pauses.gateway_pauses() {
            return Ok(0);
        }
        let after = self.0.refunded_to.get();
        let due = self
            .ports()
            .inventory()
            .refunds_due(after, SWEEP_MAX)
            .await?;
        self.0.refunded_to.passes(&due, due.len() == SWEEP_MAX);
        let executed: Vec<OrderId> = futures::stream::iter(due)
            .map(|refund| self.refund_unless_paused(refund))
            .buffer_unordered(ASKED_AT_ONCE)
            .filter_map(|executed| async move { executed })
            .collect()
            .await;
        let count = executed.len();
        if count > 0 {
            self.ports().inventory().refunded(executed).await?;
        }
        Ok(count)
    }

    /// Executes a refund; one that fails stays due, and pauses.
    async fn refund_unless_paused(&self, refund: Refund) -> Option<OrderId> {
        let pauses = &self.0.refund_pauses;
        let id = refund.order_id;
        if pauses.gateway_pauses() {
            return None;
        }
        let last = pauses.ended(id)?;
        let Err(error) = self.execute_refund(&refund).await else {
            pauses.forget(id);
            return Some(id);
        };
        let now = Instant::now();
        let asked = error.retry_after().map(|asked| asked.min(ASKED_PAUSE_MAX));
        if let Some(asked) = asked {
            pauses.leave_gateway_alone(now + asked);
        }
        let length = (last * 2).clamp(PAUSE.0, PAUSE.1);
        let pause = self.jitter(length).max(asked.unwrap_or_default());
        pauses.begin(id, length, now + pause);
        let cause = error.chain();
        tracing::warn!(order_id = %id, again_in_ms = pause.as_millis(), cause, "a refund stays due");
        None
    }

    /// Executes one refund at the gateway. One that hangs must not hold up those that come after, nor the next round.
    async fn execute_refund(&self, refund: &Refund) -> Result<(), Error> {
        let executed = self
            .ports()
            .payments()
            .refund(refund.order_id, refund.amount);
        let answer = match timeout(self.settings().payment_timeout, executed).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(Error::outcome_unknown("refund an order").because(elapsed)),
        };
        match &answer {
            Ok(()) => self.metrics().refunds.inc(),
            Err(_) => self.metrics().refunds_refused.inc(),
        };
        answer
    }

    /// Executes a refund now, whatever its pause, and marks it.
    ///
    /// # Errors
    /// Why the gateway did not execute it, or the database did not mark it. It stays due, and may be repeated.
    pub async fn retry_refund(&self, refund: &Refund) -> Result<(), Error> {
        self.execute_refund(refund).await?;
        self.ports()
            .inventory()
            .refunded(vec![refund.order_id])
            .await
    }

    /// Counts due refunds for the metrics: how many there are, and for how long the oldest has been due.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn measure_refunds(&self) -> Result<(), Error> {
        let (mut after, mut count, mut oldest) = (None, 0, None);
        loop {
            let page = self
                .ports()
                .inventory()
                .refunds_due(after, SWEEP_MAX)
                .await?;
            oldest = oldest.or(page.first().map(|refund| refund.recorded_at));
            count += page.len();
            after = page.last().map(Owed::from);
            if page.len() < SWEEP_MAX || count >= COUNTED_MAX {
                break;
            }
        }
        let age = oldest.map_or(Duration::ZERO, |oldest| self.now().since(oldest));
        self.metrics().set_refunds_due(count, age);
        Ok(())
    }
}
