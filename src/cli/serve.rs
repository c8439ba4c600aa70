//! `oms serve`: the HTTP API, with a worker in it unless told otherwise.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::signals::Stop;
use super::{Context, exit};
use crate::config::InventoryUrl;
use crate::flow::Flow;
use crate::http::{self, Api, Limits};
use crate::wiring::OmsPorts;
use crate::worker::{self, Options, Totals};

/// How long the worker may take to finish the batch in hand.
const WORKER_END_MAX: Duration = Duration::from_secs(15);

/// Arguments of `oms serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Whoever can reach the address can order and correct stock: there are no users and no passwords.
Ctrl-C or SIGTERM: no new connections, requests under way are answered, then it ends with exit
code 0. A second one ends it at once; repeating a request with its id does no harm.

Examples:
  oms serve
  oms serve --listen 127.0.0.1:0 --json      # any free port; the line says which
  oms serve --no-worker                      # with `oms worker` in another process
  curl localhost:8080/openapi.json")]
pub struct Args {
    /// Where to listen; port 0 takes any that is free [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Decide no carts in this process
    #[arg(long)]
    no_worker: bool,
}

/// What is said once requests are taken.
#[derive(Serialize)]
struct Listening {
    listening: String,
    worker: bool,
}

/// Serves until told to stop.
///
/// # Errors
/// When the address cannot be had, the stores cannot be opened, or the worker cannot start.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let mut stop = Stop::on_signal().context("cannot listen for signals")?;
    raise_file_limit();
    let address = args.listen.unwrap_or(*context.config.listen);
    let (listener, address) = listen(address).await?;
    if !address.ip().is_loopback() {
        context.out.warn(format_args!(
            "others can reach {address}, and whoever does can order and correct stock"
        ));
    }
    let flow = open(&listener, address, context).await?;
    let mut worker = (!args.no_worker).then(|| Worker::start(&flow, context));
    announce(address, worker.is_some(), context)?;
    let (ask, stopping) = watch::channel(false);
    let serving = http::serve(listener, Api::new(flow, &Limits::default(), stopping));
    tokio::pin!(serving);
    tokio::select! {
        biased;
        served = &mut serving => return served.map(|()| exit::DONE).context("cannot serve"),
        died = died(worker.as_mut()) => return Err(died),
        _ = stop.wait() => {}
    }
    context.out.note("ending; requests under way are answered");
    ask.send_replace(true);
    serving.await.context("cannot serve")?;
    // Last, since orders that are being placed wait for its decisions.
    if let Some(worker) = worker {
        worker.end().await?;
    }
    Ok(exit::DONE)
}

async fn listen(address: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; choose another address with --listen")
    })?;
    let address = listener
        .local_addr()
        .context("cannot tell the address that is listened on")?;
    Ok((listener, address))
}

/// Opens the stores. Whoever comes meanwhile is told to wait: if that is this process itself, asking over its inventory
/// URL, then the URL leads back here. Since every service asks before it serves, a ring of any number of them never
/// starts: the last one hears itself.
async fn open(
    listener: &TcpListener,
    address: SocketAddr,
    context: &Context,
) -> anyhow::Result<Flow<OmsPorts>> {
    let InventoryUrl::Http(url) = &context.config.inventory.value else {
        return context.flow().await;
    };
    let mark = Uuid::new_v4().to_string();
    let opened = tokio::select! {
        biased;
        opened = context.flow() => opened,
        never = http::turn_away(listener, &mark) => match never {},
    };
    opened.map_err(|error| {
        if super::run::chain(error.as_ref()).contains(&mark) {
            anyhow::anyhow!(
                "the inventory URL {url} leads back to this process, which listens on {address}; \
                 give --inventory-url the service that has the database, or the database"
            )
        } else {
            error
        }
    })
}

fn announce(address: SocketAddr, worker: bool, context: &Context) -> anyhow::Result<()> {
    let url = format!("http://{address}");
    if context.out.is_json() {
        context.out.json(&Listening {
            listening: url,
            worker,
        })
    } else {
        context.out.line(format_args!("listening on {url}"))
    }
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

    /// Has it finish the batch in hand.
    async fn end(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        if let Ok(ended) = tokio::time::timeout(WORKER_END_MAX, self.running).await {
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
            .context("cannot start the worker; `oms serve --no-worker` serves without one"),
        Err(error) => anyhow::Error::new(error).context("the worker panicked"),
    }
}

/// Every client is an open file, and the usual limit of 1,024 is soon reached.
fn raise_file_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => tracing::debug!(files, "raised the limit of open files"),
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files"),
    }
}
