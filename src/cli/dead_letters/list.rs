//! `oms dead-letters list`.

use std::process::ExitCode;

use super::view::{PAGE, Shown};
use crate::cli::{Context, Table, exit};
use crate::inventory::{DeadLetterIndex, DeadLetterState};

/// Arguments of `oms dead-letters list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  oms dead-letters list --pending --json")]
pub struct Args {
    /// Only those that nothing was done about
    #[arg(long)]
    pending: bool,
}

/// Prints the index of dead letters.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let ports = context.open().await?;
    let mut after = 0;
    let mut table = Table::new(&[
        ">id",
        "time",
        "topic",
        ">partition",
        ">offset",
        "order",
        "reason",
        "state",
        "~detail",
    ]);
    loop {
        let rows = ports.inventory.letters(after, PAGE).await?;
        let Some(last) = rows.last() else {
            break;
        };
        after = last.id;
        let wanted = rows
            .iter()
            .filter(|row| !args.pending || row.state == DeadLetterState::Pending);
        for row in wanted {
            if context.out.is_json() {
                context.out.json(&Shown::from(row))?;
                continue;
            }
            table.row([
                row.id.to_string(),
                row.at.to_string(),
                row.topic.clone(),
                row.partition.to_string(),
                row.offset.to_string(),
                row.order_id
                    .map_or_else(|| "-".to_owned(), |id| id.to_string()),
                row.reason.to_string(),
                row.state.as_str().to_owned(),
                row.detail.clone(),
            ]);
        }
    }
    if !context.out.is_json() {
        context.out.table(&table)?;
    }
    Ok(exit::DONE)
}
