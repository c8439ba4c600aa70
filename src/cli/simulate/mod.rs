//! `oms simulate`: the storm, then the audit.

mod again;
mod args;
mod crowd;
mod figures;
mod gauging;
mod judge;
mod judging;
mod load;
mod progress;
mod report;
mod restocking;
mod scenario;
mod settings;
mod stage;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::time::Instant;

pub(super) use again::command;
pub use args::Args;
pub(super) use args::{items, positive, stock, zipf};
pub use judging::{Baseline, Judging};

use super::signals::{Interrupt, Stop};
use super::{Context, Usage, exit};
use crate::clock::SystemClock;
use crate::flow::Flow;
use crate::ports::Clock as _;
use crate::report::{OtherSettings, RunReport, summary, typical};
use crate::simulate::target::OverHttp;
use crate::simulate::{
    Board, Bounds, Driver, GRACE, Gauges, InProcess, Run, Storm, WATCHED_MAX, seeding,
};
use crate::wiring::OmsPorts;
use crate::worker;
use judge::Judge;
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
    let judge = Judge::prepare(&args.judging, &context)?;
    context.migrate_servers().await?;
    let flow = context.paying_flow().await?;
    let args = repeatable(args);
    let mut runs = Vec::new();
    let mut told = None;
    while (runs.len() as u64) < args.judging.repeat && stop.interrupt().is_none() {
        let Some(report) = once(&args, &context, &flow, &judge, &stop).await? else {
            break;
        };
        runs.push(report);
        let mut report = typical(runs.clone());
        let compared = judge.judge(&mut report);
        // Each time: a later failure must not lose what there is.
        let written = judge.write(&report);
        told = Some((report, compared, written));
    }
    if let Some((report, compared, written)) = told {
        tell(&report, &context)?;
        // Whatever became of the files, the report has been told.
        written?;
        judge.save(&report, &context)?;
        if stop.interrupt().is_none() {
            return ended(&report, compared);
        }
    }
    Ok(stop.interrupt().map_or(exit::DONE, Interrupt::exit_code))
}

/// Every one of several runs is to find as much stock as the others.
fn repeatable(mut args: Args) -> Args {
    if args.judging.repeat > 1 {
        args.stock = args.stock.or(Some(seeding::STOCK));
    }
    args
}

fn tell(report: &RunReport, context: &Context) -> anyhow::Result<()> {
    if context.out.is_json() {
        context.out.json(report)
    } else {
        summary(report, &context.out)
    }
}

/// The exit code. A baseline of other settings is wrong usage, unless something worse has happened.
fn ended(report: &RunReport, compared: Result<(), OtherSettings>) -> anyhow::Result<ExitCode> {
    match compared {
        Err(error) if report.invariants.hold() => Err(Usage::new(error.to_string()).into()),
        _ => Ok(exit::of(report)),
    }
}

/// Sets the stage, runs one storm, and assesses it; none if it was interrupted before anybody came.
async fn once(
    args: &Args,
    context: &Context,
    flow: &Flow<OmsPorts>,
    judge: &Judge,
    stop: &Stop,
) -> anyhow::Result<Option<RunReport>> {
    let mut early = stop.clone();
    let stage = tokio::select! {
        biased;
        // Nobody has bought anything: there is nothing to tell.
        _ = early.wait() => return Ok(None),
        stage = prepare(args, context, flow) => stage?,
    };
    judge.check_setup(&stage.plan, &settings::settings(args, context, &stage))?;
    let workers = Workers::start(args, context, flow);
    let gauges = Arc::new(Gauges::new(stage.plan.most_wanted(WATCHED_MAX)));
    let looking = gauging::look(flow, &gauges, stage.client.is_some());
    let set = Set {
        args,
        context,
        flow,
        stage: &stage,
        gauges: Arc::clone(&gauges),
    };
    let started_at = SystemClock.now();
    let run = match &stage.client {
        Some(client) => {
            let driver = OverHttp::new(Arc::clone(client), *context.config.wait);
            set.storm(driver, None, stop).await
        }
        None => {
            let board = Arc::new(Board::new(stage.plan.skus()));
            let learning =
                tokio::spawn(learn(flow.clone(), Arc::clone(&board), Arc::clone(&gauges)));
            let driver = InProcess::new(flow.clone(), *context.config.wait);
            let run = set.storm(driver, Some(board), stop).await;
            learning.abort();
            run
        }
    };
    looking.abort();
    let report = report::assess(args, context, flow, &stage, run, started_at, stop).await?;
    workers.end().await;
    Ok(Some(report))
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
        // A task, so that it stands among the buyers whom it lets in: from outside the runtime's threads, each buyer
        // who comes or leaves would wake one of them.
        let mut storming = tokio::spawn(storm.run(stop.requested()));
        let run = tokio::select! {
            biased;
            run = &mut storming => run,
            never = progress::show(self.context, &plan, watch, &self.gauges) => match never {},
        };
        let mut run = run.unwrap_or_else(|failed| match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(failed) => unreachable!("nobody aborts a storm: {failed}"),
        });
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
                tracing::error!(error = %error.chain(), "the worker has ended");
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
