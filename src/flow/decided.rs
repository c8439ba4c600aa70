//! Orders that this process has just decided, on their way to whoever waits for them here.
//!
//! The worker of a process and its placeOrders share it, so that a decided order is not read again from the database
//! where it has just been committed. It is as fresh as a read at that moment, and like one it may be out of date when
//! it is used: whatever moves stock is decided on the row itself (rule 9), and a charge is fenced before any release
//! (rule 1). Orders that other processes decide are read.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::domain::{Order, OrderId};

/// How many shards there are, so that ten thousand buyers do not meet at one lock.
const SHARDS: usize = 64;

/// The orders that somebody waits for, and those of them that have been decided here.
#[derive(Debug)]
pub(super) struct Decided {
    shards: Vec<Mutex<HashMap<OrderId, Slot>>>,
}

#[derive(Debug, Default)]
struct Slot {
    waiting: usize,
    order: Option<Order>,
}

/// Somebody who waits; when the last one for an order is dropped, nothing is kept of it.
#[derive(Debug)]
pub(super) struct Expecting<'a> {
    decided: &'a Decided,
    id: OrderId,
}

impl Default for Decided {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Decided {
    fn shard(&self, id: &OrderId) -> &Mutex<HashMap<OrderId, Slot>> {
        // The last bytes of a time-ordered id are its random ones.
        &self.shards[usize::from(id.as_bytes()[15]) % SHARDS]
    }

    /// Has the order kept, from now on, if it is decided here.
    pub(super) fn expect(&self, id: OrderId) -> Expecting<'_> {
        self.shard(&id).lock().entry(id).or_default().waiting += 1;
        Expecting { decided: self, id }
    }

    /// Hands over orders as they were committed.
    pub(super) fn hand(&self, orders: &[Order]) {
        for order in orders {
            let id = order.order_id;
            if let Some(slot) = self.shard(&id).lock().get_mut(&id) {
                slot.order = Some(order.clone());
            }
        }
    }
}

impl Expecting<'_> {
    /// The order as it was decided, if that was here and since this began.
    pub(super) fn take(&self) -> Option<Order> {
        let mut shard = self.decided.shard(&self.id).lock();
        let slot = shard.get_mut(&self.id)?;
        // Others may wait for it, too: each takes it once, so that whoever looks again reads the database.
        if slot.waiting > 1 {
            slot.order.clone()
        } else {
            slot.order.take()
        }
    }
}

impl Drop for Expecting<'_> {
    fn drop(&mut self) {
        let mut shard = self.decided.shard(&self.id).lock();
        if let Some(slot) = shard.get_mut(&self.id) {
            slot.waiting -= 1;
            if slot.waiting == 0 {
                shard.remove(&self.id);
            }
        }
    }
}
