//! How the stock of the most wanted items went down: one small chart each, all of one size.

use std::fmt::Write as _;

use super::scale::Linear;
use super::section::Section;
use super::svg::{Drawing, Frame, short};
use super::text::{at, double, escaped, joined};
use crate::report::{RunReport, StockCourse};

const SMALL: Frame = Frame {
    width: 190.0,
    height: 84.0,
};

/// Where the drawing is: without axes, but for the largest and the last value.
const TOP: f64 = 6.0;
const BOTTOM: f64 = 78.0;

/// Points of a curve at most.
const POINTS_MAX: usize = 95;

pub(super) fn section(report: &RunReport) -> Option<Section> {
    let series = &report.series;
    let courses: Vec<&StockCourse> = series
        .stock
        .iter()
        .filter(|course| !course.available.is_empty())
        .collect();
    let charts = joined(courses.iter().map(|course| small(course)));
    (!courses.is_empty()).then(|| Section {
        title: "Stock of the most wanted items",
        reading: reading(&courses, series.interval_ms),
        legend: &[("area placed", "available"), ("area failed", "held")],
        chart: format!("<div class=\"small\">{charts}</div>"),
        header: vec!["item, at", "available", "held"],
        rows: courses
            .iter()
            .flat_map(|course| rows(course, series.interval_ms))
            .collect(),
        half: false,
    })
}

fn seconds(at: usize, interval_ms: u64) -> f64 {
    double((at as u64 + 1) * interval_ms) / 1_000.0
}

/// When nothing was available any more, for the first time.
fn sold_out(course: &StockCourse) -> Option<usize> {
    course.available.iter().position(|units| *units <= 0)
}

fn reading(courses: &[&StockCourse], interval_ms: u64) -> String {
    let first = courses
        .iter()
        .filter_map(|course| Some((sold_out(course)?, course)))
        .min_by_key(|(at, _)| *at);
    let Some((moment, first)) = first else {
        return "None of the most wanted items sold out.".to_owned();
    };
    let gone = courses
        .iter()
        .filter(|course| sold_out(course).is_some())
        .count();
    format!(
        "{gone} of the {} most wanted items had nothing left at some time, {} first, at {}.",
        courses.len(),
        first.sku,
        at(seconds(moment, interval_ms))
    )
}

fn small(course: &StockCourse) -> String {
    let units = |levels: &[i64], at: usize| -> u64 {
        let level = levels.get(at).or(levels.last()).copied().unwrap_or(0);
        u64::try_from(level).unwrap_or(0)
    };
    let count = course.available.len();
    let stride = count.div_ceil(POINTS_MAX).max(1);
    let moments: Vec<usize> = (0..count).step_by(stride).chain([count - 1]).collect();
    let both = |at: usize| units(&course.available, at) + units(&course.blocked, at);
    let most = (0..count).map(both).max().unwrap_or(0);
    let mut drawing = Drawing::new(SMALL, &format!("Stock of {}", course.sku));
    let across = Linear::new(
        double(count.saturating_sub(1).max(1) as u64),
        0.0,
        SMALL.width,
    );
    let scale = Linear::new(double(most), BOTTOM, TOP);
    let area = |of: &dyn Fn(usize) -> u64| {
        let mut d = format!("M0 {BOTTOM}");
        for at in &moments {
            let (x, y) = (
                across.place(double(*at as u64)),
                scale.place(double(of(*at))),
            );
            // Writing to a string cannot fail.
            let _ = write!(d, "L{x:.1} {y:.1}");
        }
        let _ = write!(d, "L{} {BOTTOM}z", SMALL.width);
        d
    };
    drawing.path("area failed", &area(&both));
    drawing.path("area placed", &area(&|at| units(&course.available, at)));
    format!(
        "<figure>{}<figcaption><b>{}</b> <span>{} to {}</span></figcaption></figure>",
        drawing.done(),
        escaped(course.sku.as_str()),
        short(double(both(0))),
        short(double(units(&course.available, count - 1))),
    )
}

/// Ten moments of each.
fn rows(course: &StockCourse, interval_ms: u64) -> Vec<Vec<String>> {
    let count = course.available.len();
    let stride = count.div_ceil(10).max(1);
    (0..count)
        .step_by(stride)
        .map(|moment| {
            let blocked = course.blocked.get(moment).copied().unwrap_or(0);
            vec![
                format!("{} {}", course.sku, at(seconds(moment, interval_ms))),
                course.available[moment].to_string(),
                blocked.to_string(),
            ]
        })
        .collect()
}
