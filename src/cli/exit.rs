//! The exit codes, as scripts rely on them.

use std::process::ExitCode;

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
