//! The course of a run in as many columns as a chart has room for.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::text::double;
use crate::report::{RunReport, Series, StageBand, distribution};

/// The course of a run.
pub(super) struct Course<'a> {
    pub(super) columns: Vec<Column>,
    pub(super) stages: &'a [StageBand],
    pub(super) end_s: f64,
}

/// What happened in one or more intervals.
#[derive(Default)]
pub(super) struct Column {
    pub(super) from_s: f64,
    pub(super) to_s: f64,
    pub(super) offered: u64,
    pub(super) arrived: u64,
    pub(super) dropped: u64,
    pub(super) placed: u64,
    pub(super) failed: u64,
    pub(super) refused: u64,
    /// The most at once.
    pub(super) in_flight: u64,
    /// The most at once.
    pub(super) backlog: u64,
    /// Intended latencies in microseconds, by step.
    pub(super) latency: BTreeMap<String, Histogram<u64>>,
}

impl<'a> Course<'a> {
    /// The course in at most `columns_max` columns of whole intervals.
    pub(super) fn of(report: &'a RunReport, columns_max: usize) -> Self {
        let series = &report.series;
        let per_column = series.intervals().div_ceil(columns_max).max(1);
        let starts = (0..series.intervals()).step_by(per_column);
        let columns: Vec<Column> = starts
            .map(|from| {
                let to = (from + per_column).min(series.intervals());
                Column::of(series, from, to)
            })
            .collect();
        Self {
            end_s: columns.last().map_or(0.0, |column| column.to_s),
            columns,
            stages: &series.stages,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The column in which something was most, unless it never was anything.
    pub(super) fn peak(&self, of: impl Fn(&Column) -> u64) -> Option<&Column> {
        let peak = self.columns.iter().rev().max_by_key(|column| of(column))?;
        (of(peak) > 0).then_some(peak)
    }
}

impl Column {
    fn of(series: &Series, from: usize, to: usize) -> Self {
        let seconds = |at: usize| double(at as u64 * series.interval_ms) / 1_000.0;
        let part =
            |numbers: &[u64]| -> Vec<u64> { numbers.iter().take(to).skip(from).copied().collect() };
        let sum = |numbers: &[u64]| part(numbers).iter().sum();
        let most = |numbers: &[u64]| part(numbers).into_iter().max().unwrap_or(0);
        Self {
            from_s: seconds(from),
            to_s: seconds(to),
            offered: sum(&series.offered),
            arrived: sum(&series.arrived),
            dropped: sum(&series.dropped),
            placed: sum(&series.placed),
            failed: sum(&series.failed),
            refused: sum(&series.refused),
            in_flight: most(&series.in_flight),
            backlog: most(&series.backlog),
            latency: (series.latency.iter())
                .map(|(step, texts)| {
                    let mut all = distribution::empty();
                    for text in texts.iter().take(to).skip(from) {
                        // A damaged interval is a gap: the rest of the run is still worth looking at.
                        let _ = distribution::add(&mut all, text);
                    }
                    (step.clone(), all)
                })
                .collect(),
        }
    }

    /// So many per second.
    pub(super) fn rate(&self, count: u64) -> f64 {
        let seconds = self.to_s - self.from_s;
        if seconds > 0.0 {
            double(count) / seconds
        } else {
            0.0
        }
    }

    pub(super) fn middle_s(&self) -> f64 {
        f64::midpoint(self.from_s, self.to_s)
    }

    /// How many of a step ended here.
    pub(super) fn ended(&self, step: &str) -> u64 {
        self.latency.get(step).map_or(0, Histogram::len)
    }

    /// A percentile of a step in microseconds, unless nothing ended here.
    pub(super) fn quantile_us(&self, step: &str, quantile: f64) -> Option<u64> {
        let histogram = self.latency.get(step)?;
        (!histogram.is_empty()).then(|| histogram.value_at_quantile(quantile))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn columns_add_counts_and_keep_what_was_most() {
        let report = fixture::report();
        let fine = Course::of(&report, 1_000);
        let coarse = Course::of(&report, 30);
        assert_eq!(fine.columns.len(), 100);
        assert_eq!(coarse.columns.len(), 25);
        let placed = |course: &Course<'_>| {
            course
                .columns
                .iter()
                .map(|column| column.placed)
                .sum::<u64>()
        };
        assert_eq!(placed(&fine), placed(&coarse));
        assert_eq!(
            fine.peak(|column| column.backlog).unwrap().backlog,
            coarse.peak(|column| column.backlog).unwrap().backlog
        );
        assert!((coarse.end_s - 10.0).abs() < 1e-9);
        let ended: u64 = coarse
            .columns
            .iter()
            .map(|column| column.latency["end_to_end"].len())
            .sum();
        assert_eq!(ended, report.latency_ms.end_to_end.count);
    }

    #[test]
    fn what_never_was_has_no_peak() {
        let report = fixture::report();
        assert!(Course::of(&report, 10).peak(|_| 0).is_none());
    }
}
