//! What a run is told as: one object, as JSON and on a terminal.

mod lab;
mod latency;
mod run;
mod terminal;

pub use lab::{
    Arrivals, Distribution, Distributions, Fairness, ItemFairness, Series, StageBand, StockCourse,
    ThresholdResult,
};
pub use latency::{LatencyTable, Percentiles};
pub use run::{
    Example, FINDINGS_MAX, Invariants, OrderCounts, RunReport, RunSettings, TraceReport, Verdict,
};
pub use terminal::summary;
