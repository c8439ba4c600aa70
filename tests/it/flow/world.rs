//! One set of stores, and any number of processes on it.

use std::time::Duration;

use oms::domain::{Customer, Money, Order, OrderId, OrderState, Reason, Status};
use oms::flow::{AddToCart, Added, Failure, Flow, Placement, Settings};
use oms::inventory::{Adjustment, AuditRequest, Inventory};
use oms::ports::Backends;
use oms::queue::{Consumer, Queue};
use oms::rng::{OrderIds, Rng};
use oms::worker;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use crate::faults::{Faults, Faulty};
use crate::make::{cart, id, item, sku};
use crate::model::{ManualClock, ModelInventory, ModelPayments, ModelQueue, ModelStatuses};

pub type Ports = Backends<
    Faulty<ModelInventory>,
    Faulty<ModelQueue>,
    Faulty<ModelStatuses>,
    Faulty<ModelPayments>,
    ManualClock,
>;

pub type Bare = Backends<ModelInventory, ModelQueue, ModelStatuses, ModelPayments, ManualClock>;

pub const BLOCKED: Option<(OrderState, Option<Reason>)> = Some((OrderState::Blocked, None));
pub const PLACED: Option<(OrderState, Option<Reason>)> = Some((OrderState::Placed, None));

/// FAILED for this reason, in the same words.
#[expect(
    clippy::unnecessary_wraps,
    reason = "it is compared with what may be missing"
)]
pub const fn failed(reason: Reason) -> Option<(OrderState, Option<Reason>)> {
    Some((OrderState::Failed, Some(reason)))
}

/// The stores that all processes share.
pub struct World {
    pub clock: ManualClock,
    pub inventory: ModelInventory,
    pub queue: ModelQueue,
    pub statuses: ModelStatuses,
    pub payments: ModelPayments,
    pub settings: Settings,
}

/// A process: its own flow, its own faults, and a worker if it was told to work.
pub struct Process {
    pub flow: Flow<Ports>,
    pub faults: Faults,
    work: Option<(watch::Sender<bool>, JoinHandle<()>)>,
}

