//! The `oms` program.

use std::process::ExitCode;

/// A tenth of the time of a storm goes into memory; this allocator takes half of that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    oms::cli::run()
}
