//! How long units are usually held, so that whoever is refused for held units hears when coming back may help.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::Order;

/// What is advised until the first order was settled here: most are paid for, or declined, within a second or two.
const UNOBSERVED: Duration = Duration::from_secs(1);

/// The shortest advice, so that those who obey do not come back at once, all together.
const ADVICE_MIN: Duration = Duration::from_millis(200);

/// How many of the latest settlements count.
const WINDOW: usize = 64;

/// The median time from reserving an order's items to settling it, of the orders that this process settled last. The
/// median, since one order in twenty that is left until its hold ends would raise a mean to half a minute.
#[derive(Debug)]
pub(super) struct HoldTimes {
    latest_ms: Mutex<VecDeque<u64>>,
    median_ms: AtomicU64,
}

impl Default for HoldTimes {
    fn default() -> Self {
        Self {
            latest_ms: Mutex::new(VecDeque::with_capacity(WINDOW)),
            median_ms: AtomicU64::new(millis(UNOBSERVED)),
        }
    }
}

impl HoldTimes {
    /// Learns from an order that was just settled. Both times are of the database's clock.
    pub(super) fn learn(&self, order: &Order) {
        // A tombstone held nothing.
        let (Some(settled_at), Some(_)) = (order.settled_at, order.batch) else {
            return;
        };
        let mut latest = self.latest_ms.lock();
        if latest.len() == WINDOW {
            latest.pop_front();
        }
        latest.push_back(millis(settled_at.since(order.decided_at)));
        let mut sorted: Vec<u64> = latest.iter().copied().collect();
        let middle = sorted.len() / 2;
        let (_, median, _) = sorted.select_nth_unstable(middle);
        self.median_ms.store(*median, Ordering::Relaxed);
    }

    /// When coming back may help, at the latest when the earliest hold ends.
    pub(super) fn advice(&self, until_hold_ends: Duration) -> Duration {
        let usual = Duration::from_millis(self.median_ms.load(Ordering::Relaxed));
        usual.min(until_hold_ends).max(ADVICE_MIN)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BatchRef, OrderId, Timestamp};

    const HOLD: Duration = Duration::from_secs(600);

    fn held_for(time: Duration) -> Order {
        let decided_at = Timestamp::from_millis(1_000);
        Order {
            decided_at,
            settled_at: Some(decided_at.plus(time)),
            batch: Some(BatchRef { id: 1, position: 0 }),
            ..Order::blocked(OrderId::from_bytes([1; 16]))
        }
    }

    #[test]
    fn the_advice_is_what_is_usual_and_not_the_end_of_the_hold() {
        let times = HoldTimes::default();
        assert_eq!(times.advice(HOLD), UNOBSERVED);
        for round in 0..WINDOW * 2 {
            // One order in eight is left until its hold ends.
            let left = round % 8 == 7;
            times.learn(&held_for(if left {
                HOLD
            } else {
                Duration::from_millis(1_400)
            }));
        }
        assert_eq!(times.advice(HOLD), Duration::from_millis(1_400));
        assert_eq!(
            times.advice(Duration::from_millis(900)),
            Duration::from_millis(900)
        );
        assert_eq!(times.advice(Duration::ZERO), ADVICE_MIN);
    }

    #[test]
    fn the_advice_follows_the_latest_orders_and_learns_nothing_from_tombstones() {
        let times = HoldTimes::default();
        for _ in 0..WINDOW {
            times.learn(&held_for(Duration::from_millis(5)));
        }
        assert_eq!(times.advice(HOLD), ADVICE_MIN);
        for _ in 0..WINDOW {
            times.learn(&Order {
                batch: None,
                ..held_for(HOLD)
            });
        }
        assert_eq!(times.advice(HOLD), ADVICE_MIN);
        for _ in 0..WINDOW {
            times.learn(&held_for(Duration::from_secs(240)));
        }
        assert_eq!(
            times.advice(HOLD),
            Duration::from_secs(240),
            "buyers take their time"
        );
    }
}
