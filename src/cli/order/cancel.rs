//! `oms order cancel`: cancels an order that is not paid for.

use std::process::ExitCode;

use super::place::print;
use super::view::unknown;
use crate::cli::{Context, exit};
use crate::domain::{OrderId, Status};
use crate::flow::{CancelOutcome, Failure};

/// Arguments of `oms order cancel`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The gateway is asked first: an order that was paid for is not cancelled.

Example:
  oms order cancel 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct Args {
    /// The order's id, a UUID
    id: OrderId,
}

/// Cancels the order; exits with 1 if it is too late, or too early to tell.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let id = args.id;
    let outcome = match context.flow().await?.cancel(id).await {
        Ok(outcome) => outcome,
        Err(Failure::UnknownOrder { order_id }) => return Err(unknown(order_id, 0)),
        Err(failure) => return Err(failure.into()),
    };
    let (status, reason) = match outcome {
        CancelOutcome::Failed(reason) => (Status::Failed, Some(reason)),
        CancelOutcome::Placed => (Status::Placed, None),
        CancelOutcome::Undecided(status) => (status, None),
    };
    print(id, status, reason, context)?;
    match outcome {
        CancelOutcome::Failed(_) => Ok(exit::DONE),
        CancelOutcome::Placed => anyhow::bail!("order {id} is placed: it was paid for before"),
        CancelOutcome::Undecided(status) => {
            anyhow::bail!("order {id} is {status} and cannot be cancelled yet; try again")
        }
    }
}
