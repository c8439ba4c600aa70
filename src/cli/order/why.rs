//! `oms order why`: an order's story.

use std::process::ExitCode;

use super::tell;
use super::view::{history, history_table, known, painted};
use crate::cli::{Context, exit};
use crate::domain::OrderId;

/// Arguments of `oms order why`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  oms order why 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct Args {
    /// The order's id, a UUID
    id: OrderId,
}

/// Tells the story; of an order that nobody knows there is none.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let flow = context.flow_without_payments().await?;
    let Some(mut story) = flow.story(args.id).await? else {
        // The same answer, with how many carts wait undecided.
        known(&flow, args.id).await?;
        anyhow::bail!("order {} was just decided; ask again", args.id);
    };
    story.history = history(story.history, story.view.order.as_ref());
    let out = &context.out;
    if out.is_json() {
        out.json(&story)?;
        return Ok(exit::DONE);
    }
    let view = &story.view;
    let status = painted(out, view.status, view.reason);
    out.line(format_args!("{}  {status}", view.order_id))?;
    for sentence in tell::story(&story) {
        out.line(sentence)?;
    }
    if let Some(order) = view.order.as_ref().filter(|order| !order.lines.is_empty()) {
        out.table(&tell::stock_table(order))?;
    }
    if !story.history.is_empty() {
        out.table(&history_table(&story.history))?;
    }
    Ok(exit::DONE)
}
