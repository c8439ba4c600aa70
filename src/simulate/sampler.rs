//! Gathers what the shards were told into the course of the run, and tells whoever watches of the last second.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::gauges::Gauges;
use super::measure::{Course, Event, SLICE, Slice, Step, Tally, distribution};

/// How often it looks.
const EVERY: Duration = Duration::from_millis(50);

/// Slices of the last second: those that are complete, without the one under way.
const LAST_SECOND: u64 = 10;

/// How many slices are kept open for latecomers, and for whoever watches.
const OPEN: u64 = LAST_SECOND + 2;

/// The last second of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Glance {
    /// Arrivals that were due.
    pub offered: u64,
    /// Arrivals that came.
    pub arrived: u64,
    /// Arrivals that were left out.
    pub dropped: u64,
    /// Orders that became final.
    pub decided: u64,
    /// Median and 99th percentile of each [`Step`], in microseconds; zero where there were none.
    pub latency_us: [(u64, u64); Step::ALL.len()],
}

/// What the sampler has gathered.
#[derive(Debug)]
pub(super) struct Sampler {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<u64, Slice>,
    course: Course,
}

impl Sampler {
    pub(super) fn new(began: Instant) -> Self {
        Self {
            began,
            state: Mutex::default(),
        }
    }

    /// When the run began.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// Samples until dropped.
    pub(super) async fn run(&self, tally: &Tally, gauges: &Gauges) -> Infallible {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.sample(tally.take_slices(self.slice()), gauges);
        }
    }

    /// Takes what the shards have finished, and looks at the gauges.
    pub(super) fn sample(&self, slices: Vec<Slice>, gauges: &Gauges) {
        let now = self.slice();
        let mut state = self.state.lock();
        for slice in slices {
            state.take(&slice, now);
        }
        while let Some(first) = state.open.first_entry()
            && first.key() + OPEN < now
        {
            let slice = first.remove();
            state.course.add(&slice);
        }
        state
            .course
            .see(now, gauges.in_flight(), gauges.backlog(), gauges.stock());
    }

    /// The last second.
    pub(super) fn glance(&self) -> Glance {
        let now = self.slice();
        let state = self.state.lock();
        let mut sum = Slice::default();
        for (_, slice) in state.open.range(now.saturating_sub(LAST_SECOND)..now) {
            sum.add(slice);
        }
        drop(state);
        let count = |event: Event| sum.counts[event as usize];
        Glance {
            offered: count(Event::Offered),
            arrived: count(Event::Arrived),
            dropped: count(Event::Dropped),
            decided: count(Event::Placed) + count(Event::Failed),
            latency_us: sum.latency_us.map(|times| percentiles(&times)),
        }
    }

    /// The whole course, with what the shards had left.
    pub(super) fn finish(&self, rest: &[Slice]) -> Course {
        let State { open, mut course } = std::mem::take(&mut *self.state.lock());
        for slice in open.values().chain(rest) {
            course.add(slice);
        }
        course
    }

    fn slice(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos() / SLICE.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl State {
    fn take(&mut self, slice: &Slice, now: u64) {
        if slice.index + OPEN < now && !self.open.contains_key(&slice.index) {
            self.course.add(slice);
            return;
        }
        self.open
            .entry(slice.index)
            .or_insert_with(|| Slice::at(slice.index))
            .add(slice);
    }
}

fn percentiles(times_us: &[u64]) -> (u64, u64) {
    let histogram = distribution(times_us);
    (
        histogram.value_at_quantile(0.5),
        histogram.value_at_quantile(0.99),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(index: u64, us: u64) -> Slice {
        Slice::sample(index, Event::Arrived, (Step::AddToCart, us))
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_second_is_told_and_the_whole_course_is_kept() {
        let sampler = Sampler::new(Instant::now());
        let gauges = Gauges::default();
        for index in 0..50 {
            tokio::time::advance(SLICE).await;
            // Two shards.
            sampler.sample(vec![slice(index, 10), slice(index, 1_000)], &gauges);
        }
        let glance = sampler.glance();
        assert_eq!(glance.arrived, 20);
        assert_eq!(glance.latency_us[0], (10, 1_000));
        assert_eq!(glance.latency_us[1], (0, 0));
        let course = sampler.finish(&[slice(3, 5), slice(50, 7)]);
        let arrived: Vec<u64> = (course.intervals().iter())
            .map(|interval| interval.count(Event::Arrived))
            .collect();
        assert_eq!(arrived.len(), 51);
        assert_eq!((arrived[3], arrived[49], arrived[50]), (3, 2, 1));
        assert_eq!(course.intervals()[3].latency(Step::AddToCart).len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_latecomer_is_added_to_its_own_interval() {
        let sampler = Sampler::new(Instant::now());
        let gauges = Gauges::default();
        sampler.sample(vec![slice(0, 10)], &gauges);
        tokio::time::advance(SLICE * 100).await;
        sampler.sample(vec![slice(0, 30)], &gauges);
        let course = sampler.finish(&[]);
        assert_eq!(course.intervals()[0].count(Event::Arrived), 2);
        assert_eq!(course.intervals().len(), 101);
    }
}
