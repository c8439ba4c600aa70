//! The `oms` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    oms::cli::run()
}
