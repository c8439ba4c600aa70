//! What became of carts and orders over time, stacked.

use super::course::{Column, Course};
use super::section::Section;
use super::svg::{Drawing, FULL, Frame, between, both, columns_max};
use super::text::{at, double, share, whole};
use crate::report::RunReport;
use crate::terminal::{grouped, many};

pub(super) fn section(report: &RunReport) -> Section {
    let course = Course::of(report, 200);
    Section {
        title: "Outcomes",
        reading: reading(report, &course),
        legend: &[
            ("area placed", "placed"),
            ("area failed", "failed"),
            ("area refused", "refused at once"),
        ],
        chart: both(FULL, |frame| chart(report, frame)),
        header: vec!["from", "placed", "failed", "refused"],
        rows: (course.columns.iter())
            .map(|column| {
                let mut row = vec![at(column.from_s)];
                row.extend([column.placed, column.failed, column.refused].map(grouped));
                row
            })
            .collect(),
        half: false,
    }
}

pub(super) fn reading(report: &RunReport, course: &Course<'_>) -> String {
    let orders = &report.orders;
    let failed = (orders.failed.iter())
        .max_by_key(|(_, count)| **count)
        .map_or_else(String::new, |(reason, count)| {
            format!(
                "; most of those that failed did for {reason} ({})",
                grouped(*count)
            )
        });
    let peak = course
        .peak(|column| column.placed)
        .map_or_else(String::new, |peak| {
            format!(
                ", at best {} per second at {}",
                whole(peak.rate(peak.placed)),
                at(peak.from_s)
            )
        });
    format!(
        "{} of {} were placed{peak}{failed}.",
        share(double(orders.placed) / double(orders.accepted.max(1))),
        many(orders.accepted, "accepted order"),
    )
}

fn chart(report: &RunReport, frame: Frame) -> String {
    let course = Course::of(report, columns_max(frame));
    let all = |column: &Column| column.placed + column.failed + column.refused;
    let most = (course.columns.iter())
        .map(|column| column.rate(all(column)))
        .fold(0.0, f64::max);
    let mut drawing = Drawing::new(frame, "Outcomes over time");
    let scale = drawing.numbers(most, "per second");
    let time = drawing.time(course.end_s);
    for column in &course.columns {
        let (from, to) = (time.place(column.from_s), time.place(column.to_s));
        let mut below = 0;
        for (count, class) in [
            (column.placed, "area placed"),
            (column.failed, "area failed"),
            (column.refused, "area refused"),
        ] {
            let (low, high) = (
                scale.place(column.rate(below)),
                scale.place(column.rate(below + count)),
            );
            if low - high > 0.05 {
                drawing.rect(from, high, (to - from - 0.5).max(0.5), low - high, class);
            }
            below += count;
        }
    }
    drawing.columns(course.columns.iter().map(|column| {
        let text = format!(
            "{}\n{} placed\n{} failed\n{} refused",
            between(column.from_s, column.to_s),
            grouped(column.placed),
            grouped(column.failed),
            grouped(column.refused)
        );
        (time.place(column.from_s), time.place(column.to_s), text)
    }));
    drawing.done()
}
