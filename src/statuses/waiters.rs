//! Who waits for which order, within one process.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::StatusEntry;
use crate::domain::{OrderId, Status};

/// How many shards the registry has; a power of two.
const SHARDS: usize = 64;

/// Registry of waiting tasks, sharded so that ten thousand buyers do not meet at one lock.
#[derive(Debug)]
pub struct Waiters {
    shards: Vec<Mutex<Shard>>,
}

#[derive(Debug, Default)]
struct Shard {
    next: u64,
    waiting: HashMap<OrderId, Vec<Registered>>,
}

#[derive(Debug)]
struct Registered {
    ticket: u64,
    above: u8,
    wake: oneshot::Sender<StatusEntry>,
}

/// One registration; dropping it ends it.
#[derive(Debug)]
pub struct Waiter<'a> {
    waiters: &'a Waiters,
    id: OrderId,
    ticket: u64,
    woken: oneshot::Receiver<StatusEntry>,
}

impl Default for Waiters {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Waiters {
    fn shard(&self, id: &OrderId) -> &Mutex<Shard> {
        // The last bytes of a time-ordered id are its random ones.
        &self.shards[usize::from(id.as_bytes()[15]) % SHARDS]
    }

    /// Registers interest in a status of a rank above `above`.
    pub fn register(&self, id: OrderId, above: u8) -> Waiter<'_> {
        let (wake, woken) = oneshot::channel();
        let mut shard = self.shard(&id).lock();
        let ticket = shard.next;
        shard.next += 1;
        shard.waiting.entry(id).or_default().push(Registered {
            ticket,
            above,
            wake,
        });
        Waiter {
            waiters: self,
            id,
            ticket,
            woken,
        }
    }

    /// Wakes everyone who waits for this.
    pub fn notify(&self, id: OrderId, entry: StatusEntry) {
        let mut shard = self.shard(&id).lock();
        let Some(waiting) = shard.waiting.get_mut(&id) else {
            return;
        };
        let mut index = 0;
        while index < waiting.len() {
            if entry.status.rank() > waiting[index].above {
                // A waiter that is gone does not need to know.
                let _ = waiting.swap_remove(index).wake.send(entry);
            } else {
                index += 1;
            }
        }
        if waiting.is_empty() {
            shard.waiting.remove(&id);
        }
    }

    /// Whether somebody waits for this, so that it is worth reading.
    pub fn wants(&self, id: OrderId, status: Status) -> bool {
        let shard = self.shard(&id).lock();
        shard
            .waiting
            .get(&id)
            .is_some_and(|waiting| waiting.iter().any(|one| status.rank() > one.above))
    }

    /// The orders somebody waits for, at most `max`: what a poll has to read.
    pub fn waited_for(&self, max: usize) -> Vec<OrderId> {
        let mut ids = Vec::new();
        for shard in &self.shards {
            ids.extend(
                shard
                    .lock()
                    .waiting
                    .keys()
                    .take(max.saturating_sub(ids.len())),
            );
            if ids.len() >= max {
                break;
            }
        }
        ids
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.shards
            .iter()
            .all(|shard| shard.lock().waiting.is_empty())
    }
}

impl Waiter<'_> {
    /// Waits to be woken. A notification is a hint; `None` never comes before the registry ends.
    pub async fn woken(&mut self) -> Option<StatusEntry> {
        (&mut self.woken).await.ok()
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut shard = self.waiters.shard(&self.id).lock();
        let Some(waiting) = shard.waiting.get_mut(&self.id) else {
            return;
        };
        waiting.retain(|registered| registered.ticket != self.ticket);
        if waiting.is_empty() {
            shard.waiting.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn entry(status: Status) -> StatusEntry {
        StatusEntry {
            status,
            reason: None,
            cart_hash: None,
            at: Timestamp::from_millis(1),
        }
    }

    #[tokio::test]
    async fn only_a_higher_rank_wakes_and_a_dropped_waiter_leaves_nothing() {
        let waiters = Waiters::default();
        let id = OrderId::from_bytes([7; 16]);
        let mut init = waiters.register(id, Status::Init.rank());
        let pending = waiters.register(id, Status::PaymentPending.rank());
        waiters.notify(id, entry(Status::Init));
        waiters.notify(id, entry(Status::Block));
        assert_eq!(
            init.woken().await.map(|entry| entry.status),
            Some(Status::Block)
        );
        assert_eq!(waiters.waited_for(10), [id]);
        drop(init);
        drop(pending);
        assert!(waiters.is_empty());
    }
}
