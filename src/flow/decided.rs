//! Orders that this process has just decided, for whoever places them here.
//!
//! The worker of a process and its placeOrders share it, so that what has just been committed is not read again. Such an
//! order is as fresh as one that was read when it was decided, and is used no longer than a waiter goes without
//! reading: whatever moves stock is decided on the row itself (rule 9), and a charge is fenced before any release
//! (rule 1). Orders that other processes decide are read.
//!
//! A process in which nobody places orders, such as `oms worker`, keeps none: keeping begins with the first placeOrder.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::domain::{Order, OrderId};
use crate::recent::{Bounds, Recent};

/// How long an order counts as just decided.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// How many shards there are, so that ten thousand buyers do not meet at one lock.
const SHARDS: usize = 64;

/// The most memory that the orders kept here may take, by their own estimate.
const BYTES_MAX: usize = 64 << 20;

/// How much a shard keeps at least; twice as much at most.
const GENERATION: Bounds = Bounds {
    values: 256,
    bytes: BYTES_MAX / SHARDS / 2,
};

/// The latest orders that were decided here and not taken yet: some ten thousand of them, fewer if they are large.
#[derive(Debug)]
pub(super) struct Decided {
    shards: Vec<Mutex<Shard>>,
    /// Whether anybody has ever asked for one.
    wanted: AtomicBool,
}

/// Orders and when they were decided.
type Shard = Recent<OrderId, (Instant, Order)>;

impl Default for Decided {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS)
                .map(|_| Mutex::new(Recent::of(GENERATION)))
                .collect(),
            wanted: AtomicBool::new(false),
        }
    }
}

impl Decided {
    fn shard(&self, id: &OrderId) -> &Mutex<Shard> {
        // The last bytes of a time-ordered id are its random ones.
        &self.shards[usize::from(id.as_bytes()[15]) % SHARDS]
    }

    /// Keeps orders as they were committed, if anybody here places orders.
    pub(super) fn keep(&self, orders: &[Order]) {
        if !self.wanted.load(Ordering::Relaxed) {
            return;
        }
        let now = Instant::now();
        for order in orders {
            let bytes = order.memory_bytes();
            let mut shard = self.shard(&order.order_id).lock();
            shard.keep(order.order_id, (now, order.clone()), bytes);
        }
    }

    /// Forgets an order that is not what was decided any more.
    pub(super) fn forget(&self, id: OrderId) {
        self.shard(&id).lock().take(&id);
    }

    /// The order, once, if it was decided here a moment ago.
    pub(super) fn take(&self, id: OrderId) -> Option<Order> {
        self.wanted.store(true, Ordering::Relaxed);
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

    /// In a process where orders are placed.
    fn wanted() -> Decided {
        let decided = Decided::default();
        assert_eq!(decided.take(order(0).order_id), None);
        decided
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_is_handed_out_once_and_only_while_it_is_fresh() {
        let decided = wanted();
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

    #[tokio::test(start_paused = true)]
    async fn a_process_that_places_no_orders_keeps_none() {
        let decided = Decided::default();
        let one = order(1);
        decided.keep(std::slice::from_ref(&one));
        decided.forget(order(2).order_id);
        decided.keep(std::slice::from_ref(&one));
        assert_eq!(decided.take(one.order_id), None);
        decided.keep(std::slice::from_ref(&one));
        assert_eq!(decided.take(one.order_id), Some(one));
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_orders_nobody_takes_few_are_kept() {
        let decided = wanted();
        let orders: Vec<Order> = (0..200_000).map(order).collect();
        decided.keep(&orders);
        let mut kept = [0; SHARDS];
        for order in &orders {
            let taken = decided.take(order.order_id).is_some();
            kept[usize::from(order.order_id.as_bytes()[15]) % SHARDS] += usize::from(taken);
        }
        assert!(kept.into_iter().max().unwrap() <= 2 * GENERATION.values);
        decided.keep(&orders);
        assert!(decided.take(orders[199_999].order_id).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn orders_of_a_thousand_lines_are_bounded_by_their_bytes() {
        let decided = wanted();
        let large = Order::blocked_with_lines(order(0).order_id, 1_000);
        // The SKUs are shared, so that the test itself takes little memory.
        let nth = |number: u32| {
            let mut id = [0; 16];
            // The last byte chooses the shard.
            id[12..].copy_from_slice(&number.to_be_bytes());
            Order {
                order_id: OrderId::from_bytes(id),
                ..large.clone()
            }
        };
        for number in 1..3_000 {
            decided.keep(&[nth(number)]);
        }
        let kept: usize = (1..3_000)
            .filter_map(|number| decided.take(nth(number).order_id))
            .map(|order| order.memory_bytes())
            .sum();
        assert!(kept <= BYTES_MAX, "{kept} bytes");
        assert!(kept >= BYTES_MAX / 4, "{kept} bytes");
        decided.keep(&[nth(1)]);
        assert!(decided.take(nth(1).order_id).is_some());
    }
}
