//! The worker: poll, reserve, write statuses, commit offsets; sweep what is overdue; drain on shutdown.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::batch_limit::BatchLimit;
use crate::flow::{Flow, Processed, Swept};
use crate::inventory::DeadLetterIndex;
use crate::ports::{Error, Ports};
use crate::queue::{Consumer, Delivery, Position, Queue};
use crate::supervise::caught;

/// How long one poll waits for the first message.
const POLL_WAIT: Duration = Duration::from_millis(500);

/// How often offsets are committed: what is delivered again is harmless.
const COMMIT_EVERY: Duration = Duration::from_millis(100);

/// How often what is overdue is swept.
const SWEEP_EVERY: Duration = Duration::from_millis(200);

/// The first and the longest delay before something that failed is tried again.
const TRY_AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How long the batch in hand may take to be decided and committed once the worker is to stop.
const BATCH_END_MAX: Duration = Duration::from_secs(8);

/// How long settlements under way may take then. The gateway may hang.
const SWEEP_END_MAX: Duration = Duration::from_secs(5);

/// How long leaving the group may take.
const CLOSE_MAX: Duration = Duration::from_secs(5);

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
/// commits it, and leaves the group, all within 15 s. What does not end by then is left as a crash would leave it.
///
/// # Errors
/// When it cannot join the group, or is excluded from it for good. Everything else is retried, with backoff.
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
    let mut totals = Totals::default();
    let consumed = tokio::select! {
        biased;
        consumed = consume(&flow, &mut consumer, &options, stop.clone(), &mut totals) => consumed,
        () = overdue(stop.clone(), &end_sweeps) => {
            tracing::warn!("the batch in hand did not end in time; the next worker takes it over");
            Ok(())
        }
    };
    // The sweeper may have ended by itself.
    let _ = end_sweeps.send(true);
    if timeout(CLOSE_MAX, consumer.close()).await.is_err() {
        tracing::warn!("the group was not left in time: it finds out by itself");
    }
    match sweeps.await {
        Ok(swept) => totals.add_sweep(swept),
        Err(error) => tracing::error!(%error, "the sweep has failed"),
    }
    consumed.map(|()| totals)
}

/// Ends the sweeps when the worker is to stop, and resolves when the batch in hand has had its time since.
async fn overdue(mut stop: watch::Receiver<bool>, end_sweeps: &watch::Sender<bool>) {
    until_stopped(&mut stop).await;
    let _ = end_sweeps.send(true);
    tokio::time::sleep(BATCH_END_MAX).await;
}

/// Reads, decides and commits, batch by batch.
async fn consume<P, C>(
    flow: &Flow<P>,
    consumer: &mut C,
    options: &Options,
    mut stop: watch::Receiver<bool>,
    totals: &mut Totals,
) -> Result<(), Error>
where
    P: Ports<Inventory: DeadLetterIndex>,
    C: Consumer,
{
    let mut delay = TRY_AGAIN.0;
    let mut limit = BatchLimit::new(options.batch_max);
    // Read, and not decided.
    let mut waiting = Vec::new();
    // Decided, but the log has not taken note: nobody else will tell it, and until then the queue does not look empty.
    let mut uncommitted = Vec::new();
    let mut committed_at = Instant::now();
    // Writes the statuses of the last batch, while the next is being decided.
    let mut telling: Option<JoinHandle<()>> = None;
    while !stopped(&stop) {
        if waiting.is_empty() {
            let wait = if uncommitted.is_empty() {
                POLL_WAIT
            } else {
                COMMIT_EVERY
            };
            let polled = tokio::select! {
                biased;
                () = until_stopped(&mut stop) => break,
                polled = consumer.poll(limit.get(), wait) => polled,
            };
            match polled {
                Ok(deliveries) => waiting = deliveries,
                Err(error) if error.is_transient() => {
                    tracing::warn!(error = %error.chain(), "cannot read the queue");
                    pause(flow, &mut delay, &mut stop).await;
                    continue;
                }
                Err(error) => return Err(error),
            }
        }
        if waiting.is_empty() {
            if !uncommitted.is_empty() {
                uncommitted = commit(consumer, uncommitted).await;
                committed_at = Instant::now();
            }
            if options.drain && matches!(flow.ports().queue().backlog().await, Ok(0)) {
                break;
            }
            continue;
        }
        let count = waiting.len().min(limit.get());
        let began = Instant::now();
        match caught("decide a batch", flow.process(&waiting[..count])).await {
            Ok(processed) => {
                limit.succeeded(count, began.elapsed());
                flow.batch_ended();
                delay = TRY_AGAIN.0;
                totals.add_batch(&processed);
                uncommitted = last_positions(uncommitted, &waiting[..count]);
                waiting.drain(..count);
                // The database has them: statuses, offsets and the next batch need not wait for each other (rules 8 and 16).
                finished(telling.take()).await;
                let (flow, statuses) = (flow.clone(), processed.statuses);
                telling = Some(tokio::spawn(async move {
                    flow.write_statuses(statuses).await;
                }));
                if committed_at.elapsed() >= COMMIT_EVERY {
                    uncommitted = commit(consumer, uncommitted).await;
                    committed_at = Instant::now();
                }
            }
            Err(error) => {
                limit.failed(count, began.elapsed());
                flow.batch_failed(&waiting[..count], &error);
                let first = waiting[0].position;
                tracing::warn!(
                    error = %error.chain(),
                    count,
                    partition = first.partition,
                    offset = first.offset,
                    "a batch is tried again"
                );
                // This may last: what was decided before it is not to be delivered again.
                uncommitted = commit(consumer, uncommitted).await;
                pause(flow, &mut delay, &mut stop).await;
                waiting = still_owned(consumer, waiting).await;
                if waiting.is_empty() {
                    flow.batch_ended();
                }
            }
        }
    }
    finished(telling).await;
    commit(consumer, uncommitted).await;
    Ok(())
}

