//! What a run has recorded, as the report tells it.

use std::time::Duration;

use crate::domain::Sku;
use crate::report::{Distribution, Distributions, Series, StockCourse};
use crate::simulate::{Course, Event, Measured, Step, encode_histogram};

/// Distributions of every step.
pub(super) fn histograms(measured: &Measured) -> Distributions {
    Step::ALL
        .into_iter()
        .map(|step| {
            let distribution = Distribution {
                service: encode_histogram(measured.service.of(step)),
                intended: encode_histogram(measured.latencies.of(step)),
            };
            (step.as_str().to_owned(), distribution)
        })
        .collect()
}

/// The course of the run. `watched` are the items whose stock was watched.
pub(super) fn series(course: &Course, watched: &[Sku]) -> Series {
    let count = |event: Event| {
        let counts = course.intervals().iter();
        counts.map(|interval| interval.count(event)).collect()
    };
    let latency = |step: Step| {
        let encoded = course.intervals().iter();
        let encoded = encoded.map(|interval| encode_histogram(&interval.latency(step)));
        (step.as_str().to_owned(), encoded.collect())
    };
    Series {
        interval_ms: ms(course.interval()),
        offered: count(Event::Offered),
        arrived: count(Event::Arrived),
        dropped: count(Event::Dropped),
        placed: count(Event::Placed),
        failed: count(Event::Failed),
        refused: count(Event::Refused),
        in_flight: (course.intervals().iter())
            .map(|interval| interval.in_flight)
            .collect(),
        backlog: (course.intervals().iter())
            .map(|interval| interval.backlog)
            .collect(),
        latency: Step::ALL.map(latency).into(),
        stages: Vec::new(),
        stock: stock(course, watched),
    }
}

/// The stock of the watched items; none of it where nobody knew any.
fn stock(course: &Course, watched: &[Sku]) -> Vec<StockCourse> {
    let Some(first) = (course.intervals().iter()).position(|seen| !seen.stock.is_empty()) else {
        return Vec::new();
    };
    let mut courses: Vec<StockCourse> = (watched.iter())
        .map(|sku| StockCourse {
            sku: sku.clone(),
            available: Vec::new(),
            blocked: Vec::new(),
        })
        .collect();
    let mut known = &course.intervals()[first].stock;
    for interval in course.intervals() {
        if !interval.stock.is_empty() {
            known = &interval.stock;
        }
        for (course, (available, blocked)) in courses.iter_mut().zip(known) {
            course.available.push(*available);
            course.blocked.push(*blocked);
        }
    }
    courses
}

/// Whole milliseconds.
pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
