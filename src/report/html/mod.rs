//! A run as one HTML file that needs nothing else: no network, no fonts, and no script to be read.

mod backlog;
mod course;
mod curve;
mod delay;
mod fairness;
mod head;
mod heatmap;
mod outcomes;
mod rates;
mod scale;
mod section;
mod spectrum;
mod stock;
mod svg;
mod tables;
#[cfg(test)]
mod tests;
mod text;

use jiff::Timestamp;

use super::{Chart, RunReport};
use text::{escaped, joined};

/// How it looks, in light and dark.
const STYLE: &str = include_str!("style.css");

/// What a pointer over a chart shows; without it, browsers show the same as plain titles.
const SCRIPT: &str = include_str!("script.js");

/// Nothing is loaded, whatever the page holds.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// The report as a page.
pub(super) fn page(report: &RunReport) -> String {
    let title = format!("oms storm: {}", super::verdict::words(report).0);
    document(&title, &body(report))
}

/// A chart as a page.
pub(super) fn chart_page(chart: &Chart) -> String {
    document(&format!("oms: {}", chart.title), &curve::body(chart))
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style></head>\n<body><main>\n{body}</main>\n\
         <script>\n{SCRIPT}</script></body></html>\n",
        escaped(title)
    )
}

fn body(report: &RunReport) -> String {
    let course = course::Course::of(report, 1);
    let over_time = if course.is_empty() {
        "<section class=\"card\"><p class=\"reading\">This run has no course over time.</p></section>\n".to_owned()
    } else {
        joined([
            heatmap::section(report).markup(),
            rates::section(report).markup(),
            outcomes::section(report).markup(),
            backlog::section(report).markup(),
            delay::section(report).markup(),
        ])
    };
    joined([
        header(report),
        head::verdict(report),
        head::tiles(report),
        "<div class=\"grid\">\n".to_owned(),
        over_time,
        spectrum::section(report).map_or_else(String::new, |section| section.markup()),
        fairness::section(report).map_or_else(String::new, |section| section.markup()),
        stock::section(report).map_or_else(String::new, |section| section.markup()),
        tables::baseline(report),
        tables::repeats(report),
        tables::steps(report),
        tables::reasons(report),
        tables::settings(report),
        "</div>\n".to_owned(),
        again(report),
    ])
}

fn header(report: &RunReport) -> String {
    let settings = &report.settings;
    let when = i64::try_from(report.started_at)
        .ok()
        .filter(|ms| *ms > 0)
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .map_or_else(String::new, |at| {
            format!("{}, ", at.strftime("%Y-%m-%d %H:%M:%S UTC"))
        });
    let model = if report.arrivals.model.is_empty() {
        String::new()
    } else {
        format!(", {} model", report.arrivals.model)
    };
    let what = format!(
        "{when}{} against {}{model}, oms {}",
        crate::terminal::many(report.users, "buyer"),
        settings.target,
        settings.version
    );
    format!("<header><h1>Storm</h1><p>{}</p></header>\n", escaped(&what))
}

fn again(report: &RunReport) -> String {
    if report.command.is_empty() {
        return String::new();
    }
    format!(
        "<section class=\"card\"><h2>To repeat it</h2><pre>{}</pre></section>\n",
        escaped(&report.command)
    )
}
