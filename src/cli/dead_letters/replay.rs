//! `oms dead-letters replay`: publishes messages again.

use std::process::ExitCode;

use serde_json::json;

use super::view::{PAGE, pending};
use crate::cli::{Context, counted, exit};
use crate::inventory::{DeadLetterIndex, DeadLetterRow, DeadLetterState};
use crate::queue::{Message, Queue};
use crate::wiring::OmsPorts;

/// Arguments of `oms dead-letters replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Repair the cause first. An order that was written off as failed stays failed: its message is then
acknowledged without effect. Messages that were cut, as too large to be kept, cannot be replayed.

Examples:
  oms dead-letters replay 3 4
  oms dead-letters replay --all")]
pub struct Args {
    /// Their numbers in the list
    #[arg(
        value_name = "N",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    ids: Vec<u64>,
    /// All that are pending
    #[arg(long)]
    all: bool,
}

/// Publishes the messages again, then marks them.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let ports = context.open().await?;
    let index = &ports.inventory;
    let (mut replayed, mut left_out) = (0, 0);
    if args.all {
        let mut after = 0;
        loop {
            let rows = index.letters(after, PAGE).await?;
            let Some(last) = rows.last() else {
                break;
            };
            after = last.id;
            let rows = rows
                .into_iter()
                .filter(|row| row.state == DeadLetterState::Pending);
            let (whole, cut) = rows.partition::<Vec<_>, _>(|row| row.original.is_none());
            left_out += cut.len() as u64;
            replayed += replay(&ports, whole).await?;
        }
    } else {
        let rows = pending(index, &args.ids).await?;
        if let Some((id, original)) = rows
            .iter()
            .find_map(|row| Some((row.id, row.original.as_ref()?)))
        {
            anyhow::bail!(
                "dead letter {id} was cut: only the beginning of its {} bytes was kept, so it cannot be replayed; \
                 nothing was done",
                original.bytes
            );
        }
        replayed += replay(&ports, rows).await?;
    }
    if left_out > 0 {
        let cut = counted(left_out, "message");
        context
            .out
            .warn(format_args!("not replayed, since they were cut: {cut}"));
    }
    if context.out.is_json() {
        context.out.json(&json!({"replayed": replayed}))?;
    } else {
        context.out.line(format_args!(
            "published again: {}",
            counted(replayed, "message")
        ))?;
    }
    Ok(exit::DONE)
}

/// Publishes first: a crash in between replays twice, which the order id makes harmless.
async fn replay(ports: &OmsPorts, rows: Vec<DeadLetterRow>) -> anyhow::Result<u64> {
    if rows.is_empty() {
        return Ok(0);
    }
    let ids = rows.iter().map(|row| row.id).collect();
    let messages = rows
        .into_iter()
        .map(|row| Message {
            key: row.key,
            payload: row.payload,
        })
        .collect();
    ports.queue.publish(messages).await?;
    Ok(ports.inventory.mark(ids, DeadLetterState::Replayed).await?)
}
