//! Latencies as they are told.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::simulate::Latencies;

/// Percentiles of one step, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// 90 % were at most so slow.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
    /// How many there were.
    pub count: u64,
}

/// Percentiles of every step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct LatencyTable {
    /// From sending a cart to the answer.
    pub add_to_cart: Percentiles,
    /// From sending `placeOrder` to a final answer.
    pub place_order: Percentiles,
    /// From arrival, or return, to a final answer about an accepted order.
    pub end_to_end: Percentiles,
}

impl From<&Histogram<u32>> for Percentiles {
    fn from(histogram: &Histogram<u32>) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "microseconds of a run fit a double exactly"
        )]
        let ms = |us: u64| us as f64 / 1_000.0;
        let at = |quantile: f64| ms(histogram.value_at_quantile(quantile));
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: ms(histogram.max()),
            count: histogram.len(),
        }
    }
}

impl From<&Latencies> for LatencyTable {
    fn from(latencies: &Latencies) -> Self {
        Self {
            add_to_cart: (&latencies.add_to_cart).into(),
            place_order: (&latencies.place_order).into(),
            end_to_end: (&latencies.end_to_end).into(),
        }
    }
}
