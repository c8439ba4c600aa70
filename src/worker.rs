//! The worker: poll, reserve, write statuses, commit offsets; sweep what is overdue; drain on shutdown.

use std::time::Duration;

use tokio::sync::watch;

use crate::flow::{Flow, Processed, Swept};
use crate::inventory::DeadLetterIndex;
use crate::ports::{Error, Ports};
use crate::queue::{Consumer, Delivery, Position, Queue};
use crate::supervise::caught;

/// How long one poll waits for the first message.
const POLL_WAIT: Duration = Duration::from_millis(500);

/// How often what is overdue is swept.
const SWEEP_EVERY: Duration = Duration::from_millis(200);

/// The first and the longest delay before something that failed is tried again.
const TRY_AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How a worker runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The most carts decided in one transaction.
    pub batch_max: usize,
    /// Whether to end once the queue is empty.
    pub drain: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch_max: 4_000,
            drain: false,
        }
    }
}

/// What a worker has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// Batches decided.
    pub batches: u64,
    /// Carts decided, redeliveries included.
    pub carts: u64,
    /// Messages set aside.
    pub dead_letters: u64,
    /// Overdue orders settled.
    pub expired: u64,
    /// Refunds executed.
    pub refunds: u64,
}

impl Totals {
    fn add_batch(&mut self, processed: &Processed) {
        self.batches += 1;
        self.carts += processed.carts as u64;
        self.dead_letters += processed.dead_letters as u64;
    }

    fn add_sweep(&mut self, swept: Swept) {
        self.expired += swept.settled as u64;
        self.refunds += swept.refunded as u64;
    }
}

/// Runs a worker until `stop` becomes true (or its sender is gone), or until drained: it finishes the batch in hand,
/// commits it, and leaves the group.
///
/// # Errors
/// Only when it cannot join the group: afterwards it retries, with backoff.
pub async fn run<P>(
    flow: Flow<P>,
    options: Options,
    stop: watch::Receiver<bool>,
) -> Result<Totals, Error>
where
    P: Ports<Inventory: DeadLetterIndex>,
{
    let mut consumer = flow.ports().queue().subscribe().await?;
    // Sweeping goes on while a batch is being decided, and ends with the worker.
    let (end_sweeps, swept_out) = watch::channel(false);
    let sweeps = tokio::spawn(sweep_until(flow.clone(), swept_out));
    let mut totals = consume(&flow, &mut consumer, &options, stop).await;
    consumer.close().await;
    // The sweeper may have ended by itself.
    let _ = end_sweeps.send(true);
    match sweeps.await {
        Ok(swept) => totals.add_sweep(swept),
        Err(error) => tracing::error!(%error, "the sweep has failed"),
    }
    Ok(totals)
}

async fn consume<P, C>(
    flow: &Flow<P>,
    consumer: &mut C,
    options: &Options,
    mut stop: watch::Receiver<bool>,
) -> Totals
where
    P: Ports<Inventory: DeadLetterIndex>,
    C: Consumer,
{
    let mut totals = Totals::default();
    let mut delay = TRY_AGAIN.0;
    // Decided, but the log has not taken note: nobody else will tell it, and until then the queue does not look empty.
    let mut uncommitted = Vec::new();
    while !stopped(&stop) {
        let polled = tokio::select! {
            biased;
            () = until_stopped(&mut stop) => break,
            polled = consumer.poll(options.batch_max, POLL_WAIT) => polled,
        };
        match polled {
            Ok(deliveries) if deliveries.is_empty() => {
                if !uncommitted.is_empty() {
                    uncommitted = commit(consumer, uncommitted).await;
                }
                if options.drain && matches!(flow.ports().queue().backlog().await, Ok(0)) {
                    break;
                }
            }
            Ok(deliveries) => {
                delay = TRY_AGAIN.0;
                let positions = last_positions(uncommitted, &deliveries);
                let Some(processed) = process(flow, deliveries, &mut stop).await else {
                    break;
                };
                totals.add_batch(&processed);
                // The database has them: neither of these two has to wait for the other (rules 8 and 16).
                ((), uncommitted) = tokio::join!(
                    flow.write_statuses(processed.statuses),
                    commit(consumer, positions)
                );
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read the queue");
                pause(flow, &mut delay, &mut stop).await;
            }
        }
    }
    totals
}

/// Commits offsets; those that are to be committed again, later.
///
/// Committing is repeated with the next batch, or when there is none. A worker that ends before leaves them to be
/// delivered again, which is harmless.
async fn commit<C: Consumer>(consumer: &mut C, positions: Vec<Position>) -> Vec<Position> {
    match consumer.commit(positions.clone()).await {
        Ok(()) => Vec::new(),
        Err(error) => {
            tracing::warn!(%error, "offsets are not committed");
            if error.is_transient() {
                positions
            } else {
                Vec::new()
            }
        }
    }
}

/// Decides a batch, again and again until it succeeds; `None` if stopped before.
async fn process<P>(
    flow: &Flow<P>,
    deliveries: Vec<Delivery>,
    stop: &mut watch::Receiver<bool>,
) -> Option<Processed>
where
    P: Ports<Inventory: DeadLetterIndex>,
{
    let mut delay = TRY_AGAIN.0;
    loop {
        match caught("decide a batch", flow.process(&deliveries)).await {
            Ok(processed) => return Some(processed),
            Err(error) => {
                tracing::warn!(%error, count = deliveries.len(), "a batch is tried again");
                pause(flow, &mut delay, stop).await;
                if stopped(stop) {
                    return None;
                }
            }
        }
    }
}

/// Sweeps until told to end. What fails is tried again in the next round.
async fn sweep_until<P: Ports>(flow: Flow<P>, mut end: watch::Receiver<bool>) -> Swept {
    let mut total = Swept::default();
    let mut delay = TRY_AGAIN.0;
    while !stopped(&end) {
        match caught("sweep what is overdue", flow.sweep()).await {
            Ok(swept) => {
                delay = TRY_AGAIN.0;
                total.settled += swept.settled;
                total.refunded += swept.refunded;
                if swept.more {
                    continue;
                }
                tokio::select! {
                    biased;
                    () = until_stopped(&mut end) => {}
                    () = tokio::time::sleep(SWEEP_EVERY) => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "what is overdue is not swept");
                pause(&flow, &mut delay, &mut end).await;
            }
        }
    }
    total
}

/// Waits before the next attempt: longer each time, with jitter, and no longer than until stopped.
async fn pause<P: Ports>(flow: &Flow<P>, delay: &mut Duration, stop: &mut watch::Receiver<bool>) {
    let jittered = flow.jitter(*delay);
    *delay = (*delay * 2).min(TRY_AGAIN.1);
    tokio::select! {
        biased;
        () = until_stopped(stop) => {}
        () = tokio::time::sleep(jittered) => {}
    }
}

fn stopped(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

async fn until_stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _ = stop.wait_for(|stopped| *stopped).await;
}

/// The last message of each partition, of those not committed before and of these.
fn last_positions(uncommitted: Vec<Position>, deliveries: &[Delivery]) -> Vec<Position> {
    let mut last = std::collections::BTreeMap::new();
    let delivered = deliveries.iter().map(|delivery| delivery.position);
    for position in uncommitted.into_iter().chain(delivered) {
        let offset = last.entry(position.partition).or_insert(position.offset);
        *offset = (*offset).max(position.offset);
    }
    last.into_iter()
        .map(|(partition, offset)| Position { partition, offset })
        .collect()
}
