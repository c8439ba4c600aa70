//! Stock and orders in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oms::domain::{Money, Order, OrderId, OrderState, Sku};
use oms::inventory::decide::{self, Book, Changes, Context, ItemRow};
use oms::inventory::{
    AdjustmentRow, BatchRow, Checkpoint, DeadLetterRow, Error, GatewayRecord, HoldEnd, Inventory,
    NewItem, Owed, Refund, Reservation, ReserveBatch, Settle, Settlement, StockAnswer, StockLevel,
};
use oms::ports::Clock;
use parking_lot::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::Instant;
use uuid::Uuid;

use super::ManualClock;

/// Stock and decided orders in memory. A clone is another connection to the same database.
#[derive(Debug, Clone)]
pub struct ModelInventory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: ManualClock,
    store_id: Uuid,
    state: Mutex<State>,
    journal: Mutex<Journal>,
}

/// What a transaction changes, and what a failover loses.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub items: BTreeMap<Sku, Item>,
    pub orders: BTreeMap<OrderId, Order>,
    pub refunds: BTreeMap<OrderId, Refund>,
    pub adjustments: Vec<AdjustmentRow>,
    pub batches: Vec<BatchRow>,
    pub letters: Vec<DeadLetterRow>,
    pub gateway: Option<GatewayRecord>,
    /// The last checkpoint, and the checksum of the orders that it covers.
    pub checkpoint: Option<(Checkpoint, u64)>,
    /// The batches that checkpoints cover.
    pub covered: BTreeSet<u64>,
}

#[derive(Debug, Clone)]
pub struct Item {
    pub name: String,
    pub price: Money,
    pub initial: i64,
    pub adjusted: i64,
    pub level: StockLevel,
}

/// What happened, for those who check afterwards. Nothing that is asked reads it.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    /// What was available of an item from a moment on.
    pub available: BTreeMap<Sku, Vec<(Instant, i64)>>,
    /// How often an order moved units back from blocked to available.
    pub releases: BTreeMap<OrderId, u64>,
    /// How often an order moved units from available to blocked.
    pub reservations: BTreeMap<OrderId, u64>,
}

impl ModelInventory {
    pub fn new(clock: ManualClock) -> Self {
        Self(Arc::new(Shared {
            clock,
            store_id: Uuid::from_u128(7),
            state: Mutex::default(),
            journal: Mutex::default(),
        }))
    }

    /// The state, locked: never hold it across an `await`.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }

    /// What happened so far.
    pub fn journal(&self) -> Journal {
        self.0.journal.lock().clone()
    }

    /// Brings back an earlier state: what a failover to a replica that was behind does.
    pub fn restore(&self, earlier: State) {
        let mut state = self.0.state.lock();
        *state = earlier;
        for item in state.items.values() {
            self.note_available(&item.level);
        }
    }

    pub(super) fn store_id_value(&self) -> Uuid {
        self.0.store_id
    }

    pub(super) fn clock(&self) -> &ManualClock {
        &self.0.clock
    }

    /// Creates an item.
    pub(super) fn create(&self, state: &mut State, item: &NewItem) {
        let level = StockLevel {
            sku: item.sku.clone(),
            available: item.stock,
            blocked: 0,
            sold: 0,
            version: 1,
            earliest_hold: None,
        };
        self.note_available(&level);
        let row = Item {
            name: item.name.clone(),
            price: item.price,
            initial: item.stock,
            adjusted: 0,
            level,
        };
        state.items.insert(item.sku.clone(), row);
    }

    pub(super) fn note_available(&self, level: &StockLevel) {
        let mut journal = self.0.journal.lock();
        let entries = journal.available.entry(level.sku.clone()).or_default();
        entries.push((Instant::now(), level.available));
    }

    fn context(&self, state: &State, hold: Duration) -> Context {
        Context {
            now: self.0.clock.now(),
            hold,
            batch_id: state.batches.len() as u64 + 1,
        }
    }

    /// Writes what a batch changed, as one transaction.
    fn commit(&self, state: &mut State, changes: Changes) {
        for level in changes.levels {
            self.note_available(&level);
            if let Some(item) = state.items.get_mut(&level.sku) {
                item.level = level;
            }
        }
        let mut journal = self.0.journal.lock();
        for order in changes.inserted {
            if order.state == OrderState::Blocked {
                *journal.reservations.entry(order.order_id).or_default() += 1;
            }
            state.orders.insert(order.order_id, order);
        }
        for order in changes.updated {
            if order.state == OrderState::Failed {
                *journal.releases.entry(order.order_id).or_default() += 1;
            }
            state.orders.insert(order.order_id, order);
        }
        for refund in changes.refunds {
            state.refunds.entry(refund.order_id).or_insert(refund);
        }
    }
}

