//! Latencies as they are told.

use hdrhistogram::{Counter, Histogram};
use serde::{Deserialize, Serialize};

use crate::simulate::Latencies;

/// Percentiles of one step, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LatencyTable {
    /// From sending a cart to the answer.
    pub add_to_cart: Percentiles,
    /// From sending `placeOrder` to a final answer.
    pub place_order: Percentiles,
    /// From arrival, or return, to a final answer about an accepted order.
    pub end_to_end: Percentiles,
}

impl LatencyTable {
    /// The steps by the names of their keys, in the order in which an order goes through them.
    pub fn steps(&self) -> [(&'static str, &Percentiles); 3] {
        [
            ("add_to_cart", &self.add_to_cart),
            ("place_order", &self.place_order),
            ("end_to_end", &self.end_to_end),
        ]
    }
}

/// The steps, by the names of their keys.
pub const STEPS: [&str; 3] = ["add_to_cart", "place_order", "end_to_end"];

impl<C: Counter> From<&Histogram<C>> for Percentiles {
    fn from(histogram: &Histogram<C>) -> Self {
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
