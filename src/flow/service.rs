//! The flow as a service: its ports, its groups, and what every step uses.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::damaged::Damaged;
use super::decided::Decided;
use super::expire::RoundEnd;
use super::hold_times::HoldTimes;
use super::refunds::Pauses;
use super::stock_cache::StockCache;
use super::stock_reads::Share;
use super::stuck::StuckBatch;
use super::unacknowledged::Unacknowledged;
use super::{Metrics, Settings, stock_reads, unacknowledged};
use crate::domain::{CartHash, Line, Order, OrderId, Reason, Status, StatusSet, Timestamp};
use crate::group::Group;
use crate::inventory::{HoldEnd, Inventory, Owed, Settle, SettleOutcome, StockLevel};
use crate::ports::{self, Clock, Error, ErrorKind, Ports};
use crate::queue::{Message, Position, Queue};
use crate::rng::{OrderIds, Rng};
use crate::statuses::{StatusEntry, Statuses, Transition, Transitioned};
use crate::supervise::Tasks;

/// How long a call to the status store may hold up the flow (rule 16).
const STATUS_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long a batch of reads or writes at the status store may take: whoever submits one waits for the batch under way
/// and for its own. A bound per batch, since a timer per caller costs more than its share of the batch.
const STATUS_BATCH_WAIT_MAX: Duration = STATUS_WAIT_MAX.checked_div(2).expect("two is not zero");

/// How much later than asked for a wait at the status store may end, before it counts as not answered.
const STATUS_WAIT_GRACE: Duration = Duration::from_millis(100);

/// How long after its hold a status that is not final may be forgotten (rule 8).
const STATUS_GRACE: Duration = Duration::from_secs(300);

/// How long a final status is kept at hand; the database keeps it for good.
const FINAL_STATUS_KEPT: Duration = Duration::from_secs(24 * 3600);

/// How old the known size of the backlog may be.
const BACKLOG_KNOWN_FOR: Duration = Duration::from_millis(100);

/// The most items of one group's batch.
const GROUP_MAX: usize = 4_000;

/// The ten steps over one choice of ports. Cheap to clone; the last clone ends its background tasks.
pub struct Flow<P: Ports>(pub(super) Arc<Inner<P>>);

pub(super) struct Inner<P: Ports> {
    pub(super) ports: Arc<P>,
    pub(super) settings: Settings,
    pub(super) metrics: Metrics,
    pub(super) stock: Arc<StockCache>,
    pub(super) decided: Decided,
    pub(super) damaged: Damaged,
    pub(super) hold_times: HoldTimes,
    pub(super) unacknowledged: Unacknowledged,
    /// Whether the worker has decided what was in the queue when it was asked.
    pub(super) caught_up: Group<(), bool>,
    tasks: Tasks,
    pub(super) publish: Group<Message, Position>,
    pub(super) orders: Group<OrderId, Option<Order>>,
    /// Apart from the others, so that a batch of confirmations touches no item (see [`crate::inventory::mysql`]).
    pub(super) confirm: Group<Settle, SettleOutcome>,
    /// Releases and give-ups.
    pub(super) release: Group<Settle, SettleOutcome>,
    pub(super) stock_reads: Group<Line, Option<StockLevel>>,
    pub(super) refresh: mpsc::Sender<Line>,
    ids: OrderIds,
    rng: Mutex<Rng>,
    statuses: Group<OrderId, Option<StatusEntry>>,
    transitions: Group<Transition, Transitioned>,
    shared_cache: Share,
    backlog: Backlog,
    /// Dead letters that the queue keeps, of batches that are not done: a repeat appends none of them again.
    pub(super) appended_letters: Mutex<BTreeSet<Position>>,
    pub(super) stuck: StuckBatch,
    /// Why the gateway last left a release undone.
    pub(super) gateway_trouble: Mutex<Option<String>>,
    /// Of the rounds over overdue orders.
    pub(super) swept_to: RoundEnd<HoldEnd>,
    /// Of the rounds over due refunds.
    pub(super) refunded_to: RoundEnd<Owed>,
    /// Of refunds that failed.
    pub(super) refund_pauses: Pauses,
}

/// The size of the backlog as last read, so that not every cart reads it.
struct Backlog {
    started: Instant,
    read_at_ms: AtomicU64,
    messages: AtomicU64,
}