/// Waits until the statuses of a batch are written, or given up.
async fn finished(telling: Option<JoinHandle<()>>) {
    if let Some(telling) = telling
        && let Err(error) = telling.await
    {
        tracing::error!(%error, "writing statuses has failed");
    }
}

/// Those of the messages that still are this member's to decide: another member decides the others.
async fn still_owned<C: Consumer>(consumer: &mut C, waiting: Vec<Delivery>) -> Vec<Delivery> {
    let positions = waiting.iter().map(|delivery| delivery.position).collect();
    let owned = match consumer.still_owned(positions).await {
        Ok(owned) => BTreeSet::from_iter(owned),
        Err(error) => {
            tracing::debug!(error = %error.chain(), "who has the partitions is not known");
            return waiting;
        }
    };
    let before = waiting.len();
    let kept: Vec<Delivery> = waiting
        .into_iter()
        .filter(|delivery| owned.contains(&delivery.position))
        .collect();
    if kept.len() < before {
        let count = before - kept.len();
        tracing::warn!(
            count,
            "messages that were tried again went to another worker"
        );
    }
    kept
}

/// Commits offsets; those that are to be committed again, later.
///
/// Committing is repeated with the next batch, or when there is none. A worker that ends before leaves them to be
/// delivered again, which is harmless.
async fn commit<C: Consumer>(consumer: &mut C, positions: Vec<Position>) -> Vec<Position> {
    if positions.is_empty() {
        return positions;
    }
    let Err(error) = consumer.commit(positions.clone()).await else {
        return Vec::new();
    };
    tracing::warn!(error = %error.chain(), "offsets are not committed");
    if !error.is_transient() {
        return Vec::new();
    }
    // Those of a partition that went to another member will never be committed by this one.
    consumer
        .still_owned(positions.clone())
        .await
        .unwrap_or(positions)
}

/// Sweeps until told to end, then begins nothing more and gives what is under way a few seconds. What fails is tried
/// again in the next round; while the gateway does not answer, rounds become rarer.
async fn sweep_until<P: Ports>(flow: Flow<P>, mut end: watch::Receiver<bool>) -> Swept {
    let mut total = Swept::default();
    let mut delay = SWEEP_EVERY;
    let mut gateway_away = false;
    while !stopped(&end) {
        let mut ending = end.clone();
        let going_on = || !stopped(&end);
        let round = tokio::select! {
            biased;
            round = caught("sweep what is overdue", flow.sweep_while(going_on)) => round,
            () = async {
                until_stopped(&mut ending).await;
                tokio::time::sleep(SWEEP_END_MAX).await;
            } => break,
        };
        match round {
            Ok(swept) => {
                total.settled += swept.settled;
                total.refunded += swept.refunded;
                if swept.more {
                    continue;
                }
                let nothing_answered = swept.awaiting_gateway > 0 && swept.settled == 0;
                if nothing_answered && !gateway_away {
                    tracing::warn!(
                        orders = swept.awaiting_gateway,
                        error = flow.gateway_trouble(),
                        "the gateway does not say what became of overdue orders: they stay blocked, and are asked about less often"
                    );
                }
                if gateway_away && swept.settled > 0 {
                    tracing::info!("the gateway answers for overdue orders again");
                    gateway_away = false;
                }
                if nothing_answered {
                    gateway_away = true;
                    pause(&flow, &mut delay, &mut end).await;
                    continue;
                }
                delay = SWEEP_EVERY;
                tokio::select! {
                    biased;
                    () = until_stopped(&mut end) => {}
                    () = tokio::time::sleep(SWEEP_EVERY) => {}
                }
            }
            Err(error) => {
                tracing::warn!(error = %error.chain(), "what is overdue is not swept");
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
