//! Arrivals over time: what was due, what came, and what was left out, against the stages.

use super::course::Course;
use super::section::Section;
use super::svg::{Drawing, FULL, Frame, between, both, columns_max};
use super::text::{at, double, share, whole};
use crate::report::RunReport;
use crate::terminal::{grouped, many};

pub(super) fn section(report: &RunReport) -> Section {
    let course = Course::of(report, 200);
    let mut rows: Vec<Vec<String>> = (course.columns.iter())
        .map(|column| {
            let mut row = vec![at(column.from_s)];
            row.extend([column.offered, column.arrived, column.dropped].map(grouped));
            row
        })
        .collect();
    rows.extend(course.stages.iter().map(|stage| {
        let from = at(double(stage.from_ms) / 1_000.0);
        vec![
            format!("{from}: {} begins", stage.name),
            format!("{:.0}/s", stage.rate),
            String::new(),
            String::new(),
        ]
    }));
    Section {
        title: "Arrivals",
        reading: reading(report, &course),
        legend: &[
            ("line offered", "due"),
            ("area arrived", "came"),
            ("area dropped", "left out"),
        ],
        chart: both(FULL, |frame| chart(report, frame)),
        header: vec!["from", "due", "came", "left out"],
        rows,
        half: false,
    }
}

pub(super) fn reading(report: &RunReport, course: &Course<'_>) -> String {
    let sum = |of: fn(&super::course::Column) -> u64| course.columns.iter().map(of).sum::<u64>();
    let (offered, dropped) = (sum(|column| column.offered), sum(|column| column.dropped));
    let peak = course
        .peak(|column| column.offered)
        .map_or_else(String::new, |peak| {
            format!(
                "; the most at once were {} per second at {}",
                whole(peak.rate(peak.offered)),
                at(peak.from_s)
            )
        });
    let late = match report.arrivals.late {
        0 => "none of them late".to_owned(),
        late => format!(
            "{} ({}) more than 100 ms late, by {} ms at most",
            grouped(late),
            share(double(late) / double(report.arrivals.offered.max(1))),
            grouped(report.arrivals.lag_max_ms)
        ),
    };
    let left_out = match course.peak(|column| column.dropped) {
        None => "every one came".to_owned(),
        Some(worst) => format!(
            "{} ({}) were left out since too many buyers were under way, most of them at {}",
            grouped(dropped),
            share(double(dropped) / double(offered.max(1))),
            at(worst.from_s)
        ),
    };
    format!(
        "Of {} that were due {left_out}, {late}{peak}.",
        many(offered, "arrival")
    )
}

fn chart(report: &RunReport, frame: Frame) -> String {
    let course = Course::of(report, columns_max(frame));
    let most = course
        .columns
        .iter()
        .map(|column| column.rate(column.offered.max(column.arrived)))
        .fold(0.0, f64::max);
    let mut drawing = Drawing::new(frame, "Arrivals over time");
    drawing.stages(course.stages, course.end_s);
    let scale = drawing.numbers(most, "arrivals per second");
    let time = drawing.time(course.end_s);
    for column in &course.columns {
        let (from, to) = (time.place(column.from_s), time.place(column.to_s));
        let mut bar = |rate: f64, above: f64, class: &str| {
            let (low, high) = (scale.place(above), scale.place(above + rate));
            if low - high > 0.05 {
                drawing.rect(from, high, (to - from - 0.5).max(0.5), low - high, class);
            }
        };
        let arrived = column.rate(column.arrived);
        bar(arrived, 0.0, "area arrived");
        bar(column.rate(column.dropped), arrived, "area dropped");
    }
    let corners = course.columns.iter().flat_map(|column| {
        let y = scale.place(column.rate(column.offered));
        [
            Some((time.place(column.from_s), y)),
            Some((time.place(column.to_s), y)),
        ]
    });
    drawing.line("line offered", corners.collect::<Vec<_>>());
    drawing.columns(course.columns.iter().map(|column| {
        let text = format!(
            "{}\n{} due\n{} came\n{} left out\n{} under way at most",
            between(column.from_s, column.to_s),
            grouped(column.offered),
            grouped(column.arrived),
            grouped(column.dropped),
            grouped(column.in_flight)
        );
        (time.place(column.from_s), time.place(column.to_s), text)
    }));
    drawing.done()
}
