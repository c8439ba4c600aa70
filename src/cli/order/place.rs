//! `oms order place`: waits for the decision, pays, settles.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::tell::explain;
use super::view::{known, painted, unknown};
use crate::cli::{Context, counted, exit};
use crate::domain::{CartHash, OrderId, Reason, Status, format_duration, parse_duration};
use crate::flow::{Failure, Flow, Placement};
use crate::queue::Queue;
use crate::wiring::OmsPorts;

/// Arguments of `oms order place`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 when it is placed, 1 when it has failed or is not decided yet. Placing it again
resumes, and charges nobody twice.

Example:
  oms order place 01890a5d-ac96-774b-bcce-b302099a8057 --wait 10s")]
pub struct Args {
    /// The order's id, a UUID
    id: OrderId,
    /// Answer within this time, with where it stands then
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    wait: Option<Duration>,
}

#[derive(Serialize)]
struct Placed {
    order_id: OrderId,
    status: Status,
    reason: Option<Reason>,
}

/// Places the order.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let flow = context.paying_flow().await?;
    place(&flow, args.id, None, args.wait, context).await
}

/// Places an order and says what became of it.
pub(super) async fn place(
    flow: &Flow<OmsPorts>,
    id: OrderId,
    expected: Option<CartHash>,
    wait: Option<Duration>,
    context: &Context,
) -> anyhow::Result<ExitCode> {
    let backlog = flow.ports().queue.backlog().await?;
    let most = wait.unwrap_or(flow.settings().wait);
    if backlog > 0 {
        context.out.note(format_args!(
            "{} undecided; waiting up to {} for a worker (`oms worker`)",
            counted(backlog, "cart"),
            format_duration(most)
        ));
    }
    // Waiting owns no state: giving up here leaves the order to whoever asks next.
    let placed = match wait {
        None => flow.place_order(id, expected).await,
        Some(wait) => match tokio::time::timeout(wait, flow.place_order(id, expected)).await {
            Ok(placed) => placed,
            Err(_) => Ok(Placement::Waiting(known(flow, id).await?.status)),
        },
    };
    let (status, reason) = match placed {
        Ok(Placement::Placed) => (Status::Placed, None),
        Ok(Placement::Failed(reason)) => (Status::Failed, Some(reason)),
        Ok(Placement::Waiting(status)) => (status, None),
        Err(Failure::UnknownOrder { order_id }) => return Err(unknown(order_id, 0)),
        Err(failure) => return Err(failure.into()),
    };
    print(id, status, reason, context)?;
    match (status, reason) {
        (Status::Placed, _) => Ok(exit::DONE),
        (Status::Failed, Some(reason)) => {
            anyhow::bail!("order {id} has failed: {}", explain(reason))
        }
        _ => anyhow::bail!("order {id} is {status}, not placed yet; place it again to resume"),
    }
}

/// Prints an id and where it stands.
pub(super) fn print(
    order_id: OrderId,
    status: Status,
    reason: Option<Reason>,
    context: &Context,
) -> anyhow::Result<()> {
    if context.out.is_json() {
        return context.out.json(&Placed {
            order_id,
            status,
            reason,
        });
    }
    let status = painted(&context.out, status, reason);
    context.out.line(format_args!("{order_id}  {status}"))
}
