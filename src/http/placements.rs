//! Orders that are being placed: each in a task of its own, which ends whether or not a client still waits for it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::problem::{Kind, Problem, RETRY_AFTER};
use crate::domain::{CartHash, OrderId};
use crate::flow::{Failure, Flow, Placement};
use crate::ports::Ports;

/// What a placement came to; none while it is under way.
type Outcome = Option<Result<Placement, Failure>>;

/// An order, and the cart it is meant to stand for: requests that mean different carts get their own answers.
type Key = (OrderId, Option<CartHash>);

/// The placements of this process that are under way.
#[derive(Debug)]
pub(super) struct Placements {
    most: usize,
    running: Mutex<HashMap<Key, watch::Receiver<Outcome>>>,
}

/// A placement that is under way, or was when it was joined.
pub(super) struct Joined {
    outcome: watch::Receiver<Outcome>,
    id: OrderId,
}

impl Placements {
    /// Room for so many at once.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            running: Mutex::default(),
        }
    }

    /// Starts to place an order, or joins whoever does already.
    ///
    /// # Errors
    /// [`Kind::Overloaded`] when as many are under way as there is room for.
    pub(super) fn join<P: Ports>(
        self: &Arc<Self>,
        flow: &Flow<P>,
        id: OrderId,
        expected: Option<CartHash>,
    ) -> Result<Joined, Problem> {
        let key = (id, expected);
        let mut running = self.running.lock();
        if let Some(outcome) = running.get(&key) {
            let outcome = outcome.clone();
            return Ok(Joined { outcome, id });
        }
        if running.len() >= self.most {
            let detail = format!("{} orders are being placed: try again later", self.most);
            return Err(Problem::new(Kind::Overloaded, detail)
                .about(id)
                .retry_after(RETRY_AFTER));
        }
        let (tell, outcome) = watch::channel(None);
        running.insert(key, outcome.clone());
        drop(running);
        let (flow, placements) = (flow.clone(), Arc::clone(self));
        tokio::spawn(async move {
            // Dropped before `tell`, also by a panic: whoever comes after the outcome starts anew.
            let entry = Entry { placements, key };
            let placed = flow.place_order(id, expected).await;
            drop(entry);
            tell.send_replace(Some(placed));
        });
        Ok(Joined { outcome, id })
    }

    /// Waits until nothing is under way.
    pub(super) async fn drained(&self) {
        loop {
            let Some(mut outcome) = self.running.lock().values().next().cloned() else {
                return;
            };
            // An error means that the task is gone.
            let _ = outcome.wait_for(Option::is_some).await;
        }
    }
}

impl Joined {
    /// What came of it.
    pub(super) async fn outcome(mut self) -> Result<Placement, Problem> {
        match self.outcome.wait_for(Option::is_some).await {
            Ok(outcome) => match &*outcome {
                Some(Ok(placement)) => Ok(*placement),
                Some(Err(failure)) => Err(failure.clone().into()),
                None => Err(Problem::internal().about(self.id)),
            },
            // The task panicked; the panic is in the log.
            Err(_) => Err(Problem::internal().about(self.id)),
        }
    }
}

/// A place in the list of what is under way; dropping it frees it.
struct Entry {
    placements: Arc<Placements>,
    key: Key,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.placements.running.lock().remove(&self.key);
    }
}
