//! `oms statuses`: looks after the status store.

mod rebuild;

use std::process::ExitCode;

use clap::Subcommand;

use super::Context;

/// What to do with the status store.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write the statuses of all decided orders again, from the database and the gateway
    Rebuild(rebuild::Args),
}

impl Verb {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        match self {
            Self::Rebuild(args) => rebuild::run(args, context).await,
        }
    }
}
