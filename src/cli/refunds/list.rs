//! `oms refunds list`.

use std::process::ExitCode;

use serde::Serialize;

use super::PAGE;
use crate::cli::{Context, Table, exit};
use crate::domain::{Money, OrderId, Reason, Timestamp, format_duration};
use crate::inventory::{Inventory, Owed, Refund};
use crate::ports::Clock;

/// Arguments of `oms refunds list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A refund is recorded when an order that was paid fails, and executed at the gateway by the worker.
One that the gateway refuses is tried again after 1 s, and less and less often: every 5 minutes.

Example:
  oms refunds list --json")]
pub struct Args {}

/// A due refund as `--json` prints it.
#[derive(Serialize)]
struct DueRefund {
    order_id: OrderId,
    /// In minor units.
    amount: Money,
    reason: Reason,
    recorded_at: Timestamp,
    due_for_ms: u64,
}

/// Prints the due refunds.
pub(super) async fn run(_args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let ports = context.open().await?;
    let mut table = Table::new(&["order", ">amount", "reason", "recorded", ">due for"]);
    let mut after = None;
    loop {
        let page = ports.inventory.refunds_due(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(Owed::from(last));
        let now = ports.clock.now();
        for refund in page {
            let Refund {
                order_id,
                amount,
                reason,
                recorded_at,
                ..
            } = refund;
            let due_for = now.since(recorded_at);
            if context.out.is_json() {
                context.out.json(&DueRefund {
                    order_id,
                    amount,
                    reason,
                    recorded_at,
                    due_for_ms: u64::try_from(due_for.as_millis()).unwrap_or(u64::MAX),
                })?;
                continue;
            }
            let seconds = std::time::Duration::from_secs(due_for.as_secs());
            table.row([
                order_id.to_string(),
                amount.to_string(),
                reason.to_string(),
                recorded_at.to_string(),
                format_duration(seconds),
            ]);
        }
    }
    if !context.out.is_json() {
        context.out.table(&table)?;
    }
    Ok(exit::DONE)
}
