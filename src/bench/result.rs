//! Rows of results, and the curve they make.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::balance::Balance;
use super::load::Measured;
use super::strategy::Strategy;
use crate::report::{Chart, ChartLine};
use crate::terminal::grouped;

/// What one strategy came to at one exponent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchResult {
    /// The strategy.
    pub strategy: Strategy,
    /// The Zipf exponent.
    pub zipf: f64,
    /// Orders decided.
    pub orders: u64,
    /// Orders decided per second.
    pub orders_per_s: f64,
    /// Median time from submission to committed decision; of a whole batch for `reserve`.
    pub p50_ms: f64,
    /// The same that 99 % did not exceed.
    pub p99_ms: f64,
    /// Units of committed orders beyond the stock.
    pub oversold: u64,
    /// Units left over although orders that would have fitted were refused.
    pub undersold: u64,
}

impl BenchResult {
    pub(super) fn new(
        strategy: Strategy,
        zipf: f64,
        measured: &Measured,
        balance: Balance,
    ) -> Self {
        let seconds = measured.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "counts fit a double exactly")]
        let per_s = if seconds > 0.0 {
            measured.orders as f64 / seconds
        } else {
            0.0
        };
        Self {
            strategy,
            zipf,
            orders: measured.orders,
            orders_per_s: (per_s * 10.0).round() / 10.0,
            p50_ms: ms(&measured.latency_us, 0.5),
            p99_ms: ms(&measured.latency_us, 0.99),
            oversold: balance.oversold,
            undersold: balance.undersold,
        }
    }

    /// Names of the columns of [`BenchResult::cells`]; `>` marks numbers.
    pub const COLUMNS: [&'static str; 8] = [
        "strategy",
        ">zipf",
        ">orders",
        ">orders/s",
        ">p50 ms",
        ">p99 ms",
        ">oversold",
        ">undersold",
    ];

    /// As it stands in a table.
    pub fn cells(&self) -> [String; 8] {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is neither negative nor beyond 64 bits"
        )]
        let per_s = self.orders_per_s.round() as u64;
        [
            self.strategy.name().to_owned(),
            self.zipf.to_string(),
            grouped(self.orders),
            grouped(per_s),
            format!("{:.2}", self.p50_ms),
            format!("{:.2}", self.p99_ms),
            grouped(self.oversold),
            grouped(self.undersold),
        ]
    }

    /// Whether the inventory of oms sold wrongly.
    pub fn breaks_invariant(&self) -> bool {
        self.strategy.is_ours() && (self.oversold > 0 || self.undersold > 0)
    }
}

fn ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds fit a double exactly"
    )]
    let us = histogram.value_at_quantile(quantile) as f64;
    us / 1_000.0
}

/// Orders per second by exponent: one line per strategy.
pub fn chart(results: &[BenchResult], command: String) -> Chart {
    let lines = Strategy::ALL.iter().filter_map(|strategy| {
        let points: Vec<(f64, f64)> = results
            .iter()
            .filter(|result| result.strategy == *strategy)
            .map(|result| (result.zipf, result.orders_per_s))
            .collect();
        (!points.is_empty()).then(|| ChartLine {
            name: strategy.name(),
            points,
        })
    });
    Chart {
        title: "Reservation strategies",
        reading: "Orders decided per second as contention grows: at exponent 0 all items are equally popular, at 1.5 \
                  most orders are for very few. The axis of rates is logarithmic.",
        x: "Zipf exponent",
        y: "orders/s",
        lines: lines.collect(),
        header: BenchResult::COLUMNS
            .map(|name| name.trim_start_matches('>'))
            .to_vec(),
        rows: results
            .iter()
            .map(|result| result.cells().to_vec())
            .collect(),
        command,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn result(strategy: Strategy, oversold: u64, undersold: u64) -> BenchResult {
        let mut measured = Measured::new(1);
        measured.elapsed = Duration::from_millis(500);
        for _ in 0..1_000 {
            measured.record(Duration::from_micros(1_500));
            measured.count(0, true);
        }
        let balance = Balance {
            oversold,
            undersold,
        };
        BenchResult::new(strategy, 0.5, &measured, balance)
    }

    #[test]
    fn a_result_has_exactly_the_documented_keys() {
        let json = serde_json::to_string(&result(Strategy::PerOrder, 2, 3)).unwrap();
        assert_eq!(
            json,
            r#"{"strategy":"per-order","zipf":0.5,"orders":1000,"orders_per_s":2000.0,"p50_ms":1.5,"p99_ms":1.5,"oversold":2,"undersold":3}"#
        );
    }

    #[test]
    fn only_the_inventory_of_oms_is_held_to_its_invariants() {
        assert!(!result(Strategy::SkipLocked, 0, 3).breaks_invariant());
        assert!(!result(Strategy::Batched, 0, 0).breaks_invariant());
        assert!(result(Strategy::Batched, 0, 3).breaks_invariant());
        assert!(result(Strategy::Reserve, 1, 0).breaks_invariant());
    }
}
