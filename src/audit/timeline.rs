//! How many units of an item were free, and when: rebuilt from committed orders and corrections.

/// Changes of what is free, by time, and the free units after each.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// (time in Unix ms, change), in any order until [`Timeline::finish`].
    changes: Vec<(i64, i64)>,
}

/// How many steps share an entry of the sparse table.
const BLOCK: usize = 64;

/// A finished timeline: times, and what was free from each on. A sparse table over blocks of steps answers the least of
/// any range; over single steps it would be twenty times as large as the steps themselves.
#[derive(Debug)]
pub(super) struct Free {
    times: Vec<i64>,
    steps: Vec<i64>,
    /// `least[k][i]`: the least of `2^k` blocks from block i.
    least: Vec<Vec<i64>>,
}

impl Timeline {
    pub(super) fn change(&mut self, at: i64, units: i64) {
        self.changes.push((at, units));
    }

    /// Finishes it, from `initial` free units at the beginning of time.
    pub(super) fn finish(mut self, initial: i64) -> Free {
        // What is taken at a time is taken before what is given back at that time: no false alarm at a tie.
        self.changes.sort_unstable();
        let mut times = Vec::with_capacity(self.changes.len() + 1);
        let mut steps = Vec::with_capacity(self.changes.len() + 1);
        times.push(i64::MIN);
        steps.push(initial);
        let mut free = initial;
        for (at, units) in self.changes {
            free += units;
            times.push(at);
            steps.push(free);
        }
        let blocks: Vec<i64> = steps.chunks(BLOCK).map(fewest).collect();
        let count = blocks.len();
        let mut least = vec![blocks];
        let mut width = 1;
        while width * 2 <= count {
            let below = &least[least.len() - 1];
            let level = (0..=count - width * 2)
                .map(|i| below[i].min(below[i + width]))
                .collect();
            least.push(level);
            width *= 2;
        }
        Free {
            times,
            steps,
            least,
        }
    }
}

fn fewest(steps: &[i64]) -> i64 {
    steps.iter().copied().min().unwrap_or(i64::MAX)
}

impl Free {
    /// The fewest units that were free at any time from `from` to `to`, both included.
    pub(super) fn least(&self, from: i64, to: i64) -> i64 {
        // The step that holds at `from` began at or before it; of steps at one time all count, since the order of
        // what happens within a millisecond is not known.
        let first = self
            .times
            .partition_point(|at| *at < from)
            .saturating_sub(1);
        let last = self
            .times
            .partition_point(|at| *at <= to)
            .saturating_sub(1)
            .max(first);
        let (first_block, last_block) = (first.div_ceil(BLOCK), (last + 1) / BLOCK);
        if first_block >= last_block {
            return fewest(&self.steps[first..=last]);
        }
        let level = (last_block - first_block).ilog2() as usize;
        let row = &self.least[level];
        let whole = row[first_block].min(row[last_block - (1 << level)]);
        let before = fewest(&self.steps[first..first_block * BLOCK]);
        whole
            .min(before)
            .min(fewest(&self.steps[last_block * BLOCK..=last]))
    }

    /// What is free in the end.
    pub(super) fn end(&self) -> i64 {
        self.steps.last().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn free(initial: i64, changes: &[(i64, i64)]) -> Free {
        let mut timeline = Timeline::default();
        for (at, units) in changes {
            timeline.change(*at, *units);
        }
        timeline.finish(initial)
    }

    #[test]
    fn the_least_of_a_range_holds_from_the_step_before_it() {
        let free = free(3, &[(10, -3), (20, 2), (30, -1)]);
        assert_eq!(free.least(0, 9), 3);
        assert_eq!(free.least(0, 10), 0);
        assert_eq!(free.least(15, 15), 0);
        assert_eq!(free.least(21, 29), 2);
        assert_eq!(free.least(21, 30), 1);
        assert_eq!(free.least(31, 1_000), 1);
        assert_eq!(free.end(), 1);
    }

    proptest! {
        #[test]
        fn the_sparse_table_agrees_with_a_walk(
            changes in prop::collection::vec((0i64..500, -3i64..4), 0..900),
            from in 0i64..600,
            length in 0i64..300,
        ) {
            let free = free(10, &changes);
            let to = from + length;
            let mut sorted = changes;
            sorted.sort_unstable();
            let mut units = 10;
            let mut least = None;
            let mut before = 10;
            for (at, change) in sorted {
                units += change;
                if at < from {
                    before = units;
                } else if at <= to {
                    least = Some(least.map_or(units, |least: i64| least.min(units)));
                }
            }
            let expected = least.map_or(before, |least| least.min(before));
            prop_assert_eq!(free.least(from, to), expected);
        }
    }
}
