//! `oms dead-letters`: messages nobody could process.

mod drop;
mod list;
mod replay;
mod show;
mod view;

use std::process::ExitCode;

use clap::Subcommand;

use super::Context;

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List dead letters, oldest first
    List(list::Args),
    /// Show one, with its message
    Show(show::Args),
    /// Publish messages again
    Replay(replay::Args),
    /// Give up on messages
    Drop(drop::Args),
}

impl Verb {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(args) => list::run(args, context).await,
            Self::Show(args) => show::run(args, context).await,
            Self::Replay(args) => replay::run(args, context).await,
            Self::Drop(args) => drop::run(args, context).await,
        }
    }
}
