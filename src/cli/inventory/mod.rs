//! `oms inventory`: looks at stock and corrects it.

mod adjust;
mod list;
mod show;

use std::process::ExitCode;

use clap::Subcommand;

use super::Context;

/// What to do with stock.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List all items with their stock, by SKU
    List(list::Args),
    /// Show one item, its stock and its last corrections
    Show(show::Args),
    /// Correct the stock of an item
    Adjust(adjust::Args),
}

impl Verb {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(args) => list::run(args, context).await,
            Self::Show(args) => show::run(args, context).await,
            Self::Adjust(args) => adjust::run(args, context).await,
        }
    }
}
