//! `oms report`: makes outputs of runs again, and one result of several shards.

mod merge;
mod render;

use std::process::ExitCode;

use clap::Subcommand;

use super::Context;

/// What to do with reports.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make any output of a run again
    Render(render::Args),
    /// Make one honest result of the shards of a storm
    Merge(merge::Args),
}

impl Verb {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        match self {
            Self::Render(args) => render::run(&args, context),
            Self::Merge(args) => merge::run(&args, context),
        }
    }
}