impl<P: Ports> Clone for Flow<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: Ports> Flow<P> {
    /// Starts the flow's background tasks on the current tokio runtime.
    pub fn start(ports: P, settings: Settings, ids: OrderIds) -> Self {
        let ports = Arc::new(ports);
        let stock = Arc::new(StockCache::default());
        let metrics = Metrics::default();
        let tasks = Tasks::default();
        let shared_cache = stock_reads::share(&tasks, Arc::clone(&ports));
        let settle = |name| {
            let (stock, shared_cache, metrics) =
                (Arc::clone(&stock), shared_cache.clone(), metrics.clone());
            group(&tasks, name, &ports, move |ports: Arc<P>, batch| {
                let (stock, shared_cache, metrics) =
                    (Arc::clone(&stock), shared_cache.clone(), metrics.clone());
                async move {
                    let began = Instant::now();
                    let settled = ports.inventory().settle(batch).await?;
                    metrics
                        .settle_seconds
                        .observe(began.elapsed().as_secs_f64());
                    // Committed while this was under way, and perhaps long before it ended.
                    stock.learn(&settled.levels, false, began);
                    shared_cache.send(began, settled.levels);
                    Ok(settled.outcomes)
                }
            })
        };
        let stock_reads = {
            let (stock, shared_cache) = (Arc::clone(&stock), shared_cache.clone());
            group(&tasks, "read stock", &ports, move |ports: Arc<P>, lines| {
                let (stock, shared_cache) = (Arc::clone(&stock), shared_cache.clone());
                async move { stock_reads::read(&*ports, &stock, &shared_cache, lines, true).await }
            })
        };
        let refresh = stock_reads::refresh(&tasks, &ports, &stock, &shared_cache);
        let inner = Inner {
            publish: group(&tasks, "publish", &ports, |ports, batch| async move {
                ports.queue().publish(batch).await
            }),
            orders: group(&tasks, "read orders", &ports, |ports, ids| async move {
                ports.inventory().orders(ids).await
            }),
            statuses: group(&tasks, "read statuses", &ports, |ports, ids| async move {
                within(STATUS_BATCH_WAIT_MAX, ports.statuses().get(ids)).await
            }),
            transitions: group(
                &tasks,
                "write statuses",
                &ports,
                |ports, batch| async move {
                    within(STATUS_BATCH_WAIT_MAX, ports.statuses().transition(batch)).await
                },
            ),
            confirm: settle("confirm"),
            release: settle("release"),
            stock_reads,
            refresh,
            damaged: Damaged::counted_by(metrics.damaged.clone()),
            hold_times: HoldTimes::default(),
            unacknowledged: Unacknowledged::default(),
            caught_up: group(&tasks, "catch up", &ports, |ports, asked| async move {
                let caught_up = unacknowledged::caught_up(&*ports).await?;
                Ok(vec![caught_up; asked.len()])
            }),
            tasks,
            shared_cache,
            ports,
            settings,
            metrics,
            stock,
            decided: Decided::default(),
            rng: Mutex::new(Rng::stream(ids.seed(), 1)),
            ids,
            backlog: Backlog {
                started: Instant::now(),
                read_at_ms: AtomicU64::new(u64::MAX),
                messages: AtomicU64::new(0),
            },
            appended_letters: Mutex::default(),
            stuck: StuckBatch::default(),
            gateway_trouble: Mutex::default(),
            swept_to: RoundEnd::default(),
            refunded_to: RoundEnd::default(),
            refund_pauses: Pauses::default(),
        };
        Self(Arc::new(inner))
    }

    /// The ports it works on.
    pub fn ports(&self) -> &P {
        &self.0.ports
    }

    /// The bounds it keeps to.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// What it counts.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// What is wrong with the service's background tasks, if one has ended early: it has to be restarted.
    pub fn trouble(&self) -> Option<String> {
        self.0.tasks.trouble()
    }

    /// A fresh, time-ordered order id.
    pub fn new_order_id(&self) -> OrderId {
        self.0.ids.next(self.now())
    }

    /// Every stock level that this process learns of from now on, in the order in which it learns, as long as the
    /// listener keeps up.
    pub fn stock_feed(&self) -> mpsc::Receiver<StockLevel> {
        self.0.stock.feed()
    }

    /// Now, by the wall clock.
    pub(super) fn now(&self) -> Timestamp {
        self.0.ports.clock().now()
    }

    /// A delay between half of `most` and all of it.
    pub(crate) fn jitter(&self, most: Duration) -> Duration {
        self.0.rng.lock().jitter(most)
    }

