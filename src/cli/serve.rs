//! `oms serve`: the HTTP API, with a worker in it unless told otherwise.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use super::listeners::{ListenerArgs, OpenListeners};
use super::signals::Stop;
use super::{Context, exit};
use crate::config::InventoryUrl;
use crate::domain::format_duration;
use crate::flow::Flow;
use crate::http::{self, Api, Listener, Phase};
use crate::wiring::OmsPorts;
use crate::worker::{self, Options, Totals};

/// How long everything may take to end, from the signal on. Requests under way take some of it.
const END_MAX: Duration = Duration::from_secs(15);

/// What of it is left for the worker at least, to finish the batch in hand.
const WORKER_END_MIN: Duration = Duration::from_secs(3);

/// How many files may be open when the system does not tell: the usual limit.
const FILES_ASSUMED: u64 = 1_024;

/// Arguments of `oms serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --tokens, anyone who reaches the port can order and change stock; therefore only loopback
addresses are accepted then. Tokens have scopes: orders (carts, orders), stock (catalogue,
corrections, metrics) and internal (batch endpoints for other oms processes). docs/security.md
describes a deployment.
Ctrl-C or SIGTERM: no new connections, requests under way are answered, then it ends with exit
code 0. A second one ends it at once; repeating a request with its id does no harm.

Examples:
  oms serve
  oms serve --listen 127.0.0.1:0 --json      # any free port; the line says which
  oms serve --no-worker                      # with `oms worker` in another process
  oms token new --scope orders >> tokens
  oms serve --listen 0.0.0.0:443 --tokens tokens --tls-cert cert.pem --tls-key key.pem
  oms serve --listen 0.0.0.0:8080 --internal-listen 10.0.0.5:8081 --tokens tokens --drain-delay 5s
  curl localhost:8080/openapi.json")]
pub struct Args {
    #[command(flatten)]
    pub(super) listeners: ListenerArgs,
    /// Decide no carts in this process
    #[arg(long)]
    no_worker: bool,
}

/// What is said once requests are taken.
#[derive(Serialize)]
struct Announcement {
    listening: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    internal_listening: Option<String>,
    worker: bool,
}

/// Serves until told to stop.
///
/// # Errors
/// When the address cannot be had, the stores cannot be opened, or the worker cannot start.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let settings = args.listeners.settings(&context.config)?;
    let mut stop = Stop::on_signal().context("cannot listen for signals")?;
    let limits = settings.limits(raise_file_limit());
    let OpenListeners {
        listeners,
        auth,
        url,
        internal_url,
    } = settings.open().await?;
    let flow = open(&listeners, &url, context).await?;
    let mut worker = (!args.no_worker).then(|| Worker::start(&flow, context));
    announce(url, internal_url, worker.is_some(), context)?;
    let (enter, phase) = watch::channel(Phase::Serving);
    let serving = http::serve(listeners, Api::new(flow, &limits, auth, phase));
    tokio::pin!(serving);
    let drained = async {
        stop.wait().await;
        if !settings.drain_delay.is_zero() {
            context.out.note(format_args!(
                "not ready any more; requests are still taken for {}",
                format_duration(settings.drain_delay)
            ));
            enter.send_replace(Phase::Draining);
            tokio::time::sleep(settings.drain_delay).await;
        }
    };
    tokio::select! {
        biased;
        served = &mut serving => return served.map(|()| exit::DONE).context("cannot serve"),
        died = died(worker.as_mut()) => return Err(died),
        () = drained => {}
    }
    let end_by = Instant::now() + END_MAX;
    context.out.note("ending; requests under way are answered");
    enter.send_replace(Phase::Stopping);
    serving.await.context("cannot serve")?;
    // Last, since orders that are being placed wait for its decisions.
    if let Some(worker) = worker {
        worker.end(end_by).await?;
    }
    Ok(exit::DONE)
}

/// Opens the stores. Whoever comes meanwhile is told to wait: if that is this process itself, asking over its inventory
/// URL, then the URL leads back here. Since every service asks before it serves, a ring of any number of them never
/// starts: the last one hears itself.
async fn open(
    listeners: &[Listener],
    own: &str,
    context: &Context,
) -> anyhow::Result<Flow<OmsPorts>> {
    let InventoryUrl::Http(url) = &context.config.inventory.value else {
        return context.serving_flow().await;
    };
    let mark = Uuid::new_v4().to_string();
    let opened = tokio::select! {
        biased;
        opened = context.serving_flow() => opened,
        never = http::turn_away(listeners, &mark) => match never {},
    };
    opened.map_err(|error| {
        if super::run::chain(error.as_ref()).contains(&mark) {
            anyhow::anyhow!(
                "the inventory URL {url} leads back to this process, which listens on {own}; \
                 give --inventory-url the service that has the database, or the database"
            )
        } else {
            error
        }
    })
}

fn announce(
    url: String,
    internal_url: Option<String>,
    worker: bool,
    context: &Context,
) -> anyhow::Result<()> {
    if context.out.is_json() {
        return context.out.json(&Announcement {
            listening: url,
            internal_listening: internal_url,
            worker,
        });
    }
    context.out.line(format_args!("listening on {url}"))?;
    if let Some(url) = internal_url {
        context.out.line(format_args!("internal routes on {url}"))?;
    }
    Ok(())
}

/// The worker in this process.
struct Worker {
    running: JoinHandle<Result<Totals, crate::ports::Error>>,
    stop: watch::Sender<bool>,
}

impl Worker {
    fn start(flow: &Flow<OmsPorts>, context: &Context) -> Self {
        let (stop, stopping) = watch::channel(false);
        let batch_max = usize::try_from(*context.config.batch_max).unwrap_or(usize::MAX);
        let options = Options {
            batch_max,
            drain: false,
        };
        Self {
            running: tokio::spawn(worker::run(flow.clone(), options, stopping)),
            stop,
        }
    }

    /// Has it finish the batch in hand, if it can by then.
    async fn end(self, by: Instant) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        let by = by.max(Instant::now() + WORKER_END_MIN);
        if let Ok(ended) = tokio::time::timeout_at(by, self.running).await {
            let result = ended.context("the worker panicked")?;
            result.context("the worker failed")?;
        } else {
            tracing::warn!("the worker did not end in time; the next one takes over");
        }
        Ok(())
    }
}

/// Resolves with the reason when the worker ends before it is told to; never without a worker.
async fn died(worker: Option<&mut Worker>) -> anyhow::Error {
    let Some(worker) = worker else {
        return std::future::pending().await;
    };
    match (&mut worker.running).await {
        Ok(Ok(_)) => anyhow::anyhow!("the worker ended by itself"),
        Ok(Err(error)) => anyhow::Error::new(error)
            .context("the worker cannot go on; `oms serve --no-worker` serves without one"),
        Err(error) => anyhow::Error::new(error).context("the worker panicked"),
    }
}

/// How many files may be open: every client is one, and the usual limit of 1,024 is soon reached.
fn raise_file_limit() -> u64 {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => {
            tracing::debug!(files, "raised the limit of open files");
            files
        }
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files");
            FILES_ASSUMED
        }
    }
}
