//! Orders that this process has just decided, for whoever places them here.
//!
//! The worker of a process and its placeOrders share it, so that what has just been committed is not read again. Such an
//! order is as fresh as one that was read when it was decided, and is used no longer than a waiter goes without
//! reading: whatever moves stock is decided on the row itself (rule 9), and a charge is fenced before any release
//! (rule 1). Orders that other processes decide are read.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::domain::{Order, OrderId};
use crate::recent::Recent;

/// How long an order counts as just decided.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// How many shards there are, so that ten thousand buyers do not meet at one lock.
const SHARDS: usize = 64;

/// How many orders a shard keeps at least; twice as many at most.
const GENERATION: usize = 256;

/// The latest orders that were decided here and not taken yet: some ten thousand of them.
#[derive(Debug)]
pub(super) struct Decided {
    shards: Vec<Mutex<Shard>>,
}

/// Orders and when they were decided.
type Shard = Recent<OrderId, (Instant, Order)>;

impl Default for Decided {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS)
                .map(|_| Mutex::new(Recent::of(GENERATION)))
                .collect(),
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
            shard.keep(order.order_id, (now, order.clone()));
        }
    }

    /// Forgets an order that is not what was decided any more.
    pub(super) fn forget(&self, id: OrderId) {
        self.shard(&id).lock().take(&id);
    }

    /// The order, once, if it was decided here a moment ago.
    pub(super) fn take(&self, id: OrderId) -> Option<Order> {
        let (kept, order) = self.shard(&id).lock().take(&id)?;
        (kept.elapsed() <= FRESH_FOR).then_some(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(number: u32) -> Order {
        let random = number.to_be_bytes().repeat(3)[..10].try_into().unwrap();
        Order::blocked(OrderId::v7(1, &random))
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
        let mut kept = [0; SHARDS];
        for order in &orders {
            let taken = decided.take(order.order_id).is_some();
            kept[usize::from(order.order_id.as_bytes()[15]) % SHARDS] += usize::from(taken);
        }
        assert!(kept.into_iter().max().unwrap() <= 2 * GENERATION);
        decided.keep(&orders);
        assert!(decided.take(orders[199_999].order_id).is_some());
    }
}