impl State {
    fn book(&self, skus: &BTreeSet<Sku>, ids: impl Iterator<Item = OrderId>) -> Book {
        let items = skus
            .iter()
            .filter_map(|sku| self.items.get(sku))
            .map(|item| ItemRow {
                price: item.price,
                level: item.level.clone(),
            });
        let refunded = self.refunds.keys().copied();
        Book::new(items, ids.filter_map(|id| self.orders.get(&id)).cloned()).with_refunds(refunded)
    }

    /// The stock of an item, with the earliest hold if asked for.
    fn level(&self, sku: &Sku, with_hold: bool) -> Option<StockLevel> {
        let mut level = self.items.get(sku)?.level.clone();
        level.earliest_hold = self
            .orders
            .values()
            .filter(|order| with_hold && order.state == OrderState::Blocked)
            .filter(|order| order.lines.iter().any(|line| line.sku == *sku))
            .map(|order| order.hold_until)
            .min();
        Some(level)
    }
}

impl Inventory for ModelInventory {
    async fn reserve(&self, batch: ReserveBatch) -> Result<Reservation, Error> {
        yield_now().await;
        let reservation = {
            let mut state = self.state();
            let context = self.context(&state, batch.hold);
            let ids = batch.carts.iter().map(|cart| cart.order_id);
            let mut book = state.book(&decide::skus(&batch.carts), ids);
            let (outcomes, changes) = decide::reserve(&mut book, &batch.carts, &context);
            if !changes.inserted.is_empty() {
                let blocked = |order: &&Order| order.state == OrderState::Blocked;
                let row = BatchRow {
                    id: context.batch_id,
                    decided_at: context.now,
                    orders: changes.inserted.len() as u64,
                    blocked: changes.inserted.iter().filter(blocked).count() as u64,
                };
                state.batches.push(row);
            }
            let levels = changes.levels.clone();
            self.commit(&mut state, changes);
            Reservation { outcomes, levels }
        };
        yield_now().await;
        Ok(reservation)
    }

    async fn settle(&self, batch: Vec<Settle>) -> Result<Settlement, Error> {
        yield_now().await;
        let settlement = {
            let mut state = self.state();
            let context = self.context(&state, Duration::ZERO);
            let skus = batch
                .iter()
                .filter_map(|settle| state.orders.get(&settle.order_id))
                .flat_map(|order| order.lines.iter().map(|line| line.sku.clone()))
                .collect();
            let mut book = state.book(&skus, batch.iter().map(|settle| settle.order_id));
            let (outcomes, changes) = decide::settle(&mut book, &batch, &context);
            let levels = changes.levels.clone();
            self.commit(&mut state, changes);
            Settlement { outcomes, levels }
        };
        yield_now().await;
        Ok(settlement)
    }

    async fn stock(&self, skus: Vec<Sku>, with_holds: bool) -> Result<StockAnswer, Error> {
        yield_now().await;
        let state = self.state();
        Ok(StockAnswer {
            levels: skus
                .iter()
                .map(|sku| state.level(sku, with_holds))
                .collect(),
            now: self.0.clock.now(),
        })
    }

    async fn orders(&self, ids: Vec<OrderId>) -> Result<Vec<Option<Order>>, Error> {
        yield_now().await;
        let state = self.state();
        Ok(ids.iter().map(|id| state.orders.get(id).cloned()).collect())
    }

    async fn expired(&self, after: Option<HoldEnd>, limit: usize) -> Result<Vec<Order>, Error> {
        yield_now().await;
        let now = self.0.clock.now();
        let state = self.state();
        let overdue = |order: &&Order| {
            order.state == OrderState::Blocked
                && order.hold_until <= now
                && after.is_none_or(|after| HoldEnd::from(*order) > after)
        };
        let mut orders: Vec<Order> = state.orders.values().filter(overdue).cloned().collect();
        orders.sort_by_key(|order| HoldEnd::from(order));
        orders.truncate(limit);
        Ok(orders)
    }

    async fn refunds_due(&self, after: Option<Owed>, limit: usize) -> Result<Vec<Refund>, Error> {
        yield_now().await;
        let state = self.state();
        let due = |refund: &&Refund| {
            refund.executed_at.is_none() && after.is_none_or(|after| Owed::from(*refund) > after)
        };
        let mut refunds: Vec<Refund> = state.refunds.values().filter(due).cloned().collect();
        refunds.sort_by_key(|refund| Owed::from(refund));
        refunds.truncate(limit);
        Ok(refunds)
    }

    async fn refunded(&self, ids: Vec<OrderId>) -> Result<(), Error> {
        yield_now().await;
        let now = self.0.clock.now();
        let mut state = self.state();
        for id in ids {
            if let Some(refund) = state.refunds.get_mut(&id) {
                refund.executed_at.get_or_insert(now);
            }
        }
        Ok(())
    }
}
