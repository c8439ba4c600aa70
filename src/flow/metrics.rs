//! What the flow counts.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

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
    /// Attempts to refund that failed.
    pub refunds_refused: Counter,
    /// Refunds that are due, as last counted; absent before.
    refunds_due: Family<NoLabels, Gauge>,
    /// For how long the oldest of them has been due, in seconds.
    refund_oldest_due: Family<NoLabels, Gauge>,
    /// Attempts to settle an order whose stored rows are damaged.
    pub damaged: Counter,
    /// Messages set aside as dead letters.
    pub dead_letters: Counter,
    /// Records of messages set aside that a store refused for good: only a log line tells of them.
    pub unrecorded: Counter,
    /// Attempts at a batch that failed and are repeated.
    pub batches_failed: Counter,
    /// Carts per reserve transaction.
    pub batch_carts: Histogram,
    /// Seconds per reserve transaction.
    pub reserve_seconds: Histogram,
    /// Seconds per settle transaction, from call to commit.
    pub settle_seconds: Histogram,
    /// Messages not yet consumed, as last seen.
    pub backlog: Gauge,
}

/// Of a metric that is absent while it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoLabels {}

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
            refunds_refused: Counter::default(),
            refunds_due: Family::default(),
            refund_oldest_due: Family::default(),
            damaged: Counter::default(),
            dead_letters: Counter::default(),
            unrecorded: Counter::default(),
            batches_failed: Counter::default(),
            batch_carts: Histogram::new(exponential_buckets(1.0, 2.0, 14)),
            reserve_seconds: seconds(),
            settle_seconds: seconds(),
            backlog: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Notes how many refunds are due, and for how long the oldest has been.
    pub(super) fn set_refunds_due(&self, count: usize, oldest: Duration) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.refunds_due.get_or_create(&NoLabels {}).set(count);
        let seconds = i64::try_from(oldest.as_secs()).unwrap_or(i64::MAX);
        self.refund_oldest_due
            .get_or_create(&NoLabels {})
            .set(seconds);
    }

    /// Forgets both: what is not known is not told.
    pub fn clear_refunds_due(&self) {
        self.refunds_due.clear();
        self.refund_oldest_due.clear();
    }

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
            "refunds_refused",
            "Attempts to refund that failed",
            self.refunds_refused.clone(),
        );
        registry.register(
            "refunds_due",
            "Refunds that are recorded and not executed, at most 10,000; absent while the database does not answer",
            self.refunds_due.clone(),
        );
        registry.register_with_unit(
            "refund_oldest_due",
            "For how long the oldest due refund has been due",
            Unit::Seconds,
            self.refund_oldest_due.clone(),
        );
        registry.register(
            "damaged_orders",
            "Attempts to settle an order whose stored rows are damaged",
            self.damaged.clone(),
        );
        registry.register(
            "dead_letters",
            "Messages set aside",
            self.dead_letters.clone(),
        );
        registry.register(
            "dead_letters_unrecorded",
            "Records of messages set aside that a store refused for good; the log has them",
            self.unrecorded.clone(),
        );
        registry.register(
            "worker_batches_failed",
            "Attempts to decide a batch that failed and are repeated",
            self.batches_failed.clone(),
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
