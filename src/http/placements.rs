//! Orders that are being placed: each in a task of its own, which ends whether or not a client still waits for it.
//!
//! An id that neither the status store nor the database knows is different: anyone can send any number of them. Such
//! a placement owns no state, so it ends when the last client that waits for it leaves, and it counts against a small
//! bound of its own. Once a store knows the order, the placement moves to the bound for all others.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::Limits;
use super::problem::{Kind, Problem, RETRY_AFTER};
use crate::domain::{OrderId, Status};
use crate::flow::{Expected, Failure, Flow, Placement};
use crate::ports::Ports;

/// An order, and what it is taken for: requests that expect different carts or customers get their own answers.
type Key = (OrderId, Expected);

/// The placements of this process that have not ended.
#[derive(Debug)]
pub(super) struct Placements {
    known_max: usize,
    unknown_max: usize,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    placements: HashMap<Key, Slot>,
    /// Slots of orders that no store knows.
    unknown: usize,
}

#[derive(Debug)]
struct Slot {
    progress: watch::Sender<Progress>,
    is_unknown: bool,
}

/// How far a placement has come.
#[derive(Debug, Clone)]
enum Progress {
    /// Nobody has looked yet whether a store knows the order.
    Looking,
    /// No store knows the order.
    Unknown,
    /// A store knows the order, and it is being placed.
    Placing,
    Ended(Result<Placement, Obstacle>),
}

/// Why a placement came to nothing.
#[derive(Debug, Clone)]
enum Obstacle {
    Failure(Failure),
    /// As many orders are being placed as there is room for.
    Full {
        most: usize,
    },
    /// As many ids that no store knows are waited for as there is room for.
    FullOfUnknown {
        most: usize,
    },
}

/// A placement that has not ended, or had not when a client joined it.
pub(super) struct Joined {
    progress: watch::Receiver<Progress>,
    id: OrderId,
}

impl Placements {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            known_max: limits.placements_max,
            unknown_max: limits.unknown_placements_max,
            running: Mutex::default(),
        }
    }

    /// Starts to place an order, or joins the placement that has not ended.
    ///
    /// # Errors
    /// [`Kind::Overloaded`] when as many orders are being placed as there is room for.
    pub(super) fn join<P: Ports>(
        self: &Arc<Self>,
        flow: &Flow<P>,
        id: OrderId,
        expected: Expected,
    ) -> Result<Joined, Problem> {
        let key = (id, expected);
        let mut running = self.running.lock();
        if let Some(slot) = running.placements.get(&key) {
            let progress = slot.progress.subscribe();
            return Ok(Joined { progress, id });
        }
        if running.known() >= self.known_max {
            let most = self.known_max;
            return Err(Obstacle::Full { most }.problem(id));
        }
        let (sender, progress) = watch::channel(Progress::Looking);
        let slot = Slot {
            progress: sender.clone(),
            is_unknown: false,
        };
        running.placements.insert(key.clone(), slot);
        drop(running);
        let (flow, placements) = (flow.clone(), Arc::clone(self));
        let placing = async move {
            // Dropped before `sender`, also by a panic: a client that comes after the outcome starts a placement.
            let mut entry = Entry {
                placements,
                key,
                is_freed: false,
            };
            if let Some(outcome) = entry.place(&flow, &sender).await {
                drop(entry);
                sender.send_replace(Progress::Ended(outcome));
            }
        };
        // What it logs names the request that began it.
        tokio::spawn(placing.in_current_span());
        Ok(Joined { progress, id })
    }

    /// Waits until no order that a store knows is being placed. The others own no state.
    pub(super) async fn drained(&self) {
        loop {
            let next = {
                let running = self.running.lock();
                let mut slots = running.placements.values();
                let known = slots.find(|slot| !slot.is_unknown);
                known.map(|slot| slot.progress.subscribe())
            };
            let Some(mut progress) = next else { return };
            let left =
                |progress: &Progress| matches!(progress, Progress::Unknown | Progress::Ended(_));
            // An error means that the task is gone.
            let _ = progress.wait_for(left).await;
        }
    }
}

impl Running {
    fn known(&self) -> usize {
        self.placements.len() - self.unknown
    }

