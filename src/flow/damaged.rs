//! Orders that could not be settled because what is stored of them is damaged (rule 18): counted, logged in bounded
//! numbers, and left alone by the sweep for a while, so that it does not ask the gateway for them in every round.

use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use tokio::time::Instant;

use crate::domain::OrderId;
use crate::findings;
use crate::ports::Error;
use crate::recent::{Bounds, Recent};

/// How long the sweep leaves a damaged order alone.
const LEFT_ALONE_FOR: Duration = Duration::from_secs(30);

/// How many damaged orders are remembered; twice as many at most.
const KEPT: usize = 16_384;

/// The damaged orders that were met last.
#[derive(Debug)]
pub(super) struct Damaged {
    met: Mutex<Recent<OrderId, Instant>>,
    count: Counter,
}

impl Damaged {
    /// None so far; `count` counts attempts.
    pub(super) fn counted_by(count: Counter) -> Self {
        Self {
            met: Mutex::new(Recent::of(Bounds::of_small(KEPT))),
            count,
        }
    }

    /// Notes why an order could not be settled, if that is due to what is stored of it.
    pub(super) fn note(&self, id: OrderId, error: &Error) {
        if error.is_transient() {
            return;
        }
        self.count.inc();
        self.met.lock().keep(id, Instant::now(), 0);
        findings::report(&id.to_string(), &error.chain());
    }

    /// Whether an order was found damaged a moment ago.
    pub(super) fn was_met(&self, id: OrderId) -> bool {
        let met = self.met.lock();
        met.get(&id)
            .is_some_and(|met| met.elapsed() < LEFT_ALONE_FOR)
    }
}
