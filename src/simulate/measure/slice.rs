//! What one shard was told within one slice of time.

use std::time::Duration;

use super::latency::{self, Step};

/// How long a slice is.
pub const SLICE: Duration = Duration::from_millis(100);

/// What is counted over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An arrival was due.
    Offered,
    /// A buyer came.
    Arrived,
    /// An arrival was left out.
    Dropped,
    /// An order was placed.
    Placed,
    /// An accepted order failed.
    Failed,
    /// A cart was refused at once.
    Refused,
}

impl Event {
    /// How many there are.
    pub const COUNT: usize = 6;
}

/// What happened within [`SLICE`], as far as one shard was told.
#[derive(Debug, Default)]
pub struct Slice {
    /// Which slice, from the beginning of the run.
    pub index: u64,
    /// How often each [`Event`] was.
    pub counts: [u64; Event::COUNT],
    /// Intended latencies that ended in it, by [`Step`], in microseconds and in no order. A few numbers take less room
    /// and time than a distribution of them.
    pub latency_us: [Vec<u64>; Step::ALL.len()],
}

impl Slice {
    /// An empty slice.
    pub fn at(index: u64) -> Self {
        Self {
            index,
            ..Self::default()
        }
    }

    /// A slice in which something happened, and a step ended that took so many microseconds.
    #[cfg(test)]
    pub(crate) fn sample(index: u64, event: Event, (step, us): (Step, u64)) -> Self {
        let mut slice = Self::at(index);
        slice.counts[event as usize] = 1;
        slice.record(step, Duration::from_micros(us));
        slice
    }

    /// Whether nothing happened in it.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0) && self.latency_us.iter().all(Vec::is_empty)
    }

    /// Records how long a step took.
    pub fn record(&mut self, step: Step, took: Duration) {
        self.latency_us[step.index()].push(latency::micros(took));
    }

    /// Adds what happened elsewhere in the same slice.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(other.counts) {
            *sum += count;
        }
        for (all, part) in self.latency_us.iter_mut().zip(&other.latency_us) {
            all.extend_from_slice(part);
        }
    }
}
