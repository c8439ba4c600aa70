//! What a run is told as: one object, and everything that is made of it, from thresholds to files.

mod baseline;
mod chart;
mod distribution;
mod files;
#[cfg(test)]
pub(crate) mod fixture;
mod html;
mod lab;
mod latency;
mod load;
mod markup;
mod merge;
mod read;
mod repeat;
mod run;
mod settings;
mod terminal;
mod threshold;
mod verdict;

pub use baseline::{Compared, Comparison, OtherSettings, Outcome, check_setup, compare};
pub use chart::{Chart, ChartFile, ChartLine, LINES_MAX, UnknownChartFormat};
pub use distribution::{Unreadable, decode, encode};
pub use files::{ReportFile, UnknownFormat, WriteError, write_all};
pub use lab::{
    Arrivals, Distribution, Distributions, Fairness, ItemFairness, Series, StageBand, StockCourse,
    ThresholdResult,
};
pub use latency::{LatencyTable, Percentiles, STEPS};
pub use load::LoadSettings;
pub use merge::{MergeError, Named, merge};
pub use read::{ReadError, read};
pub use repeat::{Repeat, Spread, spread, typical};
pub use run::{
    Example, FINDINGS_MAX, Invariants, OrderCounts, RunReport, RunSettings, TraceReport, Verdict,
};
pub use settings::Setup;
pub use terminal::summary;
pub use threshold::{Threshold, ThresholdError};
