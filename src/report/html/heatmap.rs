//! Latency over time: how many took how long in each moment, with percentiles drawn over it.

use std::fmt::Write as _;

use super::course::{Column, Course};
use super::section::{Section, prose, tabs};
use super::svg::{Anchor, Drawing, FULL, Frame, LEFT, TOP, between, both};
use super::text::{at, double};
use crate::report::RunReport;
use crate::report::verdict::{milliseconds, step as named};
use crate::terminal::{grouped, many};

/// The steps, that which a buyer feels first.
const STEPS: [&str; 3] = ["end_to_end", "place_order", "add_to_cart"];

/// Shades, the lightest first.
const SHADES: usize = 8;

/// How high and wide a cell is at least, in pixels.
const CELL: f64 = 7.0;

pub(super) fn section(report: &RunReport) -> Section {
    let fine = Course::of(report, 200);
    let panels = STEPS.map(|step| {
        let reading = prose(&reading(&fine, step));
        let chart = both(FULL, |frame| chart(report, frame, step));
        (
            named(step),
            format!("<p class=\"reading\">{reading}</p>{chart}"),
        )
    });
    Section {
        title: "Latency over time",
        reading: "How many orders took how long in each moment, from when they were due: the stronger the colour, the more.".to_owned(),
        legend: &[("line p50", "p50"), ("line p99", "p99"), ("heat", "orders")],
        chart: tabs("heat", &panels),
        header: vec!["step, from", "count", "p50", "p90", "p99", "max"],
        rows: STEPS.iter().flat_map(|step| rows(&fine, step)).collect(),
        half: false,
    }
}

/// What happened to the 99th percentile, in a sentence.
pub(super) fn reading(course: &Course<'_>, step: &str) -> String {
    let p99s: Vec<(&Column, u64)> = (course.columns.iter())
        .filter_map(|column| Some((column, column.quantile_us(step, 0.99)?)))
        .collect();
    let mut sorted: Vec<u64> = p99s.iter().map(|(_, us)| *us).collect();
    sorted.sort_unstable();
    let (Some((worst, most)), Some(usual)) = (
        p99s.iter().max_by_key(|(_, us)| *us),
        sorted.get(sorted.len().saturating_sub(1) / 2),
    ) else {
        return format!("Nothing was measured of {}.", named(step));
    };
    let ms = |us: u64| milliseconds(double(us) / 1_000.0);
    if *most < 2 * usual {
        return format!(
            "p99 of {} kept between {} and {}.",
            named(step),
            ms(sorted[0]),
            ms(*most)
        );
    }
    let backlog = match worst.backlog {
        0 => "with nothing waiting for a worker".to_owned(),
        backlog => format!("when the backlog was {}", grouped(backlog)),
    };
    format!(
        "p99 of {} rose from a usual {} to {} at {}, {backlog}.",
        named(step),
        ms(*usual),
        ms(*most),
        at(worst.from_s),
    )
}

fn chart(report: &RunReport, frame: Frame, step: &str) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a handful of columns"
    )]
    let columns_max = ((frame.right() - LEFT) / CELL) as usize;
    let course = Course::of(report, columns_max);
    let of = |column: &Column| column.latency.get(step).cloned();
    let all: Vec<_> = course
        .columns
        .iter()
        .filter_map(of)
        .filter(|all| !all.is_empty())
        .collect();
    let low = all
        .iter()
        .map(|all| all.value_at_quantile(0.01))
        .min()
        .unwrap_or(1_000);
    let high = all
        .iter()
        .map(hdrhistogram::Histogram::max)
        .max()
        .unwrap_or(1_000_000);
    let mut drawing = Drawing::new(frame, &format!("Latency of {} over time", named(step)));
    let scale = drawing.latencies(low, high);
    let time = drawing.time(course.end_s);
    for (shade, d) in cells(&course, step, frame, &scale, &time)
        .iter()
        .enumerate()
    {
        drawing.path(&format!("h{shade}"), d);
    }
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
        let point = |column: &Column| {
            let us = column.quantile_us(step, quantile)?;
            Some((time.place(column.middle_s()), scale.place(double(us))))
        };
        drawing.line(&format!("halo {name}"), course.columns.iter().map(point));
        drawing.line(&format!("line {name}"), course.columns.iter().map(point));
        if let Some((x, y)) = course.columns.iter().rev().find_map(point) {
            drawing.text(x + 6.0, y + 4.0, Anchor::Start, "name", name);
        }
    }
    drawing.columns(course.columns.iter().map(|column| {
        let text = match column.latency.get(step) {
            Some(all) if !all.is_empty() => {
                let ms = |quantile| milliseconds(double(all.value_at_quantile(quantile)) / 1_000.0);
                format!(
                    "{} ended\np50 {}\np90 {}\np99 {}\nmax {}",
                    grouped(all.len()),
                    ms(0.5),
                    ms(0.9),
                    ms(0.99),
                    ms(1.0)
                )
            }
            _ => "nothing ended".to_owned(),
        };
        let head = between(column.from_s, column.to_s);
        (
            time.place(column.from_s),
            time.place(column.to_s),
            format!("{head}\n{text}"),
        )
    }));
    drawing.done()
}

/// The cells of each shade as one path: a rectangle each would be a hundred times as much markup.
fn cells(
    course: &Course<'_>,
    step: &str,
    frame: Frame,
    scale: &super::scale::Log,
    time: &super::scale::Linear,
) -> [String; SHADES] {
    let height = frame.bottom() - TOP;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a handful of rows"
    )]
    let rows = (height / CELL) as usize;
    let counts: Vec<Vec<u64>> = (course.columns.iter())
        .map(|column| {
            let mut counts = vec![0; rows];
            for value in column
                .latency
                .get(step)
                .iter()
                .flat_map(|all| all.iter_recorded())
            {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "a handful of rows"
                )]
                let row = (scale.share(double(value.value_iterated_to())) * rows as f64) as usize;
                counts[row.min(rows - 1)] += value.count_at_value();
            }
            counts
        })
        .collect();
    let most = counts.iter().flatten().copied().max().unwrap_or(0).max(1);
    let mut shades = [const { String::new() }; SHADES];
    for (column, counts) in course.columns.iter().zip(&counts) {
        let (from, to) = (time.place(column.from_s), time.place(column.to_s));
        for (row, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            // The root lets the tail be seen beside the bulk.
            let share = (double(*count) / double(most)).sqrt();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "one of a few shades"
            )]
            let shade = ((share * SHADES as f64) as usize).min(SHADES - 1);
            #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
            let (row, rows) = (row as f64, rows as f64);
            let (y, cell) = (frame.bottom() - (row + 1.0) * height / rows, height / rows);
            let _ = write!(
                shades[shade],
                "M{from:.1} {y:.1}h{:.1}v{:.1}h{:.1}z",
                to - from - 0.4,
                cell - 0.4,
                -(to - from - 0.4)
            );
        }
    }
    shades
}

fn rows(course: &Course<'_>, step: &str) -> Vec<Vec<String>> {
    (course.columns.iter())
        .filter_map(|column| Some((column, column.latency.get(step)?)))
        .filter(|(_, all)| !all.is_empty())
        .map(|(column, all)| {
            let mut row = vec![
                format!("{} {}", named(step), at(column.from_s)),
                many(all.len(), "order"),
            ];
            row.extend(
                [0.5, 0.9, 0.99, 1.0].map(|quantile| {
                    milliseconds(double(all.value_at_quantile(quantile)) / 1_000.0)
                }),
            );
            row
        })
        .collect()
}
