//! `oms dead-letters drop`: gives up on messages.

use std::process::ExitCode;

use serde_json::json;

use super::view::pending;
use crate::cli::{Context, Usage, counted, exit};
use crate::inventory::{DeadLetterIndex, DeadLetterState};

/// Arguments of `oms dead-letters drop`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The index keeps what was dropped; it is not replayed any more.

Example:
  oms dead-letters drop 3 4 --yes")]
pub struct Args {
    /// Their numbers in the list
    #[arg(value_name = "N", required = true)]
    ids: Vec<u64>,
    /// Yes, drop them
    #[arg(long)]
    yes: bool,
}

/// Marks the letters as dropped.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    if !args.yes {
        return Err(Usage::new("dropping cannot be undone; add --yes to do it").into());
    }
    let ports = context.open().await?;
    pending(&ports.inventory, &args.ids).await?;
    let dropped = ports
        .inventory
        .mark(args.ids, DeadLetterState::Dropped)
        .await?;
    if context.out.is_json() {
        context.out.json(&json!({"dropped": dropped}))?;
    } else {
        context
            .out
            .line(format_args!("dropped: {}", counted(dropped, "dead letter")))?;
    }
    Ok(exit::DONE)
}
