//! `oms simulate`: the storm, then the audit.

mod args;
mod crowd;
mod figures;
mod gauging;
mod load;
mod progress;
mod report;
mod restocking;
mod scenario;
mod stage;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::time::Instant;

pub use args::Args;

use super::signals::Stop;
use super::{Context, exit};
use crate::flow::Flow;
use crate::simulate::target::OverHttp;
use crate::simulate::{Board, Bounds, Driver, GRACE, Gauges, InProcess, Run, Storm, WATCHED_MAX};
use crate::wiring::OmsPorts;
use crate::worker;
use restocking::Restocking;
use stage::Stage;

/// Runs a storm, audits it, and tells of it.
///
/// # Errors
/// When the stores or the service cannot be used; a broken invariant is exit code 3, not an error.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    if args.list {
        return scenario::list(&context.out);
    }
    let stop = Stop::on_signal().context("cannot listen for signals")?;
    let args = scenario::apply(args)?;
    args.load.arrivals()?;
    let context = args.configure(context);
    report::check_file(&args)?;
    context.migrate_servers().await?;
    let flow = context.flow().await?;
    let mut early = stop.clone();
    let stage = tokio::select! {
        biased;
        // Nobody has bought anything: there is nothing to tell.
        interrupt = early.wait() => return Ok(interrupt.exit_code()),
        stage = prepare(&args, &context, &flow) => stage?,
    };
    let workers = Workers::start(&args, &context, &flow);
    let gauges = Arc::new(Gauges::new(stage.plan.most_wanted(WATCHED_MAX)));
    let looking = gauging::look(&flow, &gauges, stage.client.is_some());
    let set = Set {
        args: &args,
        context: &context,
        flow: &flow,
        stage: &stage,
        gauges: Arc::clone(&gauges),
    };
    let run = match &stage.client {
        Some(client) => {
            let driver = OverHttp::new(Arc::clone(client), *context.config.wait);
            set.storm(driver, None, &stop).await
        }
        None => {
            let board = Arc::new(Board::new(stage.plan.skus()));
            let learning =
                tokio::spawn(learn(flow.clone(), Arc::clone(&board), Arc::clone(&gauges)));
            let driver = InProcess::new(flow.clone(), *context.config.wait);
            let run = set.storm(driver, Some(board), &stop).await;
            learning.abort();
            run
        }
    };
    looking.abort();
    let told = report::tell(&args, &context, &flow, &stage, run, &stop).await?;
    workers.end().await;
    if let Some(interrupt) = stop.interrupt() {
        return Ok(interrupt.exit_code());
    }
    Ok(if !told.invariants.hold() {
        exit::invariant_broken()
    } else if told.valid {
        exit::DONE
    } else {
        exit::run_invalid()
    })
}

/// Sets the stage, in a task of its own: items are made up by the million, and a signal is not to wait for that.
async fn prepare(args: &Args, context: &Context, flow: &Flow<OmsPorts>) -> anyhow::Result<Stage> {
    let (args, context, flow) = (args.clone(), context.clone(), flow.clone());
    tokio::spawn(async move { Stage::set(&args, &context, &flow).await })
        .await
        .context("cannot prepare the storm")?
}

/// What a storm is made with.
struct Set<'a> {
    args: &'a Args,
    context: &'a Context,
    flow: &'a Flow<OmsPorts>,
    stage: &'a Stage,
    gauges: Arc<Gauges>,
}

impl Set<'_> {
    async fn storm<D: Driver>(&self, driver: D, board: Option<Arc<Board>>, stop: &Stop) -> Run {
        let bounds = Bounds {
            hold: *self.context.config.hold,
            in_flight_max: self.args.load.in_flight(),
        };
        let restocking = Restocking::start(self.stage, self.flow, board.as_ref(), &self.gauges);
        let plan = Arc::clone(&self.stage.plan);
        let storm = Storm::new(
            Arc::clone(&plan),
            driver,
            board,
            Arc::clone(&self.gauges),
            bounds,
        );
        let watch = storm.watch();
        let mut run = tokio::select! {
            biased;
            run = storm.run(stop.requested()) => run,
            never = progress::show(self.context, &plan, watch, &self.gauges) => match never {},
        };
        let (longest, notes) = restocking.end();
        // What a correction gave back was as free as what an order did.
        run.longest_answer = run.longest_answer.max(longest);
        run.notes = notes;
        run
    }
}

/// Tells board and gauges of every stock level that this process learns.
async fn learn(flow: Flow<OmsPorts>, board: Arc<Board>, gauges: Arc<Gauges>) {
    let mut levels = flow.stock_feed();
    while let Some(level) = levels.recv().await {
        gauges.learn(&level);
        board.learn(&level);
    }
}

/// The worker of this process, if it has one.
struct Workers(Option<(watch::Sender<bool>, tokio::task::JoinHandle<()>)>);

impl Workers {
    fn start(args: &Args, context: &Context, flow: &Flow<OmsPorts>) -> Self {
        if !args.has_worker() {
            return Self(None);
        }
        let (end, ended) = watch::channel(false);
        let batch_max = usize::try_from(*context.config.batch_max).unwrap_or(usize::MAX);
        let options = worker::Options {
            batch_max,
            drain: false,
        };
        let flow = flow.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = worker::run(flow, options, ended).await {
                tracing::error!(%error, "the worker cannot start");
            }
        });
        Self(Some((end, task)))
    }

    async fn end(self) {
        if let Some((end, task)) = self.0 {
            end.send_replace(true);
            if let Err(error) = task.await {
                tracing::error!(%error, "the worker has failed");
            }
        }
    }
}

/// When a run is over, whatever is still open.
fn over_at(hold: std::time::Duration) -> Instant {
    Instant::now() + hold + GRACE
}
