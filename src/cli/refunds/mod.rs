//! `oms refunds`: money that is owed to buyers.

mod list;
mod retry;

use std::process::ExitCode;

use clap::Subcommand;

use super::Context;

/// What to do with due refunds.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List refunds that are recorded and not executed, oldest first
    List(list::Args),
    /// Execute refunds now, without waiting for the worker
    Retry(retry::Args),
}

impl Verb {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(args) => list::run(args, context).await,
            Self::Retry(args) => retry::run(args, context).await,
        }
    }
}

/// How many refunds one read asks for.
const PAGE: usize = 500;
