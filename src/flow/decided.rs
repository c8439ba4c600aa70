//! Orders that this process has just decided, for whoever places them here.
//!
//! The worker of a process and its placeOrders share it, so that what has just been committed is not read again. Such an
//! order is as fresh as one that was read when it was decided, and is used no longer than a waiter goes without
//! reading: whatever moves stock is decided on the row itself (rule 9), and a charge is fenced before any release
//! (rule 1). Orders that other processes decide are read.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::domain::{Order, OrderId};

/// How long an order counts as just decided.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// How many shards there are, so that ten thousand buyers do not meet at one lock.
const SHARDS: usize = 64;

/// How many orders a shard keeps of the latest generation; it has two.
const GENERATION: usize = 256;

/// The latest orders that were decided here and not taken yet: some ten thousand of them.
#[derive(Debug)]
pub(super) struct Decided {
    shards: Vec<Mutex<Shard>>,
}

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<OrderId, (Instant, Order)>,
    old: HashMap<OrderId, (Instant, Order)>,
}

impl Default for Decided {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Decided {
    fn shard(&self, id: &OrderId) -> &Mutex<Shard> {
        // The last bytes of a time-ordered id are its random ones.
        &self.shards[usize::from(id.as_bytes()[15]) % SHARDS]
    }

    /// Keeps orders as they were committed.
    pub(super) fn keep(&self, orders: &[Order]) {
        let now = Instant::now();
        for order in orders {
            let mut shard = self.shard(&order.order_id).lock();
            if shard.young.len() >= GENERATION {
                shard.old = std::mem::take(&mut shard.young);
            }
            shard.young.insert(order.order_id, (now, order.clone()));
        }
    }

    /// Forgets an order that is not what was decided any more.
    pub(super) fn forget(&self, id: OrderId) {
        let mut shard = self.shard(&id).lock();
        shard.young.remove(&id);
        shard.old.remove(&id);
    }

    /// The order, once, if it was decided here a moment ago.
    pub(super) fn take(&self, id: OrderId) -> Option<Order> {
        let (kept, order) = {
            let mut shard = self.shard(&id).lock();
            let young = shard.young.remove(&id);
            young.or_else(|| shard.old.remove(&id))?
        };
        (kept.elapsed() <= FRESH_FOR).then_some(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Money, OrderState, Timestamp};

    fn order(number: u32) -> Order {
        let at = Timestamp::from_millis(7);
        Order {
            order_id: OrderId::v7(1, &number.to_be_bytes().repeat(3)[..10].try_into().unwrap()),
            customer: None,
            cart_hash: None,
            lines: Vec::new(),
            amount: Money::ZERO,
            state: OrderState::Blocked,
            reason: None,
            accepted_at: at,
            decided_at: at,
            hold_until: at,
            settled_at: None,
            batch: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_is_handed_out_once_and_only_while_it_is_fresh() {
        let decided = Decided::default();
        let (one, other) = (order(1), order(2));
        decided.keep(&[one.clone(), other.clone()]);
        assert_eq!(decided.take(one.order_id), Some(one.clone()));
        assert_eq!(decided.take(one.order_id), None);
        decided.keep(std::slice::from_ref(&one));
        decided.forget(one.order_id);
        assert_eq!(decided.take(one.order_id), None);
        tokio::time::advance(FRESH_FOR * 2).await;
        assert_eq!(decided.take(other.order_id), None);
    }

    #[tokio::test]
    async fn however_many_orders_nobody_takes_few_are_kept() {
        let decided = Decided::default();
        let orders: Vec<Order> = (0..200_000).map(order).collect();
        decided.keep(&orders);
        let kept = decided.shards.iter().map(|shard| {
            let shard = shard.lock();
            shard.young.len() + shard.old.len()
        });
        assert!(kept.max().unwrap() <= 2 * GENERATION);
        assert!(decided.take(orders[199_999].order_id).is_some());
    }
}
