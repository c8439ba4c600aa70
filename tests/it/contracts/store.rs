//! The inventory as its suites see it, and short words for what they ask most.

use std::time::Duration;

use oms::domain::{AcceptedCart, Order, OrderState, Reason};
use oms::inventory::{
    Administration, Inventory, Item, OrderFilter, Reservation, ReserveBatch, ReserveOutcome,
    Settle, SettleAction, SettleOutcome, StockLevel,
};

use super::Fixture;
use crate::make::{accepted, id, item, sku};

/// How long items are held.
pub const HOLD: Duration = Duration::from_secs(600);

/// What the suites of the inventory need of an adapter.
pub trait Store: Inventory + Administration {}
impl<T: Inventory + Administration> Store for T {}

/// What is asked most.
impl<I: Store> Fixture<I> {
    pub async fn seed<const N: usize>(&self, items: [(&str, i64); N]) {
        let items = items.map(|(sku, stock)| item(sku, stock)).to_vec();
        self.port.put_items(items).await.unwrap();
    }

    pub async fn reserve(&self, carts: Vec<AcceptedCart>) -> Vec<ReserveOutcome> {
        self.reservation(carts).await.outcomes
    }

    pub async fn reservation(&self, carts: Vec<AcceptedCart>) -> Reservation {
        let asked = carts.len();
        let batch = ReserveBatch { carts, hold: HOLD };
        let reservation = self.port.reserve(batch).await.unwrap();
        assert_eq!(reservation.outcomes.len(), asked, "one outcome per cart");
        reservation
    }

    /// Reserves one cart and returns its order.
    pub async fn order<const N: usize>(&self, number: u64, lines: [(&str, i64); N]) -> Order {
        let outcomes = self.reserve(vec![accepted(number, lines)]).await;
        order_of(outcomes.into_iter().next().unwrap())
    }

    pub async fn settle(&self, actions: Vec<(u64, SettleAction)>) -> Vec<SettleOutcome> {
        let asked = actions.len();
        let batch = actions.into_iter().map(|(number, action)| Settle {
            order_id: id(number),
            action,
        });
        let settlement = self.port.settle(batch.collect()).await.unwrap();
        assert_eq!(settlement.outcomes.len(), asked, "one outcome per action");
        settlement.outcomes
    }

    /// What is available, blocked and sold of an item.
    pub async fn counters(&self, name: &str) -> (i64, i64, i64) {
        let level = self.level(name).await;
        (level.available, level.blocked, level.sold)
    }

    pub async fn level(&self, name: &str) -> StockLevel {
        let answer = self.port.stock(vec![sku(name)], true).await.unwrap();
        answer.levels.into_iter().next().unwrap().unwrap()
    }

    pub async fn state(&self, number: u64) -> Option<(OrderState, Option<Reason>)> {
        let orders = self.other.orders(vec![id(number)]).await.unwrap();
        let order = orders.into_iter().next().unwrap();
        order.map(|order| (order.state, order.reason))
    }

    /// Invariant C, from outside.
    pub async fn assert_conserved(&self) {
        let filter = OrderFilter {
            limit: 100_000,
            ..OrderFilter::default()
        };
        let items: Vec<Item> = self.port.items(None, 100_000).await.unwrap();
        let orders = self.port.find_orders(filter).await.unwrap();
        let units_in = |item: &Item, state| -> i64 {
            let lines = orders
                .iter()
                .filter(|order| order.state == state)
                .flat_map(|order| &order.lines);
            lines
                .filter(|line| line.sku == item.level.sku)
                .map(|line| line.quantity.units())
                .sum()
        };
        for item in &items {
            let level = &item.level;
            assert_eq!(
                item.initial + item.adjusted,
                level.available + level.blocked + level.sold,
                "{item:?}"
            );
            assert_eq!(level.blocked, units_in(item, OrderState::Blocked));
            assert_eq!(level.sold, units_in(item, OrderState::Placed));
        }
    }
}

pub fn order_of(outcome: ReserveOutcome) -> Order {
    match outcome {
        ReserveOutcome::Order(order) => order,
        ReserveOutcome::IdConflict => panic!("an id conflict instead of an order"),
    }
}

/// The state and reason of each.
pub fn states(outcomes: &[ReserveOutcome]) -> Vec<(OrderState, Option<Reason>)> {
    let order = |outcome: &ReserveOutcome| order_of(outcome.clone());
    let outcomes = outcomes.iter().map(order);
    outcomes.map(|order| (order.state, order.reason)).collect()
}

pub const BLOCKED: (OrderState, Option<Reason>) = (OrderState::Blocked, None);

pub const fn failed(reason: Reason) -> (OrderState, Option<Reason>) {
    (OrderState::Failed, Some(reason))
}

pub fn release(reason: Reason) -> SettleAction {
    SettleAction::Release { reason }
}
