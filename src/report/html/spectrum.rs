//! The percentile spectrum: how long all but the slowest took, with the tail drawn as large as it matters.

use hdrhistogram::Histogram;

use super::scale::Linear;
use super::section::{Section, prose, tabs};
use super::svg::{Anchor, Drawing, Frame, HALF, LEFT, both};
use super::text::double;
use crate::report::verdict::{milliseconds, step as named};
use crate::report::{RunReport, distribution};
use crate::terminal::grouped;

const STEPS: [&str; 3] = ["end_to_end", "place_order", "add_to_cart"];

/// The percentiles of the table.
const QUANTILES: [(f64, &str); 8] = [
    (0.5, "50 %"),
    (0.75, "75 %"),
    (0.9, "90 %"),
    (0.95, "95 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (1.0, "all"),
];

/// How far the names of two percentiles are apart at least, in pixels.
const NAME: f64 = 52.0;

/// Both distributions of a step.
struct Both {
    service: Histogram<u64>,
    intended: Histogram<u64>,
}

fn read(report: &RunReport, step: &str) -> Option<Both> {
    let both = report.histograms.get(step)?;
    let intended = distribution::decode(&both.intended).ok()?;
    (!intended.is_empty()).then_some(())?;
    let service = distribution::decode(&both.service).ok()?;
    Some(Both { service, intended })
}

pub(super) fn section(report: &RunReport) -> Option<Section> {
    let known: Vec<(&str, Both)> = (STEPS.iter())
        .filter_map(|step| Some((*step, read(report, step)?)))
        .collect();
    let panels: Vec<(&str, String)> = (known.iter())
        .map(|(step, both_of)| {
            let reading = prose(&reading(both_of));
            let chart = both(HALF, |frame| chart(step, both_of, frame));
            (
                named(step),
                format!("<p class=\"reading\">{reading}</p>{chart}"),
            )
        })
        .collect();
    (!panels.is_empty()).then(|| Section {
        title: "Percentiles",
        reading: "From when each was due (what a buyer waits), and from when it was sent (what the service took).".to_owned(),
        legend: &[("line p99", "since due"), ("line service", "since sent")],
        chart: tabs("spectrum", &panels),
        header: vec!["step, within", "since due", "since sent"],
        rows: known.iter().flat_map(|(step, both)| rows(step, both)).collect(),
        half: true,
    })
}

fn reading(both: &Both) -> String {
    let ms = |histogram: &Histogram<u64>, quantile| {
        milliseconds(double(histogram.value_at_quantile(quantile)) / 1_000.0)
    };
    let (due, sent) = (
        both.intended.value_at_quantile(0.99),
        both.service.value_at_quantile(0.99),
    );
    let waiting = if both.service.is_empty() || due <= sent + sent / 10 {
        "sending was hardly ever late".to_owned()
    } else {
        format!(
            "of the latter the service took {}, and the rest went by before it was asked",
            ms(&both.service, 0.99)
        )
    };
    format!(
        "Half took up to {}, and one in a hundred more than {}; {waiting}.",
        ms(&both.intended, 0.5),
        ms(&both.intended, 0.99),
    )
}

/// Nines: 1 is 90 %, 2 is 99 %, and so on.
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-9).log10()
}

fn chart(step: &str, both: &Both, frame: Frame) -> String {
    let count = both.intended.len().max(2);
    let most = nines(1.0 - 1.0 / double(count)).clamp(1.0, 6.0);
    let (service, intended) = (&both.service, &both.intended);
    let low = if service.is_empty() {
        intended.min()
    } else {
        intended.min().min(service.min())
    };
    let mut drawing = Drawing::new(frame, &format!("Percentiles of {}", named(step)));
    let scale = drawing.latencies(low, intended.max().max(service.max()));
    let across = Linear::new(most, LEFT, frame.right());
    drawing.across(&across, "of all took at most so long", &|_| String::new());
    let mut free = 0.0;
    for (quantile, name) in [
        (0.0, "0 %"),
        (0.9, "90 %"),
        (0.99, "99 %"),
        (0.999, "99.9 %"),
        (0.9999, "99.99 %"),
        (0.99999, "99.999 %"),
    ] {
        let x = across.place(nines(quantile));
        if nines(quantile) <= most + 1e-9 && x >= free {
            free = x + NAME;
            drawing.text(x, frame.bottom() + 16.0, Anchor::Middle, "tick", name);
        }
    }
    for (class, histogram) in [("line service", service), ("line p99", intended)] {
        if histogram.is_empty() {
            continue;
        }
        let points = (0..=120).map(|number| {
            let nines = most * f64::from(number) / 120.0;
            let us = histogram.value_at_quantile(1.0 - 10_f64.powf(-nines));
            Some((across.place(nines), scale.place(double(us))))
        });
        drawing.line(class, points);
    }
    let steps = 24_u32;
    drawing.columns((0..steps).map(|number| {
        let [from, middle, to] =
            [0.0, 0.5, 1.0].map(|part| most * (f64::from(number) + part) / f64::from(steps));
        let quantile = 1.0 - 10_f64.powf(-middle);
        let ms = |histogram: &Histogram<u64>| {
            milliseconds(double(histogram.value_at_quantile(quantile)) / 1_000.0)
        };
        let text = format!(
            "{:.3} %\nsince due {}\nsince sent {}",
            quantile * 100.0,
            ms(intended),
            ms(service)
        );
        (across.place(from), across.place(to), text)
    }));
    drawing.done()
}

fn rows(step: &str, both: &Both) -> Vec<Vec<String>> {
    QUANTILES
        .iter()
        .map(|(quantile, name)| {
            let ms = |histogram: &Histogram<u64>| {
                if histogram.is_empty() {
                    return "–".to_owned();
                }
                milliseconds(double(histogram.value_at_quantile(*quantile)) / 1_000.0)
            };
            let head = format!("{} {name} of {}", named(step), grouped(both.intended.len()));
            vec![head, ms(&both.intended), ms(&both.service)]
        })
        .collect()
}
