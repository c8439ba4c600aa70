//! How long orders took from cart to verdict: beside the backlog, on the same axis of time.

use super::course::{Column, Course};
use super::section::Section;
use super::svg::{Drawing, Frame, HALF, between, both, columns_max};
use super::text::{at, double};
use crate::report::RunReport;
use crate::report::verdict::milliseconds;
use crate::terminal::grouped;

/// From the cart to a final order.
const STEP: &str = "end_to_end";

/// What is drawn.
const LINES: [(&str, f64); 2] = [("line p50", 0.5), ("line p99", 0.99)];

/// Delays that long are read in seconds, in microseconds.
const SECONDS_FROM_US: u64 = 2_000_000;

pub(super) fn section(report: &RunReport) -> Section {
    let course = Course::of(report, 200);
    Section {
        title: "End-to-end delay",
        reading: reading(&course),
        legend: &[("line p50", "median"), ("line p99", "p99")],
        chart: both(HALF, |frame| chart(report, frame)),
        header: vec!["from", "ended", "median", "p99"],
        rows: course.columns.iter().map(row).collect(),
        half: true,
    }
}

/// When half of the orders took longest, in a sentence.
pub(super) fn reading(course: &Course<'_>) -> String {
    let median = |column: &Column| column.quantile_us(STEP, 0.5).unwrap_or(0);
    let p99 = |column: &Column| column.quantile_us(STEP, 0.99).unwrap_or(0);
    let Some(worst) = course.peak(median) else {
        return "No order ended.".to_owned();
    };
    format!(
        "Orders took longest at {}: half of them over {}, one in a hundred over {}.",
        at(worst.from_s),
        ms(median(worst)),
        ms(p99(worst))
    )
}

fn row(column: &Column) -> Vec<String> {
    let mut row = vec![at(column.from_s), grouped(column.ended(STEP))];
    row.extend(LINES.map(|(_, quantile)| {
        (column.quantile_us(STEP, quantile)).map_or_else(|| "–".to_owned(), ms)
    }));
    row
}

fn chart(report: &RunReport, frame: Frame) -> String {
    let course = Course::of(report, columns_max(frame));
    let most = (course.columns.iter())
        .filter_map(|column| column.quantile_us(STEP, 0.99))
        .max()
        .unwrap_or(0);
    let (unit, name) = if most < SECONDS_FROM_US {
        (1e3, "milliseconds")
    } else {
        (1e6, "seconds")
    };
    let mut drawing = Drawing::new(frame, "End-to-end delay over time");
    drawing.stages(course.stages, course.end_s);
    let scale = drawing.numbers(double(most) / unit, name);
    let time = drawing.time(course.end_s);
    for (class, quantile) in LINES {
        drawing.line(
            class,
            course.columns.iter().map(|column| {
                let us = column.quantile_us(STEP, quantile)?;
                Some((
                    time.place(column.middle_s()),
                    scale.place(double(us) / unit),
                ))
            }),
        );
    }
    drawing.columns(course.columns.iter().map(|column| {
        let text = format!("{}\n{}", between(column.from_s, column.to_s), told(column));
        (time.place(column.from_s), time.place(column.to_s), text)
    }));
    drawing.done()
}

fn told(column: &Column) -> String {
    let (Some(median), Some(p99)) = (
        column.quantile_us(STEP, 0.5),
        column.quantile_us(STEP, 0.99),
    ) else {
        return "nothing ended".to_owned();
    };
    format!(
        "{} ended\nmedian {}\np99 {}",
        grouped(column.ended(STEP)),
        ms(median),
        ms(p99)
    )
}

fn ms(us: u64) -> String {
    milliseconds(double(us) / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn an_interval_in_which_nothing_ended_is_a_gap_and_a_row_without_a_time() {
        let mut report = fixture::report();
        let whole = chart(&report, HALF);
        assert_eq!(strokes(&whole, "line p99"), 1);
        report.series.latency.get_mut(STEP).unwrap()[40] = String::new();
        let broken = chart(&report, HALF);
        assert_eq!(strokes(&broken, "line p50"), 2);
        assert_eq!(strokes(&broken, "line p99"), 2);
        assert!(broken.contains("4.0 to 4.1 s\nnothing ended"), "{broken}");
        assert_eq!(section(&report).rows[40], ["4.0 s", "0", "–", "–"]);
    }

    #[test]
    fn the_axis_is_in_the_unit_that_fits() {
        let mut report = fixture::report();
        assert!(chart(&report, HALF).contains(">seconds<"));
        for texts in report.series.latency.values_mut() {
            texts.truncate(5);
        }
        assert!(chart(&report, HALF).contains(">milliseconds<"));
    }

    #[test]
    fn stages_lie_behind_it() {
        let chart = chart(&fixture::report(), HALF);
        assert_eq!(chart.matches("class=\"band").count(), 2, "{chart}");
    }

    /// How many strokes without a gap a line has.
    fn strokes(svg: &str, class: &str) -> usize {
        let (_, rest) = svg.split_once(&format!("class=\"{class}\" d=\"")).unwrap();
        rest.split_once('"').unwrap().0.matches('M').count()
    }
}
