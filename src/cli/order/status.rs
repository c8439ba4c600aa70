//! `oms order status`: where an order stands.

use std::process::ExitCode;

use super::view::{Shown, known};
use crate::cli::{Context, exit};
use crate::domain::OrderId;

/// Arguments of `oms order status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  oms order status 01890a5d-ac96-774b-bcce-b302099a8057 --json")]
pub struct Args {
    /// The order's id, a UUID
    id: OrderId,
}

/// Prints the order; one that nobody knows is an error.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let flow = context.flow_without_payments().await?;
    let view = known(&flow, args.id).await?;
    Shown::of(view, &flow).await?.print(context)?;
    Ok(exit::DONE)
}
