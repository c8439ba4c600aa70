//! Orders as this process last wrote or read them, so that settling them reads no more than where they stand now.
//!
//! Nothing but an order's standing ever changes: its state and what goes along with it. A body is a hint all the same:
//! it counts only if the locked row is of the same decision, since a database that lost its last commits may have
//! decided the same cart again, at other prices.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::domain::{Order, OrderId, OrderState, Reason, Timestamp};
use crate::recent::Recent;

/// How many bodies are kept at least; twice as many at most.
const GENERATION: usize = 32_768;

/// Bodies of BLOCK orders, the latest some ten thousand of them.
#[derive(Debug)]
pub(super) struct Bodies(Mutex<Recent<OrderId, Order>>);

impl Default for Bodies {
    fn default() -> Self {
        Self(Mutex::new(Recent::of(GENERATION)))
    }
}

/// Where an order stands: all of it that changes, and what tells one decision from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) order_id: OrderId,
    pub(super) state: OrderState,
    pub(super) reason: Option<Reason>,
    pub(super) settled_at: Option<Timestamp>,
    pub(super) decided_at: Timestamp,
    pub(super) batch_id: Option<u64>,
}

impl Bodies {
    /// Keeps those that can still be settled.
    pub(super) fn keep<'a>(&self, orders: impl Iterator<Item = &'a Order>) {
        let mut kept = self.0.lock();
        for order in orders.filter(|order| order.state == OrderState::Blocked) {
            kept.keep(order.order_id, order.clone());
        }
    }

    /// Takes out those of the orders that are kept.
    pub(super) fn take(&self, ids: impl Iterator<Item = OrderId>) -> HashMap<OrderId, Order> {
        let mut kept = self.0.lock();
        ids.filter_map(|id| Some((id, kept.take(&id)?))).collect()
    }
}

impl Standing {
    /// The order that stands there, if this is its body.
    pub(super) fn complete(&self, body: Order) -> Option<Order> {
        let same = body.order_id == self.order_id
            && body.decided_at == self.decided_at
            && body.batch.map(|batch| batch.id) == self.batch_id;
        same.then_some(Order {
            state: self.state,
            reason: self.reason,
            settled_at: self.settled_at,
            ..body
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::BatchRef;

    fn blocked(number: u8, batch: u64) -> Order {
        Order {
            batch: Some(BatchRef {
                id: batch,
                position: 0,
            }),
            ..Order::blocked(OrderId::from_bytes([number; 16]))
        }
    }

    fn standing(order: &Order) -> Standing {
        Standing {
            order_id: order.order_id,
            state: order.state,
            reason: order.reason,
            settled_at: order.settled_at,
            decided_at: order.decided_at,
            batch_id: order.batch.map(|batch| batch.id),
        }
    }

    #[test]
    fn a_body_is_taken_once_and_only_of_what_can_be_settled() {
        let bodies = Bodies::default();
        let placed = Order {
            state: OrderState::Placed,
            ..blocked(2, 1)
        };
        bodies.keep([blocked(1, 1), placed].iter());
        let ids = || [1, 2, 3].map(|number| OrderId::from_bytes([number; 16]));
        let taken = bodies.take(ids().into_iter());
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[&ids()[0]], blocked(1, 1));
        assert!(bodies.take(ids().into_iter()).is_empty());
    }

    #[test]
    fn a_body_of_another_decision_does_not_count() {
        let now = Order {
            state: OrderState::Failed,
            reason: Some(Reason::Expired),
            settled_at: Some(Timestamp::from_millis(9)),
            ..blocked(1, 2)
        };
        assert_eq!(standing(&now).complete(blocked(1, 2)), Some(now.clone()));
        assert_eq!(standing(&now).complete(blocked(1, 1)), None);
    }

    #[test]
    fn however_many_orders_come_by_few_are_kept() {
        let bodies = Bodies::default();
        let many: Vec<Order> = (0_u32..200_000)
            .map(|number| {
                let id = number.to_be_bytes().repeat(4).try_into().unwrap();
                Order::blocked(OrderId::from_bytes(id))
            })
            .collect();
        bodies.keep(many.iter());
        let kept = bodies.take(many.iter().map(|order| order.order_id));
        assert!(kept.len() <= 2 * GENERATION);
        assert!(kept.contains_key(&many[199_999].order_id));
    }
}
