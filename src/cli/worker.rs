//! `oms worker`: decides queued carts until told to stop.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::signals::Stop;
use super::{Context, counted, exit};
use crate::config::parse_count;
use crate::flow::Flow;
use crate::wiring::OmsPorts;
use crate::worker::{self, Options, Totals};

/// How often the progress line changes.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Arguments of `oms worker`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ctrl-C or SIGTERM: the batch in hand is committed, then it ends with exit code 0. A second one
ends it at once; whatever was in hand is taken over by the next worker.

Examples:
  oms worker
  oms worker --drain --json")]
pub struct Args {
    /// End once the queue is empty
    #[arg(long)]
    drain: bool,
    /// The most carts decided in one transaction [default: 4000]
    #[arg(long, value_name = "N", value_parser = batch_max)]
    batch_max: Option<u64>,
}

fn batch_max(text: &str) -> Result<u64, String> {
    match parse_count(text) {
        Ok(count @ 1..=100_000) => Ok(count),
        Ok(_) => Err("1 to 100000 carts are allowed".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs a worker, and says what it has done.
///
/// # Errors
/// When it cannot start, or is excluded from its group for good.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let stop = Stop::on_signal().context("cannot listen for signals")?;
    let flow = context.serving_flow().await?;
    let batch_max = args.batch_max.unwrap_or(*context.config.batch_max);
    let options = Options {
        batch_max: usize::try_from(batch_max)?,
        drain: args.drain,
    };
    if !args.drain {
        context.out.note("deciding carts; Ctrl-C ends it");
    }
    let totals = tokio::select! {
        biased;
        totals = worker::run(flow.clone(), options, stop.requested()) => totals,
        never = show_progress(&flow, context) => match never {},
    };
    report(
        &totals.context("the worker cannot go on; `oms doctor` looks closer")?,
        context,
    )
}

async fn show_progress(flow: &Flow<OmsPorts>, context: &Context) -> std::convert::Infallible {
    if !context.out.shows_progress() {
        return std::future::pending().await;
    }
    let line = context.out.spinner();
    let metrics = flow.metrics();
    loop {
        line.set_message(format!(
            "{} blocked, {}, {}, backlog {}",
            metrics.blocked.get(),
            counted(metrics.dead_letters.get(), "dead letter"),
            counted(metrics.refunds.get(), "refund"),
            metrics.backlog.get(),
        ));
        tokio::time::sleep(PROGRESS_EVERY).await;
    }
}

fn report(totals: &Totals, context: &Context) -> anyhow::Result<ExitCode> {
    if context.out.is_json() {
        context.out.json(totals)?;
    } else {
        context.out.line(format_args!(
            "{} decided in {}, {}, {} settled, {}",
            counted(totals.carts, "cart"),
            counted(totals.batches, "batch"),
            counted(totals.dead_letters, "dead letter"),
            counted(totals.expired, "expired order"),
            counted(totals.refunds, "refund")
        ))?;
    }
    Ok(exit::DONE)
}
