//! What a storm measures beyond counts and percentiles: distributions that can be merged, the course of the run over
//! time, how honest the generator was, and how fair the sale.
//!
//! Histograms are HdrHistogram V2 encodings in base64 (`HISTEw…`; `HISTFAAA…` would be compressed), of microseconds
//! to three significant digits: the standard tools read them, and merging adds counts instead of averaging percentiles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::Sku;
pub use crate::simulate::{Fairness, ItemFairness};

/// How honest the generator was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Arrivals {
    /// `closed` (so many users), `open` (so many arrivals per second, whatever the service does), or `trace`.
    pub model: String,
    /// Arrivals that were due, warm-up included.
    pub offered: u64,
    /// Those at a rate that were more than 100 ms late.
    pub late: u64,
    /// Those at a rate that were left out, since too many buyers were under way.
    pub dropped: u64,
    /// How late the latest one was, in any model, in milliseconds.
    pub lag_max_ms: u64,
    /// Arrivals during the warm-up, which are in no figure but the invariants.
    pub warmed_up: u64,
}

/// Distributions of one step, in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// From when it was sent.
    pub service: String,
    /// From when it was due: what a buyer has waited. The same as `service` in the closed model.
    pub intended: String,
}

/// Distributions by step: `add_to_cart`, `place_order`, `end_to_end`.
pub type Distributions = BTreeMap<String, Distribution>;

/// A part of the run with a rate of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageBand {
    /// When it began, in milliseconds after the first arrival could come.
    pub from_ms: u64,
    /// When it ended.
    pub to_ms: u64,
    /// What it is: `warm-up`, `ramp`, or the rate as given.
    pub name: String,
    /// Arrivals per second that were planned at its end.
    pub rate: f64,
}

/// The course of a run: every list has one entry per interval, from the first arrival on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Series {
    /// How long an interval is; longer for longer runs, so that there are 600 at most.
    pub interval_ms: u64,
    /// Arrivals that were due.
    pub offered: Vec<u64>,
    /// Arrivals that came.
    pub arrived: Vec<u64>,
    /// Arrivals that were left out.
    pub dropped: Vec<u64>,
    /// Orders placed.
    pub placed: Vec<u64>,
    /// Accepted orders that failed.
    pub failed: Vec<u64>,
    /// Carts refused at once, returns included.
    pub refused: Vec<u64>,
    /// Buyers under way, the most in the interval.
    pub in_flight: Vec<u64>,
    /// Messages that waited for a worker, the most seen in the interval.
    pub backlog: Vec<u64>,
    /// Intended latencies that ended in the interval, by step: as [`Distribution`], empty where there were none.
    pub latency: BTreeMap<String, Vec<String>>,
    /// Parts of the run with a rate of their own, if it had such.
    pub stages: Vec<StageBand>,
    /// How the stock of the most wanted items went down, at most 12 of them.
    pub stock: Vec<StockCourse>,
}

impl Series {
    /// How many intervals there are.
    pub fn intervals(&self) -> usize {
        [
            &self.offered,
            &self.arrived,
            &self.dropped,
            &self.placed,
            &self.failed,
            &self.refused,
            &self.in_flight,
            &self.backlog,
        ]
        .map(Vec::len)
        .into_iter()
        .chain(self.latency.values().map(Vec::len))
        .max()
        .unwrap_or(0)
    }
}

/// The stock of one item over time, as this process learnt it; the last value known where an interval has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockCourse {
    /// Which item.
    pub sku: Sku,
    /// Available units at the end of each interval.
    pub available: Vec<i64>,
    /// Blocked units.
    pub blocked: Vec<i64>,
}

/// A threshold and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdResult {
    /// As it was given, such as `p99<50ms for place_order`.
    pub threshold: String,
    /// What was measured, with its unit.
    pub measured: String,
    /// Whether it holds.
    pub ok: bool,
}
