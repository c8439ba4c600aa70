//! What waited: messages for a worker, buyers for answers.

use super::course::{Column, Course};
use super::section::Section;
use super::svg::{Drawing, Frame, HALF, between, both, columns_max};
use super::text::{at, double};
use crate::report::RunReport;
use crate::terminal::{grouped, many};

pub(super) fn section(report: &RunReport) -> Section {
    let course = Course::of(report, 200);
    Section {
        title: "Backlog and buyers under way",
        reading: reading(&course),
        legend: &[
            ("line backlog", "backlog"),
            ("line flight", "buyers under way"),
        ],
        chart: both(HALF, |frame| chart(report, frame)),
        header: vec!["from", "backlog", "under way"],
        rows: (course.columns.iter())
            .map(|column| {
                vec![
                    at(column.from_s),
                    grouped(column.backlog),
                    grouped(column.in_flight),
                ]
            })
            .collect(),
        half: true,
    }
}

pub(super) fn reading(course: &Course<'_>) -> String {
    let flight = course
        .peak(|column| column.in_flight)
        .map_or(0, |peak| peak.in_flight);
    let flight = format!("at most {} under way", many(flight, "buyer"));
    let Some(peak) = course.peak(|column| column.backlog) else {
        return format!("Nothing was ever seen waiting for a worker, with {flight}.");
    };
    let (at_peak, most) = (peak.from_s, peak.backlog);
    let after = course
        .columns
        .iter()
        .filter(|column| column.from_s > at_peak);
    let gone = after
        .clone()
        .find(|column| column.backlog * 20 <= most)
        .map(|column| column.from_s);
    let gone = gone.map_or_else(
        || "and was never worked off before the end".to_owned(),
        |gone| format!("and was worked off by {}", at(gone)),
    );
    format!(
        "The backlog was largest at {} with {} {gone}, with {flight}.",
        at(at_peak),
        many(most, "message"),
    )
}

fn chart(report: &RunReport, frame: Frame) -> String {
    let course = Course::of(report, columns_max(frame));
    let most = (course.columns.iter())
        .map(|column| column.backlog.max(column.in_flight))
        .max()
        .unwrap_or(0);
    let mut drawing = Drawing::new(frame, "Backlog and buyers under way");
    drawing.stages(course.stages, course.end_s);
    let scale = drawing.numbers(double(most), "messages, buyers");
    let time = drawing.time(course.end_s);
    for is_backlog in [false, true] {
        let (class, of): (_, fn(&Column) -> u64) = if is_backlog {
            ("line backlog", |column| column.backlog)
        } else {
            ("line flight", |column| column.in_flight)
        };
        drawing.line(
            class,
            course.columns.iter().map(|column| {
                Some((
                    time.place(column.middle_s()),
                    scale.place(double(of(column))),
                ))
            }),
        );
    }
    drawing.columns(course.columns.iter().map(|column| {
        let text = format!(
            "{}\nbacklog {}\n{} under way",
            between(column.from_s, column.to_s),
            grouped(column.backlog),
            grouped(column.in_flight)
        );
        (time.place(column.from_s), time.place(column.to_s), text)
    }));
    drawing.done()
}
