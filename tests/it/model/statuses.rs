//! Statuses and the stock cache in memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use oms::domain::{OrderId, OrderState, Sku, Status, Timestamp};
use oms::inventory::StockLevel;
use oms::ports::Clock;
use oms::statuses::{
    CachedStock, Error, ScanCursor, ScanPage, ScanStatuses, StatusChange, StatusEntry, Statuses,
    Transition, Transitioned, Waiters,
};
use parking_lot::Mutex;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::{ManualClock, ModelInventory};

/// How often a waiter reads again, in case a notification got lost.
const SAFETY_NET: Duration = Duration::from_millis(500);

/// How old an entry may be and still keep one of a lower version out.
const VERSION_COUNTS: Duration = Duration::from_millis(100);

/// A status store in memory. A clone is another connection to it.
#[derive(Debug, Clone)]
pub struct ModelStatuses(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: ManualClock,
    state: Mutex<State>,
    waiters: Waiters,
    /// The truth that every write is held against (invariant V), and the writes that ran ahead of it.
    truth: Option<ModelInventory>,
    ahead: Mutex<Vec<String>>,
}

/// What a flush loses.
#[derive(Debug, Clone, Default)]
pub struct State {
    entries: HashMap<OrderId, Stored>,
    stock: HashMap<Sku, CachedStock>,
}

#[derive(Debug, Clone)]
struct Stored {
    entry: StatusEntry,
    expires_at: Timestamp,
    history: Vec<StatusChange>,
}

impl ModelStatuses {
    pub fn new(clock: ManualClock) -> Self {
        Self::build(clock, None)
    }

    /// A store that notes every status which the database had not committed first.
    pub fn held_against(clock: ManualClock, truth: ModelInventory) -> Self {
        Self::build(clock, Some(truth))
    }

    fn build(clock: ManualClock, truth: Option<ModelInventory>) -> Self {
        Self(Arc::new(Shared {
            clock,
            state: Mutex::default(),
            waiters: Waiters::default(),
            truth,
            ahead: Mutex::default(),
        }))
    }

    /// Forgets everything.
    pub fn flush(&self) {
        *self.0.state.lock() = State::default();
    }

    /// Forgets one order.
    pub fn forget(&self, id: OrderId) {
        self.0.state.lock().entries.remove(&id);
    }

    /// What it knows now, to roll back to later.
    pub fn snapshot(&self) -> State {
        self.0.state.lock().clone()
    }

    /// Goes back to what it knew: a failover to a replica that was behind.
    pub fn roll_back(&self, earlier: State) {
        *self.0.state.lock() = earlier;
    }

    /// What it knows of an order now.
    pub fn entry(&self, id: OrderId) -> Option<StatusEntry> {
        self.present(&self.0.state.lock(), id)
    }

    /// Overwrites what the cache says of an item.
    pub fn plant_stock(&self, cached: CachedStock) {
        let mut state = self.0.state.lock();
        state.stock.insert(cached.level.sku.clone(), cached);
    }

    /// Statuses that were written before the database had committed them.
    pub fn ran_ahead(&self) -> Vec<String> {
        self.0.ahead.lock().clone()
    }

    fn present(&self, state: &State, id: OrderId) -> Option<StatusEntry> {
        let stored = state.entries.get(&id)?;
        (stored.expires_at > self.0.clock.now()).then_some(stored.entry)
    }

    fn hold_against_truth(&self, id: OrderId, to: Status) {
        let Some(truth) = &self.0.truth else { return };
        let known = truth.state().orders.get(&id).map(|order| order.state);
        let vouched = match to {
            Status::Init => true,
            Status::Failed => known == Some(OrderState::Failed),
            Status::Placed => known == Some(OrderState::Placed),
            _ => known.is_some(),
        };
        if !vouched {
            let note = format!("{id} was said to be {to} while the database had {known:?}");
            self.0.ahead.lock().push(note);
        }
    }

