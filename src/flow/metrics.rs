//! What the flow counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::domain::Reason;

/// Counters of one process, without a global registry.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Carts that were queued.
    pub accepted: Counter,
    /// Carts that were refused at once, by reason.
    pub refused: Family<ReasonLabel, Counter>,
    /// Orders whose items this process's worker blocked.
    pub blocked: Counter,
    /// Orders this process brought to PLACED.
    pub placed: Counter,
    /// Orders this process brought to FAILED, by reason.
    pub failed: Family<ReasonLabel, Counter>,
    /// Refunds executed.
    pub refunds: Counter,
    /// Messages set aside as dead letters.
    pub dead_letters: Counter,
    /// Carts per reserve transaction.
    pub batch_carts: Histogram,
    /// Seconds per reserve transaction.
    pub reserve_seconds: Histogram,
    /// Seconds per settle transaction, from call to commit.
    pub settle_seconds: Histogram,
    /// Messages not yet consumed, as last seen.
    pub backlog: Gauge,
}

/// The label of counters by reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// [`Reason::as_str`].
    pub reason: &'static str,
}

impl From<Reason> for ReasonLabel {
    fn from(reason: Reason) -> Self {
        Self {
            reason: reason.as_str(),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.000_5, 2.0, 15));
        Self {
            accepted: Counter::default(),
            refused: Family::default(),
            blocked: Counter::default(),
            placed: Counter::default(),
            failed: Family::default(),
            refunds: Counter::default(),
            dead_letters: Counter::default(),
            batch_carts: Histogram::new(exponential_buckets(1.0, 2.0, 14)),
            reserve_seconds: seconds(),
            settle_seconds: seconds(),
            backlog: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Adds everything to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("carts_accepted", "Carts queued", self.accepted.clone());
        registry.register(
            "carts_refused",
            "Carts refused at once",
            self.refused.clone(),
        );
        registry.register(
            "orders_blocked",
            "Orders whose items were blocked",
            self.blocked.clone(),
        );
        registry.register("orders_placed", "Orders placed", self.placed.clone());
        registry.register("orders_failed", "Orders failed", self.failed.clone());
        registry.register("refunds_executed", "Refunds executed", self.refunds.clone());
        registry.register(
            "dead_letters",
            "Messages set aside",
            self.dead_letters.clone(),
        );
        registry.register(
            "reserve_batch_carts",
            "Carts per reserve transaction",
            self.batch_carts.clone(),
        );
        registry.register(
            "reserve_seconds",
            "Time of a reserve transaction",
            self.reserve_seconds.clone(),
        );
        registry.register(
            "settle_seconds",
            "Time of a settle transaction",
            self.settle_seconds.clone(),
        );
        registry.register(
            "backlog_messages",
            "Messages not yet consumed",
            self.backlog.clone(),
        );
    }
}