    fn set_unknown(&mut self, key: &Key, is_unknown: bool) {
        if let Some(slot) = self.placements.get_mut(key) {
            self.unknown -= usize::from(slot.is_unknown);
            self.unknown += usize::from(is_unknown);
            slot.is_unknown = is_unknown;
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(slot) = self.placements.remove(key) {
            self.unknown -= usize::from(slot.is_unknown);
        }
    }
}

impl Joined {
    /// What came of it.
    pub(super) async fn outcome(&mut self) -> Result<Placement, Problem> {
        let ended = |progress: &Progress| matches!(progress, Progress::Ended(_));
        match self.progress.wait_for(ended).await.as_deref() {
            Ok(Progress::Ended(Ok(placement))) => Ok(*placement),
            Ok(Progress::Ended(Err(obstacle))) => Err(obstacle.clone().problem(self.id)),
            // The task panicked; the panic is in the log.
            Ok(_) | Err(_) => Err(Problem::internal().about(self.id)),
        }
    }

    /// Whether no store knows the order, as far as this placement has looked.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(*self.progress.borrow(), Progress::Unknown)
    }
}

impl Obstacle {
    fn problem(self, id: OrderId) -> Problem {
        let detail = match self {
            Self::Failure(failure) => return failure.into(),
            Self::Full { most } => format!("{most} orders are being placed: try again later"),
            Self::FullOfUnknown { most } => format!(
                "order {id} is not known yet, and {most} clients wait for such orders: try again later"
            ),
        };
        let problem = Problem::new(Kind::Overloaded, detail);
        problem.about(id).retry_after(RETRY_AFTER)
    }
}

/// A place among the placements; dropping it frees it.
struct Entry {
    placements: Arc<Placements>,
    key: Key,
    is_freed: bool,
}

impl Entry {
    /// Places the order. None if no store knew it and the last client that waited for it has left.
    async fn place<P: Ports>(
        &mut self,
        flow: &Flow<P>,
        progress: &watch::Sender<Progress>,
    ) -> Option<Result<Placement, Obstacle>> {
        let (id, expected) = self.key.clone();
        let deadline = Instant::now() + flow.settings().wait;
        // In boxes, so that an id that no store knows costs no memory for what follows.
        match Box::pin(flow.is_known(id)).await {
            Ok(true) => {}
            Ok(false) => {
                if let Err(obstacle) = self.become_unknown() {
                    return Some(Err(obstacle));
                }
                progress.send_replace(Progress::Unknown);
                match self.until_known(flow, progress, deadline).await? {
                    Ok(true) => {}
                    Ok(false) => return Some(Ok(Placement::Waiting(Status::Init))),
                    Err(failure) => return Some(Err(Obstacle::Failure(failure))),
                }
                if let Err(obstacle) = self.become_known() {
                    return Some(Err(obstacle));
                }
            }
            Err(failure) => return Some(Err(Obstacle::Failure(failure))),
        }
        progress.send_replace(Progress::Placing);
        let placed = Box::pin(flow.place_order_by(id, expected, deadline)).await;
        Some(placed.map_err(Obstacle::Failure))
    }

    /// Waits until a store knows the order, or (none) until no client waits for it any more.
    async fn until_known<P: Ports>(
        &mut self,
        flow: &Flow<P>,
        progress: &watch::Sender<Progress>,
        deadline: Instant,
    ) -> Option<Result<bool, Failure>> {
        let mut known = Box::pin(flow.until_known(self.key.0, deadline));
        loop {
            tokio::select! {
                biased;
                known = &mut known => return Some(known),
                () = progress.closed() => {}
            }
            // A client can have joined since: with the lock held, none can.
            let mut running = self.placements.running.lock();
            if progress.receiver_count() == 0 {
                running.remove(&self.key);
                // The next client may have a placement of its own under this key before this one is dropped.
                self.is_freed = true;
                return None;
            }
        }
    }

    fn become_unknown(&self) -> Result<(), Obstacle> {
        let mut running = self.placements.running.lock();
        let most = self.placements.unknown_max;
        if running.unknown >= most {
            return Err(Obstacle::FullOfUnknown { most });
        }
        running.set_unknown(&self.key, true);
        Ok(())
    }

    fn become_known(&self) -> Result<(), Obstacle> {
        let mut running = self.placements.running.lock();
        let most = self.placements.known_max;
        if running.known() >= most {
            return Err(Obstacle::Full { most });
        }
        running.set_unknown(&self.key, false);
        Ok(())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.is_freed {
            self.placements.running.lock().remove(&self.key);
        }
    }
}