    fn apply(&self, state: &mut State, transition: &Transition) -> Transitioned {
        let present = self.present(state, transition.order_id);
        if !transition.from.contains(present.map(|entry| entry.status)) {
            return Transitioned::Refused(present);
        }
        self.hold_against_truth(transition.order_id, transition.to);
        let entry = StatusEntry {
            status: transition.to,
            reason: transition.reason,
            cart_hash: transition
                .cart_hash
                .or(present.and_then(|entry| entry.cart_hash)),
            at: transition.at,
        };
        let earlier = present.and_then(|_| state.entries.remove(&transition.order_id));
        let mut history = earlier.map_or_else(Vec::new, |stored| stored.history);
        history.push(StatusChange {
            status: transition.to,
            at: transition.at,
        });
        let stored = Stored {
            entry,
            expires_at: transition.expires_at,
            history,
        };
        state.entries.insert(transition.order_id, stored);
        Transitioned::Applied
    }
}

impl Statuses for ModelStatuses {
    async fn get(&self, ids: Vec<OrderId>) -> Result<Vec<Option<StatusEntry>>, Error> {
        yield_now().await;
        let state = self.0.state.lock();
        Ok(ids.iter().map(|id| self.present(&state, *id)).collect())
    }

    async fn transition(&self, batch: Vec<Transition>) -> Result<Vec<Transitioned>, Error> {
        yield_now().await;
        let results: Vec<Transitioned> = {
            let mut state = self.0.state.lock();
            batch
                .iter()
                .map(|transition| self.apply(&mut state, transition))
                .collect()
        };
        for (transition, result) in batch.iter().zip(&results) {
            if *result == Transitioned::Applied
                && let Some(entry) = self.entry(transition.order_id)
            {
                self.0.waiters.notify(transition.order_id, entry);
            }
        }
        yield_now().await;
        Ok(results)
    }

    async fn wait(
        &self,
        id: OrderId,
        above: u8,
        deadline: Instant,
    ) -> Result<Option<StatusEntry>, Error> {
        loop {
            let mut waiter = self.0.waiters.register(id, above);
            yield_now().await;
            let present = self.entry(id);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || present.is_some_and(|entry| entry.status.rank() > above) {
                return Ok(present);
            }
            tokio::select! {
                biased;
                _ = waiter.woken() => {}
                () = sleep(left.min(SAFETY_NET)) => {}
            }
        }
    }

    async fn history(&self, id: OrderId) -> Result<Vec<StatusChange>, Error> {
        yield_now().await;
        let state = self.0.state.lock();
        let known = self
            .present(&state, id)
            .and_then(|_| state.entries.get(&id));
        Ok(known.map_or_else(Vec::new, |stored| stored.history.clone()))
    }

    async fn cached_stock(&self, skus: Vec<Sku>) -> Result<Vec<Option<CachedStock>>, Error> {
        yield_now().await;
        let state = self.0.state.lock();
        Ok(skus
            .iter()
            .map(|sku| state.stock.get(sku).cloned())
            .collect())
    }

    async fn cache_stock(&self, levels: Vec<CachedStock>) -> Result<(), Error> {
        yield_now().await;
        let now = self.0.clock.now();
        let mut state = self.0.state.lock();
        for CachedStock { level, cached_at } in levels {
            let stays = state.stock.get(&level.sku).is_some_and(|kept| {
                let fresh = kept.cached_at <= now && now.since(kept.cached_at) <= VERSION_COUNTS;
                fresh && kept.level.version > level.version
            });
            if !stays {
                let level = StockLevel {
                    earliest_hold: None,
                    ..level
                };
                let cached = CachedStock { level, cached_at };
                state.stock.insert(cached.level.sku.clone(), cached);
            }
        }
        Ok(())
    }
}

impl ScanStatuses for ModelStatuses {
    async fn scan(&self, cursor: Option<ScanCursor>, limit: usize) -> Result<ScanPage, Error> {
        yield_now().await;
        let after = match cursor {
            Some(ScanCursor::After(id)) => Some(id),
            _ => None,
        };
        let state = self.0.state.lock();
        let mut ids: Vec<OrderId> = state.entries.keys().copied().collect();
        ids.retain(|id| after.is_none_or(|after| *id > after));
        ids.sort_unstable();
        let next = ids.get(limit.wrapping_sub(1)).copied();
        ids.truncate(limit);
        let entries = ids.into_iter();
        let entries = entries.filter_map(|id| Some((id, self.present(&state, id)?)));
        Ok((entries.collect(), next.map(ScanCursor::After)))
    }
}
