//! Orders as this process last read them or decided them, so that confirming them reads nothing.
//!
//! A body is a hint: the database may have lost its last commits, and have decided the same cart again, at other prices.
//! The transaction that confirms checks that the row is of the same decision.
//!
//! A process that confirms no orders, such as `oms worker`, keeps none: keeping begins with the first one confirmed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::domain::{Order, OrderId, OrderState};
use crate::inventory::{Settle, SettleAction};
use crate::recent::{Bounds, Recent};

/// The most memory that the bodies may take, by their own estimate.
const BYTES_MAX: usize = 64 << 20;

/// How much is kept at least; twice as much at most.
const GENERATION: Bounds = Bounds {
    values: 32_768,
    bytes: BYTES_MAX / 2,
};

/// Bodies of BLOCK orders: the latest some ten thousand of them, fewer if they are large.
#[derive(Debug)]
pub(super) struct Bodies {
    kept: Mutex<Recent<OrderId, Order>>,
    /// Whether this process has ever confirmed an order.
    wanted: AtomicBool,
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            kept: Mutex::new(Recent::of(GENERATION)),
            wanted: AtomicBool::new(false),
        }
    }
}

impl Bodies {
    /// Keeps those that can still be settled, if this process confirms orders.
    pub(super) fn keep<'a>(&self, orders: impl Iterator<Item = &'a Order>) {
        if !self.wanted.load(Ordering::Relaxed) {
            return;
        }
        let mut kept = self.kept.lock();
        for order in orders.filter(|order| order.state == OrderState::Blocked) {
            kept.keep(order.order_id, order.clone(), order.memory_bytes());
        }
    }

    /// Takes out those that are kept of the orders to be settled.
    pub(super) fn take(&self, batch: &[Settle]) -> HashMap<OrderId, Order> {
        let confirms = |one: &Settle| matches!(one.action, SettleAction::Confirm { .. });
        if batch.iter().any(confirms) {
            self.wanted.store(true, Ordering::Relaxed);
        }
        let mut kept = self.kept.lock();
        let ids = batch.iter().map(|one| one.order_id);
        ids.filter_map(|id| Some((id, kept.take(&id)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BatchRef, Money, Reason};

    fn confirmed(ids: impl IntoIterator<Item = OrderId>) -> Vec<Settle> {
        let action = SettleAction::Confirm {
            captured: Money::ZERO,
        };
        ids.into_iter()
            .map(|order_id| Settle {
                order_id,
                action: action.clone(),
            })
            .collect()
    }

    /// In a process that confirms orders.
    fn wanted() -> Bodies {
        let bodies = Bodies::default();
        assert!(
            bodies
                .take(&confirmed([OrderId::from_bytes([0; 16])]))
                .is_empty()
        );
        bodies
    }

    fn numbered(number: u32) -> OrderId {
        OrderId::from_bytes(number.to_be_bytes().repeat(4).try_into().unwrap())
    }

    fn blocked(number: u8, batch: u64) -> Order {
        Order {
            batch: Some(BatchRef {
                id: batch,
                position: 0,
            }),
            ..Order::blocked(OrderId::from_bytes([number; 16]))
        }
    }

    #[test]
    fn a_body_is_taken_once_and_only_of_what_can_be_settled() {
        let bodies = wanted();
        let placed = Order {
            state: OrderState::Placed,
            ..blocked(2, 1)
        };
        bodies.keep([blocked(1, 1), placed].iter());
        let ids = [1, 2, 3].map(|number| OrderId::from_bytes([number; 16]));
        let taken = bodies.take(&confirmed(ids));
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[&ids[0]], blocked(1, 1));
        assert!(bodies.take(&confirmed(ids)).is_empty());
    }

    #[test]
    fn a_process_that_confirms_nothing_keeps_nothing() {
        let bodies = Bodies::default();
        let order = blocked(1, 1);
        let expired = Settle {
            order_id: order.order_id,
            action: SettleAction::Release {
                reason: Reason::Expired,
            },
        };
        for _ in 0..2 {
            bodies.keep([order.clone()].iter());
            assert!(bodies.take(std::slice::from_ref(&expired)).is_empty());
        }
        bodies.keep([order.clone()].iter());
        assert!(bodies.take(&confirmed([order.order_id])).is_empty());
        bodies.keep([order.clone()].iter());
        assert_eq!(bodies.take(&confirmed([order.order_id])).len(), 1);
    }

    #[test]
    fn however_many_orders_come_by_few_are_kept() {
        let bodies = wanted();
        let ids = || (0..200_000).map(numbered);
        let many: Vec<Order> = ids().map(Order::blocked).collect();
        bodies.keep(many.iter());
        let kept = bodies.take(&confirmed(ids()));
        assert!(kept.len() <= 2 * GENERATION.values);
        assert!(kept.contains_key(&numbered(199_999)));
    }

    #[test]
    fn orders_of_a_thousand_lines_are_bounded_by_their_bytes() {
        let bodies = wanted();
        let large = Order::blocked_with_lines(numbered(0), 1_000);
        for number in 0..3_000 {
            // The SKUs are shared, so that the test itself takes little memory.
            let order = Order {
                order_id: numbered(number),
                ..large.clone()
            };
            bodies.keep([order].iter());
        }
        let kept = bodies.take(&confirmed((0..3_000).map(numbered)));
        let bytes: usize = kept.values().map(Order::memory_bytes).sum();
        assert!(bytes <= BYTES_MAX, "{bytes} bytes");
        assert!(bytes >= BYTES_MAX / 4, "{bytes} bytes");
        assert!(kept.contains_key(&numbered(2_999)));
    }
}
