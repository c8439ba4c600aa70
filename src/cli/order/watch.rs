//! `oms order watch`: follows an order to its end.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::view::{known, painted};
use crate::cli::{Context, exit};
use crate::domain::{OrderId, Reason, Status, Timestamp};
use crate::flow::{Found, OrderView};
use crate::ports::Clock;
use crate::statuses::Statuses;

/// How long one wait goes without asking the database: the status store may have forgotten.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Arguments of `oms order watch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  oms order watch 01890a5d-ac96-774b-bcce-b302099a8057 --exit-status && echo sold")]
pub struct Args {
    /// The order's id, a UUID
    id: OrderId,
    /// Exit with 1 if it fails
    #[arg(long)]
    exit_status: bool,
}

#[derive(Serialize)]
struct Change {
    order_id: OrderId,
    status: Status,
    reason: Option<Reason>,
    at: Timestamp,
}

/// Prints each status as it comes, until one is final.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let flow = context.flow_without_payments().await?;
    let ports = flow.ports();
    let OrderView {
        mut status,
        mut reason,
        ..
    } = known(&flow, args.id).await?;
    let mut at = match ports.statuses.get(vec![args.id]).await?.pop().flatten() {
        Some(entry) => entry.at,
        None => ports.clock.now(),
    };
    loop {
        show(args.id, status, reason, at, context)?;
        if status.is_final() {
            break;
        }
        let before = status;
        while status == before {
            let deadline = Instant::now() + ASK_EVERY;
            let woken = ports
                .statuses
                .wait(args.id, status.rank(), deadline)
                .await?;
            if let Some(entry) = woken.filter(|entry| entry.status.rank() > status.rank()) {
                (status, reason, at) = (entry.status, entry.reason, entry.at);
            } else if let Found::Order(view) = flow.find(args.id).await?
                && view.status.rank() > status.rank()
            {
                (status, reason, at) = (view.status, view.reason, ports.clock.now());
            }
        }
    }
    Ok(if args.exit_status && status == Status::Failed {
        exit::failed()
    } else {
        exit::DONE
    })
}

fn show(
    order_id: OrderId,
    status: Status,
    reason: Option<Reason>,
    at: Timestamp,
    context: &Context,
) -> anyhow::Result<()> {
    if context.out.is_json() {
        return context.out.json(&Change {
            order_id,
            status,
            reason,
            at,
        });
    }
    let status = painted(&context.out, status, reason);
    context.out.line(format_args!("{at}  {status}"))
}