impl World {
    /// Stores that sell these items.
    pub fn selling<'a>(items: impl IntoIterator<Item = (&'a str, i64)>) -> Self {
        Self::with_partitions(1, items)
    }

    /// Stores that sell these items, with a log of so many partitions.
    pub fn with_partitions<'a>(
        partitions: usize,
        items: impl IntoIterator<Item = (&'a str, i64)>,
    ) -> Self {
        let clock = ManualClock::default();
        let inventory = ModelInventory::new(clock.clone());
        let items: Vec<_> = items
            .into_iter()
            .map(|(name, stock)| item(name, stock))
            .collect();
        inventory.put(&items);
        Self {
            statuses: ModelStatuses::held_against(clock.clone(), inventory.clone()),
            payments: ModelPayments::new(clock.clone()),
            queue: ModelQueue::with_partitions(partitions),
            inventory,
            clock,
            settings: Settings {
                hold: Duration::from_secs(60),
                ..Settings::default()
            },
        }
    }

    /// A process that only serves.
    pub fn process(&self) -> Process {
        self.process_by(self.clock.clone())
    }

    /// A process that only serves and goes by a clock of its own.
    pub fn process_by(&self, clock: ManualClock) -> Process {
        let faults = Faults::default();
        let ports = Backends {
            inventory: Faulty::new(self.inventory.clone(), &faults),
            queue: Faulty::new(self.queue.clone(), &faults),
            statuses: Faulty::new(self.statuses.clone(), &faults),
            payments: Faulty::new(self.payments.clone(), &faults),
            clock,
        };
        let ids = OrderIds::new(Rng::from_seed(1));
        Process {
            flow: Flow::start(ports, self.settings.clone(), ids),
            faults,
            work: None,
        }
    }

    /// A process that serves and works.
    pub fn working(&self) -> Process {
        let mut process = self.process();
        process.start_working();
        process
    }

    pub fn order(&self, number: u64) -> Option<Order> {
        self.inventory.state().orders.get(&id(number)).cloned()
    }

    pub fn state(&self, number: u64) -> Option<(OrderState, Option<Reason>)> {
        self.order(number).map(|order| (order.state, order.reason))
    }

    pub fn status(&self, number: u64) -> Option<Status> {
        self.statuses.entry(id(number)).map(|entry| entry.status)
    }

    /// (available, blocked, sold) of an item.
    pub fn stock(&self, name: &str) -> (i64, i64, i64) {
        let level = self.inventory.state().items[&sku(name)].level.clone();
        (level.available, level.blocked, level.sold)
    }

    /// Corrects stock, as an administrator does.
    pub fn correct(&self, name: &str, by: i64) {
        let reason = "recount".to_owned();
        self.inventory.correct(&Adjustment {
            id: Uuid::new_v4(),
            sku: sku(name),
            by,
            reason,
        });
    }

    /// Units of money captured and returned under an id.
    pub fn paid(&self, number: u64) -> (Money, Money) {
        let entry = self.payments.entry(id(number));
        entry.map_or((Money::ZERO, Money::ZERO), |entry| {
            (entry.captured, entry.refunded)
        })
    }

    /// The stores as an auditor reads them.
    pub fn bare(&self) -> Bare {
        Bare {
            inventory: self.inventory.clone(),
            queue: self.queue.clone(),
            statuses: self.statuses.clone(),
            payments: self.payments.clone(),
            clock: self.clock.clone(),
        }
    }

    /// Lets everything come to rest with a fresh, healthy process, and checks every invariant.
    pub async fn check_invariants(&self) {
        self.payments.behave();
        let last = self.working();
        let deadline = Instant::now() + self.settings.hold + Duration::from_secs(120);
        loop {
            let blocked = {
                let state = self.inventory.state();
                state
                    .orders
                    .values()
                    .filter(|order| order.state == OrderState::Blocked)
                    .count()
            };
            let due = self.inventory.refunds_due(None, 1).await.unwrap().len();
            let backlog = self.queue.backlog().await.unwrap();
            if (blocked, due, backlog) == (0, 0, 0) {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "L: {blocked} orders still BLOCK, {due} refunds due, {backlog} carts undecided"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        last.end().await;
        // C, U, P and what of V contradicts the database.
        let report = oms::audit::committed(&self.bare(), AuditRequest::full(Duration::ZERO))
            .await
            .unwrap();
        assert_eq!(report.findings, [], "{:?}", report.notes);
        for (order, times) in &self.inventory.journal().reservations {
            assert!(*times <= 1, "U: {order} was reserved {times} times");
        }
        assert_eq!(
            self.statuses.ran_ahead(),
            Vec::<String>::new(),
            "V: a status came before the database"
        );
    }
}

impl Process {
    pub fn start_working(&mut self) {
        let (stop, stopped) = watch::channel(false);
        let flow = self.flow.clone();
        let task = tokio::spawn(async move {
            worker::run(flow, worker::Options::default(), stopped)
                .await
                .unwrap();
        });
        self.work = Some((stop, task));
    }

    /// The same process, for another task of it.
    pub fn again(&self) -> Self {
        Self {
            flow: self.flow.clone(),
            faults: self.faults.clone(),
            work: None,
        }
    }

    /// Sends a cart under the `number`-th id.
    pub async fn add<'a>(
        &self,
        number: u64,
        lines: impl IntoIterator<Item = (&'a str, i64)>,
    ) -> Result<Added, Failure> {
        let cart = cart(&format!("c{number}"), lines);
        self.flow
            .add_to_cart(AddToCart {
                order_id: Some(id(number)),
                cart,
            })
            .await
    }

    /// Sends a cart that has to be accepted.
    pub async fn accept<'a>(&self, number: u64, lines: impl IntoIterator<Item = (&'a str, i64)>) {
        let added = self.add(number, lines).await.unwrap();
        assert!(matches!(added, Added::Accepted { .. }), "{added:?}");
    }

    /// The order being placed, by a task of its own.
    pub fn placing(&self, number: u64) -> JoinHandle<Result<Placement, Failure>> {
        let flow = self.flow.clone();
        tokio::spawn(async move { flow.place_order(id(number), None).await })
    }

    pub async fn place(&self, number: u64) -> Result<Placement, Failure> {
        self.flow.place_order(id(number), None).await
    }

    /// Decides everything in the log, once, without sweeping, and leaves.
    pub async fn work_once(&self) {
        use oms::ports::Ports as _;
        let mut consumer = self.flow.ports().queue().subscribe().await.unwrap();
        loop {
            let deliveries = consumer
                .poll(1_000, Duration::from_millis(10))
                .await
                .unwrap();
            let Some(last) = deliveries.last().map(|delivery| delivery.position) else {
                break;
            };
            let processed = self.flow.process(&deliveries).await.unwrap();
            self.flow.write_statuses(processed.statuses).await;
            consumer.commit(vec![last]).await.unwrap();
        }
        consumer.close().await;
    }

    /// Ends the worker, and with it the process.
    pub async fn end(mut self) {
        if let Some((stop, task)) = self.work.take() {
            stop.send_replace(true);
            task.await.unwrap();
        }
    }

    /// Ends the process as `kill -9` does: nothing that it was about to do happens.
    pub fn crash(&self) {
        self.faults.kill();
        if let Some((_, task)) = &self.work {
            task.abort();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some((_, task)) = &self.work {
            task.abort();
        }
    }
}

/// Waits, in simulated time, until something is so.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(600);
    while !so() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The customer that [`Process::add`] names.
pub fn buyer(number: u64) -> Customer {
    crate::make::customer(&format!("c{number}"))
}

/// The ids of the `numbers`.
pub fn ids(numbers: impl IntoIterator<Item = u64>) -> Vec<OrderId> {
    numbers.into_iter().map(id).collect()
}
