//! How many items the next batch takes: fewer after one that failed or was slow, more after one that was quick.
//!
//! A batch that exceeds a time limit fails again when it is repeated as it was. Nobody knows why a backend did not
//! answer, so any failure that may pass halves the batch; where size was not the reason, it grows back within a few
//! quick batches.

use std::time::Duration;

/// A batch that takes no longer may be followed by a larger one.
const QUICK: Duration = Duration::from_secs(5);

/// A batch that takes longer is followed by a smaller one, well before any limit on time.
pub(crate) const SLOW: Duration = Duration::from_secs(10);

/// The size of the next batch, between 1 and a maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchLimit {
    now: usize,
    max: usize,
}

impl BatchLimit {
    pub(crate) fn new(max: usize) -> Self {
        let max = max.max(1);
        Self { now: max, max }
    }

    /// The most items of the next batch.
    pub(crate) fn get(&self) -> usize {
        self.now
    }

    /// A batch of `items` is done. Only a full one says that more would have been, too.
    pub(crate) fn succeeded(&mut self, items: usize, took: Duration) {
        if took > SLOW {
            self.shrink_below(items, 2);
        } else if took <= QUICK && items >= self.now {
            self.now = self.now.saturating_mul(2).min(self.max);
        }
    }

    /// A batch of `items` failed, and may succeed later. One that failed slowly is cut to a quarter: partitions are
    /// taken from a worker that needs a minute.
    pub(crate) fn failed(&mut self, items: usize, took: Duration) {
        self.shrink_below(items, if took >= SLOW { 4 } else { 2 });
    }

    fn shrink_below(&mut self, items: usize, divisor: usize) {
        self.now = self.now.min(items / divisor).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::from_millis(10);
    const TIMED_OUT: Duration = Duration::from_secs(30);

    #[test]
    fn failures_shrink_a_batch_down_to_one_item() {
        let mut limit = BatchLimit::new(4_000);
        limit.failed(4_000, AT_ONCE);
        assert_eq!(limit.get(), 2_000);
        limit.failed(2_000, TIMED_OUT);
        assert_eq!(limit.get(), 500);
        limit.failed(30, AT_ONCE);
        assert_eq!(limit.get(), 15, "the batch may have been smaller");
        for _ in 0..10 {
            limit.failed(limit.get(), TIMED_OUT);
        }
        assert_eq!(limit.get(), 1);
    }

    #[test]
    fn full_quick_batches_grow_back_to_the_maximum() {
        let mut limit = BatchLimit::new(4_000);
        limit.failed(4, AT_ONCE);
        assert_eq!(limit.get(), 2);
        limit.succeeded(1, AT_ONCE);
        assert_eq!(limit.get(), 2, "one item says nothing about more");
        for _ in 0..20 {
            limit.succeeded(limit.get(), AT_ONCE);
        }
        assert_eq!(limit.get(), 4_000);
    }

    #[test]
    fn a_slow_batch_is_followed_by_a_smaller_one_before_any_times_out() {
        let mut limit = BatchLimit::new(4_000);
        limit.succeeded(4_000, Duration::from_secs(15));
        assert_eq!(limit.get(), 2_000);
        limit.succeeded(2_000, Duration::from_secs(7));
        assert_eq!(limit.get(), 2_000, "neither quick nor slow");
    }
}
