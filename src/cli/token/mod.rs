//! `oms token`: tokens for `oms serve --tokens`.

pub mod new;

use std::process::ExitCode;

use clap::Subcommand;

use super::Output;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Print a new random token
    New(new::Args),
}

impl Verb {
    /// Needs no stores and no configuration.
    pub(super) fn run(&self, out: &Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::New(args) => new::run(args, out),
        }
    }
}
