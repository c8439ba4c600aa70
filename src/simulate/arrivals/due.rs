//! When each arrival of a schedule is due.

use std::time::Duration;

use super::{Gaps, Schedule};
use crate::rng::Rng;

/// When arrivals are due: times from the beginning of the run, in order. It ends with the schedule, if that does.
#[derive(Debug)]
pub struct Due<'a> {
    schedule: &'a Schedule,
    gaps: Gaps,
    rng: Rng,
    /// Arrivals to be expected until the next one.
    count: f64,
}

impl<'a> Due<'a> {
    /// Arrivals by this schedule, drawn from this stream.
    pub fn new(schedule: &'a Schedule, gaps: Gaps, mut rng: Rng) -> Self {
        // Regular ones begin at once, others by chance.
        let count = match gaps {
            Gaps::Constant => 0.0,
            Gaps::Poisson => gaps.draw(&mut rng),
        };
        Self {
            schedule,
            gaps,
            rng,
            count,
        }
    }
}

impl Iterator for Due<'_> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let due = self.schedule.when(self.count)?;
        self.count += self.gaps.draw(&mut self.rng);
        // Whole microseconds, as the digest has them.
        Some(Duration::from_micros(
            u64::try_from(due.as_micros()).unwrap_or(u64::MAX),
        ))
    }
}
