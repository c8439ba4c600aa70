//! What a run has recorded, as the report tells it.

use std::time::Duration;

use crate::domain::Sku;
use crate::report::{Arrivals, Distribution, Distributions, Series, StageBand, StockCourse};
use crate::simulate::{
    Arrivals as Pacing, Course, Event, Measured, Plan, Punctuality, Step, WATCHED_MAX,
    encode_histogram,
};

/// How honest the generator was.
pub(super) fn arrivals(plan: &Plan, punctuality: &Punctuality) -> Arrivals {
    Arrivals {
        model: plan.model().to_owned(),
        offered: punctuality.offered,
        late: punctuality.late,
        dropped: punctuality.dropped,
        lag_max_ms: ms(punctuality.lag_max),
        warmed_up: punctuality.warmed_up,
    }
}

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

/// The course of the run.
pub(super) fn series(course: &Course, plan: &Plan) -> Series {
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
        stages: bands(plan, course),
        stock: stock(course, &plan.most_wanted(WATCHED_MAX)),
    }
}

/// Parts of the run with a rate of their own, and the warm-up, which lies over them.
fn bands(plan: &Plan, course: &Course) -> Vec<StageBand> {
    let Pacing::Open { schedule, .. } = plan.pacing() else {
        return Vec::new();
    };
    let intervals = u32::try_from(course.intervals().len()).unwrap_or(u32::MAX);
    let end = course.interval() * intervals;
    let band = |from: Duration, to: Duration, name: String, rate: f64| StageBand {
        from_ms: ms(from),
        to_ms: ms(to),
        name,
        rate,
    };
    let mut bands = Vec::new();
    let warm_up = plan.warm_up();
    if !warm_up.is_zero() {
        let rate = schedule.rate_at(warm_up).per_second();
        bands.push(band(Duration::ZERO, warm_up, "warm-up".to_owned(), rate));
    }
    for part in schedule.bands() {
        let to = part.to.unwrap_or(end);
        bands.push(band(part.from, to, part.name, part.rate.per_second()));
    }
    bands
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
