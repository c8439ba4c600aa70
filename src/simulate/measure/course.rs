//! The course of a run: intervals of 100 ms, or of 200, 400 and so on where the run is longer.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::latency::{self, Step};
use super::slice::{Event, SLICE, Slice};

/// The most intervals of a course. When there are more, each two become one.
pub const INTERVALS_MAX: usize = 600;

/// What happened in one interval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interval {
    /// How often each [`Event`] was.
    pub counts: [u64; Event::COUNT],
    /// Buyers under way, the most that were seen.
    pub in_flight: u64,
    /// Messages that waited for a worker, the most that were seen.
    pub backlog: u64,
    /// Available and blocked units of the watched items at its end; empty if nobody looked.
    pub stock: Vec<(i64, i64)>,
    /// Intended latencies by [`Step`], packed.
    latency: [Vec<u8>; Step::ALL.len()],
}

impl Interval {
    /// How often an event was.
    pub fn count(&self, event: Event) -> u64 {
        self.counts[event as usize]
    }

    /// Intended latencies of a step that ended in it.
    pub fn latency(&self, step: Step) -> Histogram<u32> {
        latency::unpack(&self.latency[step.index()])
    }

    fn add(&mut self, later: Self) {
        for (sum, count) in self.counts.iter_mut().zip(later.counts) {
            *sum += count;
        }
        self.in_flight = self.in_flight.max(later.in_flight);
        self.backlog = self.backlog.max(later.backlog);
        if !later.stock.is_empty() {
            self.stock = later.stock;
        }
        for (sum, part) in self.latency.iter_mut().zip(later.latency) {
            if sum.is_empty() {
                *sum = part;
            } else if !part.is_empty() {
                let mut both = latency::unpack(sum);
                latency::add(&mut both, &latency::unpack(&part));
                *sum = latency::pack(&both);
            }
        }
    }
}

/// What happened when. Its memory is bounded: a histogram that nobody adds to is packed.
#[derive(Debug, Clone, Default)]
pub struct Course {
    intervals: Vec<Interval>,
    /// An interval is `2^doublings` slices long.
    doublings: u32,
}

impl Course {
    /// How long an interval is.
    pub fn interval(&self) -> Duration {
        SLICE * 2_u32.pow(self.doublings)
    }

    /// The intervals, from the beginning of the run.
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// Adds what happened in a slice.
    pub fn add(&mut self, slice: &Slice) {
        let latency = slice
            .latency_us
            .each_ref()
            .map(|times| latency::pack(&latency::of(times)));
        self.at(slice.index).add(Interval {
            counts: slice.counts,
            latency,
            ..Interval::default()
        });
    }

    /// Notes what was seen in a slice: buyers under way, messages that waited, and the watched items.
    pub fn see(&mut self, index: u64, in_flight: u64, backlog: u64, stock: Vec<(i64, i64)>) {
        self.at(index).add(Interval {
            in_flight,
            backlog,
            stock,
            ..Interval::default()
        });
    }

    /// The interval that a slice lies in.
    fn at(&mut self, slice: u64) -> &mut Interval {
        let index = |doublings: u32| usize::try_from(slice >> doublings).unwrap_or(usize::MAX);
        while index(self.doublings) >= INTERVALS_MAX {
            self.halve();
        }
        let index = index(self.doublings);
        if self.intervals.len() <= index {
            self.intervals.resize_with(index + 1, Interval::default);
        }
        &mut self.intervals[index]
    }

    fn halve(&mut self) {
        self.doublings += 1;
        let mut pairs = std::mem::take(&mut self.intervals).into_iter();
        while let Some(mut first) = pairs.next() {
            if let Some(second) = pairs.next() {
                first.add(second);
            }
            self.intervals.push(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(index: u64, us: u64) -> Slice {
        Slice::sample(index, Event::Placed, (Step::PlaceOrder, us))
    }

    #[test]
    fn a_short_run_has_intervals_of_a_tenth_of_a_second() {
        let mut course = Course::default();
        course.add(&slice(0, 10));
        course.add(&slice(2, 30));
        course.add(&slice(2, 50));
        course.see(1, 5, 7, vec![(3, 1)]);
        course.see(1, 4, 9, Vec::new());
        assert_eq!(course.interval(), SLICE);
        let counts: Vec<u64> = (course.intervals().iter())
            .map(|interval| interval.count(Event::Placed))
            .collect();
        assert_eq!(counts, [1, 0, 2]);
        let seen = &course.intervals()[1];
        assert_eq!((seen.in_flight, seen.backlog), (5, 9));
        assert_eq!(seen.stock, [(3, 1)], "nobody looked the second time");
        assert_eq!(course.intervals()[2].latency(Step::PlaceOrder).max(), 50);
        assert!(course.intervals()[2].latency(Step::AddToCart).is_empty());
    }

    #[test]
    fn a_long_run_has_six_hundred_intervals_at_most_and_loses_nothing() {
        let mut course = Course::default();
        for index in 0..5_000 {
            course.add(&slice(index, index + 1));
            course.see(index, index, 1, vec![(1, i64::try_from(index).unwrap())]);
        }
        assert_eq!(course.interval(), SLICE * 16);
        assert_eq!(course.intervals().len(), 313);
        let mut all = latency::empty();
        let mut placed = 0;
        for interval in course.intervals() {
            placed += interval.count(Event::Placed);
            latency::add(&mut all, &interval.latency(Step::PlaceOrder));
        }
        assert_eq!((placed, all.len()), (5_000, 5_000));
        let first = &course.intervals()[0];
        assert_eq!(
            (first.in_flight, first.stock[0]),
            (15, (1, 15)),
            "the most under way, and the stock at the end"
        );
    }

    #[test]
    fn a_straggler_is_added_where_it_belongs() {
        let mut course = Course::default();
        course.add(&slice(9_000, 5));
        course.add(&slice(0, 7));
        assert_eq!(course.intervals()[0].latency(Step::PlaceOrder).len(), 1);
        assert_eq!(course.intervals().len(), 9_000 / 16 + 1);
    }
}
