//! Several runs of one storm: which of them is told, and how far they are apart.

use serde::{Deserialize, Serialize};

use super::{LatencyTable, RunReport, Verdict};

/// The key figures of one of several runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// The verdict.
    pub verdict: Verdict,
    /// Whether its figures count.
    pub valid: bool,
    /// As in [`RunReport`].
    pub elapsed_s: f64,
    /// Orders placed.
    pub placed: u64,
    /// Orders placed per second.
    pub placed_per_s: f64,
    /// Orders placed or failed per second.
    pub decided_per_s: f64,
    /// Latencies in milliseconds.
    pub latency_ms: LatencyTable,
}

impl From<&RunReport> for Repeat {
    fn from(run: &RunReport) -> Self {
        Self {
            verdict: run.verdict,
            valid: run.valid,
            elapsed_s: run.elapsed_s,
            placed: run.orders.placed,
            placed_per_s: run.placed_per_s,
            decided_per_s: run.decided_per_s,
            latency_ms: run.latency_ms,
        }
    }
}

/// A figure over several runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The smallest.
    pub least: f64,
    /// The middle one; the lower of the two in the middle.
    pub median: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// How far the values are apart, as a share of the median; 0 where that is 0.
    pub fn relative(&self) -> f64 {
        if self.median > 0.0 {
            (self.most - self.least) / self.median
        } else {
            0.0
        }
    }
}

/// The spread of a figure; none without runs.
pub fn spread(runs: &[Repeat], of: impl Fn(&Repeat) -> f64) -> Option<Spread> {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_unstable_by(f64::total_cmp);
    Some(Spread {
        least: *values.first()?,
        median: values[(values.len() - 1) / 2],
        most: *values.last()?,
    })
}

/// The run that stands for all, with the figures of each: the first one that is broken; else the median by decided
/// orders per second of those whose figures count, or of all if none do.
///
/// # Panics
/// Without runs.
pub fn typical(runs: Vec<RunReport>) -> RunReport {
    let repeats: Vec<Repeat> = runs.iter().map(Repeat::from).collect();
    let interrupted = runs.iter().any(|run| run.interrupted);
    let chosen = choose(&repeats).expect("at least one run");
    let mut run = runs.into_iter().nth(chosen).expect("one of the runs");
    run.interrupted = interrupted;
    if repeats.len() > 1 {
        run.repeats = repeats;
    }
    run
}

fn choose(runs: &[Repeat]) -> Option<usize> {
    if let Some(broken) = runs.iter().position(|run| run.verdict == Verdict::Broken) {
        return Some(broken);
    }
    let any_valid = runs.iter().any(|run| run.valid);
    let mut order: Vec<usize> = (0..runs.len())
        .filter(|&at| runs[at].valid || !any_valid)
        .collect();
    order.sort_by(|&one, &other| {
        runs[one]
            .decided_per_s
            .total_cmp(&runs[other].decided_per_s)
    });
    order.get(order.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn run(decided_per_s: f64) -> RunReport {
        RunReport {
            decided_per_s,
            ..fixture::report()
        }
    }

    #[test]
    fn the_median_run_stands_for_all() {
        let told = typical(vec![run(30.0), run(10.0), run(20.0)]);
        assert!((told.decided_per_s - 20.0).abs() < f64::EPSILON);
        let spread = spread(&told.repeats, |run| run.decided_per_s).unwrap();
        assert_eq!(
            (spread.least, spread.median, spread.most),
            (10.0, 20.0, 30.0)
        );
        assert!((spread.relative() - 1.0).abs() < f64::EPSILON);
        assert!(typical(vec![run(1.0)]).repeats.is_empty());
    }

    #[test]
    fn a_broken_run_is_never_hidden_and_an_invalid_one_never_chosen_over_a_valid_one() {
        let mut broken = run(10.0);
        broken.verdict = Verdict::Broken;
        let told = typical(vec![run(30.0), broken, run(20.0)]);
        assert_eq!(told.verdict, Verdict::Broken);
        let mut late = run(20.0);
        late.valid = false;
        assert!(typical(vec![run(30.0), late, run(10.0)]).valid);
    }
}
