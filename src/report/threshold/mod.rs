//! Thresholds: what a run has to keep to, such as `p99<50ms for place_order` or `failed<1%`.

mod count;
mod metric;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

pub use parse::ThresholdError;

use super::{RunReport, ThresholdResult};
use metric::Metric;

/// What a run has to keep to.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// As it was given.
    text: String,
    metric: Metric,
    relation: Relation,
    /// In milliseconds, percent, or the unit of the metric.
    bound: f64,
    /// Whether the bound is a share.
    percent: bool,
}

/// How what is measured has to compare with the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Below,
    AtMost,
    Above,
    AtLeast,
    Equal,
    Other,
}

impl Relation {
    #[expect(
        clippy::float_cmp,
        reason = "counts are whole, and those who ask for equality mean it"
    )]
    fn holds(self, measured: f64, bound: f64) -> bool {
        match self {
            Self::Below => measured < bound,
            Self::AtMost => measured <= bound,
            Self::Above => measured > bound,
            Self::AtLeast => measured >= bound,
            Self::Equal => measured == bound,
            Self::Other => measured != bound,
        }
    }
}

impl fmt::Display for Threshold {
    /// As it was given.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::threshold(text)
    }
}

impl Threshold {
    /// Holds it against a run. What was not measured misses every threshold.
    pub fn judge(&self, report: &RunReport) -> ThresholdResult {
        let measured = self.metric.measure(report, self.percent);
        let (measured, ok) = match measured {
            Some(measured) => (
                measured.text,
                self.relation.holds(measured.value, self.bound),
            ),
            None => ("nothing was measured".to_owned(), false),
        };
        ThresholdResult {
            threshold: self.text.clone(),
            measured,
            ok,
        }
    }
}
