//! The exit codes, as scripts rely on them.

use std::process::ExitCode;

use crate::report::RunReport;

/// Done.
pub const DONE: ExitCode = ExitCode::SUCCESS;

/// It failed: code 1.
pub fn failed() -> ExitCode {
    ExitCode::from(1)
}

/// It was asked wrongly, or told something it cannot use: code 2.
pub fn usage() -> ExitCode {
    ExitCode::from(2)
}

/// An invariant is broken: code 3.
pub fn invariant_broken() -> ExitCode {
    ExitCode::from(3)
}

/// A threshold was missed: code 4.
pub fn threshold_missed() -> ExitCode {
    ExitCode::from(4)
}

/// Slower than the baseline: code 5.
pub fn slower() -> ExitCode {
    ExitCode::from(5)
}

/// The run says nothing, since the generator was the bottleneck: code 6.
pub fn run_invalid() -> ExitCode {
    ExitCode::from(6)
}

/// What a run comes to: the lowest code that applies.
pub fn of(report: &RunReport) -> ExitCode {
    if !report.invariants.hold() {
        invariant_broken()
    } else if report.thresholds.iter().any(|result| !result.ok) {
        threshold_missed()
    } else if report
        .baseline
        .as_ref()
        .is_some_and(|baseline| baseline.slower)
    {
        slower()
    } else if report.valid {
        DONE
    } else {
        run_invalid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Check, Finding};
    use crate::report::{Invariants, compare, fixture};

    #[test]
    fn the_lowest_code_that_applies_wins() {
        let mut run = fixture::report();
        assert_eq!(of(&run), DONE);
        run.valid = false;
        assert_eq!(of(&run), run_invalid());
        let mut faster = fixture::report();
        faster.decided_per_s *= 2.0;
        run.baseline = compare(&run, &faster, "main", 0.1).ok();
        assert_eq!(of(&run), slower());
        run.thresholds[0].ok = false;
        assert_eq!(of(&run), threshold_missed());
        run.invariants = Invariants::of(&[Finding {
            check: Check::Lost,
            subject: "an order".to_owned(),
            detail: String::new(),
            count: 1,
        }]);
        assert_eq!(of(&run), invariant_broken());
    }
}
