//! The course of a run as CSV: a row per interval, with the percentiles of each step in it.

use std::io;

use crate::report::{Percentiles, RunReport, STEPS, distribution};

/// Counts of an interval, by column.
const COUNTS: [&str; 8] = [
    "offered",
    "arrived",
    "dropped",
    "placed",
    "failed",
    "refused",
    "in_flight",
    "backlog",
];

pub(super) fn bytes(report: &RunReport) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(header())?;
    for at in 0..report.series.intervals() {
        csv.write_record(row(report, at)?)?;
    }
    csv.into_inner().map_err(csv::IntoInnerError::into_error)
}

fn header() -> Vec<String> {
    let mut header = vec!["from_ms".to_owned()];
    header.extend(COUNTS.map(str::to_owned));
    for step in STEPS {
        header.push(format!("{step}_count"));
        header.extend(["p50", "p90", "p99", "max"].map(|name| format!("{step}_{name}_ms")));
    }
    header
}

fn row(report: &RunReport, at: usize) -> io::Result<Vec<String>> {
    let series = &report.series;
    let mut row = vec![(at as u64 * series.interval_ms).to_string()];
    let counts = [
        &series.offered,
        &series.arrived,
        &series.dropped,
        &series.placed,
        &series.failed,
        &series.refused,
        &series.in_flight,
        &series.backlog,
    ];
    row.extend(counts.map(|counts| counts.get(at).copied().unwrap_or(0).to_string()));
    for step in STEPS {
        let text = series.latency.get(step).and_then(|texts| texts.get(at));
        let histogram =
            distribution::decode(text.map_or("", String::as_str)).map_err(io::Error::other)?;
        let of = Percentiles::from(&histogram);
        row.push(of.count.to_string());
        for value in [of.p50, of.p90, of.p99, of.max] {
            // Nothing measured is no latency of 0.
            row.push(if of.count > 0 {
                value.to_string()
            } else {
                String::new()
            });
        }
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn there_is_a_row_per_interval_and_its_counts_add_up() {
        let report = fixture::report();
        let bytes = bytes(&report).unwrap();
        let mut csv = csv::Reader::from_reader(bytes.as_slice());
        let header = csv.headers().unwrap().clone();
        let column = |name: &str| header.iter().position(|known| known == name).unwrap();
        let (placed, p99) = (column("placed"), column("place_order_p99_ms"));
        let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), report.series.intervals());
        assert_eq!(&rows[1][0], "100");
        let sum: u64 = rows
            .iter()
            .map(|row| row[placed].parse::<u64>().unwrap())
            .sum();
        assert_eq!(sum, report.series.placed.iter().sum::<u64>());
        assert!(
            rows.iter()
                .all(|row| row[p99].parse::<f64>().unwrap() > 0.0)
        );
    }
}
