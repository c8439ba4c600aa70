//! `oms dead-letters show`.

use std::process::ExitCode;

use super::view::{Shown, find, unknown};
use crate::cli::{Context, exit};

/// Arguments of `oms dead-letters show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  oms dead-letters show 3")]
pub struct Args {
    /// Its number in the list
    #[arg(value_name = "N")]
    id: u64,
}

/// Prints one letter with its message.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let ports = context.open().await?;
    let row = find(&ports.inventory, args.id)
        .await?
        .ok_or_else(|| unknown(args.id))?;
    let out = &context.out;
    if out.is_json() {
        out.json(&Shown::from(&row))?;
        return Ok(exit::DONE);
    }
    let order = row
        .order_id
        .map_or_else(|| "unreadable".to_owned(), |id| id.to_string());
    out.line(format_args!(
        "letter     {} ({})",
        row.id,
        row.state.as_str()
    ))?;
    out.line(format_args!(
        "read from  {} partition {} offset {}",
        row.topic, row.partition, row.offset
    ))?;
    out.line(format_args!("given up   {}", row.at))?;
    out.line(format_args!("order      {order}"))?;
    out.line(format_args!("reason     {}: {}", row.reason, row.detail))?;
    out.line(format_args!("key        {}", row.key.escape_ascii()))?;
    out.line(format_args!("message    {}", row.payload.escape_ascii()))?;
    if let Some(original) = &row.original {
        out.line(format_args!(
            "cut        of {} bytes with SHA-256 {}; it cannot be replayed",
            original.bytes, original.sha256
        ))?;
    }
    Ok(exit::DONE)
}