    /// The present status, read together with those that others ask for; within a second or not at all.
    pub(super) async fn status_of(&self, id: OrderId) -> Result<Option<StatusEntry>, Error> {
        self.0.statuses.submit(id).await
    }

    /// Waits until the status has a rank above `above`, or until then. A status store that hangs ends the wait, too:
    /// whoever waits has the database to read (rules 8 and 16).
    pub(super) async fn wait_for_status(
        &self,
        id: OrderId,
        above: u8,
        until: Instant,
    ) -> Result<Option<StatusEntry>, Error> {
        let wait = self.0.ports.statuses().wait(id, above, until);
        match tokio::time::timeout_at(until + STATUS_WAIT_GRACE, wait).await {
            Ok(entry) => entry,
            Err(elapsed) => Err(Error::unavailable("wait for a status").because(elapsed)),
        }
    }

    /// The order as the database has it, read together with those that others ask for.
    pub(super) async fn order_of(&self, id: OrderId) -> Result<Option<Order>, Error> {
        let read = self.0.orders.submit(id).await;
        read.inspect_err(|error| self.0.damaged.note(id, error))
    }

    /// A transition to `to`, to be written over whatever yields to it (rule 8).
    pub(super) fn advance(
        &self,
        order_id: OrderId,
        to: Status,
        reason: Option<Reason>,
        cart_hash: Option<CartHash>,
    ) -> Transition {
        let at = self.now();
        let kept = if to.is_final() {
            FINAL_STATUS_KEPT
        } else {
            self.0.settings.hold + STATUS_GRACE
        };
        let from = StatusSet::yields_to(to);
        Transition {
            order_id,
            from,
            to,
            reason,
            cart_hash,
            at,
            expires_at: at.plus(kept),
        }
    }

    /// Writes one status, together with those that others write. The status store being away holds nobody up for
    /// longer than a second (rule 16): it heals from the database.
    pub(super) async fn write_status(&self, transition: Transition) -> Result<Transitioned, Error> {
        self.0.transitions.submit(transition).await
    }

    /// Writes many statuses at once; failing is logged, and healed later (rule 8).
    pub async fn write_statuses(&self, batch: Vec<Transition>) {
        if batch.is_empty() {
            return;
        }
        let count = batch.len();
        if let Err(error) = bounded(self.0.ports.statuses().transition(batch)).await {
            tracing::warn!(error = %error.chain(), count, "statuses are behind the database");
        }
    }

    /// Passes stock that was committed since `began` on to whoever answers carts: this process now, the others through
    /// the shared cache.
    pub(super) fn learn_stock(&self, levels: Vec<StockLevel>, began: Instant) {
        self.0.stock.learn(&levels, false, began);
        self.0.shared_cache.send(began, levels);
    }

    /// How many messages wait for the worker, as of the last 100 ms.
    pub(super) async fn backlog(&self) -> Result<u64, Error> {
        let known = &self.0.backlog;
        let now_ms = u64::try_from(known.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let read_at_ms = known.read_at_ms.load(Ordering::Acquire);
        let old = read_at_ms == u64::MAX
            || Duration::from_millis(now_ms - read_at_ms.min(now_ms)) > BACKLOG_KNOWN_FOR;
        // Whoever wins this exchange reads; everyone else goes by what was read before.
        let reads = old
            && known
                .read_at_ms
                .compare_exchange(read_at_ms, now_ms, Ordering::AcqRel, Ordering::Acquire)
                .is_ok();
        if reads {
            let messages = self.0.ports.queue().backlog().await?;
            known.messages.store(messages, Ordering::Release);
            self.0
                .metrics
                .backlog
                .set(i64::try_from(messages).unwrap_or(i64::MAX));
        }
        Ok(known.messages.load(Ordering::Acquire))
    }
}

/// Gives a call to the status store a second.
pub(super) async fn bounded<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    within(STATUS_WAIT_MAX, call).await
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    ports::within(
        limit,
        ErrorKind::OutcomeUnknown,
        "use the status store",
        call,
    )
    .await
}

/// A group whose batches go to the ports.
fn group<P, I, O, B, F>(tasks: &Tasks, name: &'static str, ports: &Arc<P>, batch: B) -> Group<I, O>
where
    P: Ports,
    I: Clone + Send + Sync + 'static,
    O: Send + 'static,
    B: Fn(Arc<P>, Vec<I>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Vec<O>, Error>> + Send,
{
    let ports = Arc::clone(ports);
    Group::start_in(tasks, name, GROUP_MAX, move |items| {
        batch(Arc::clone(&ports), items)
    })
}
