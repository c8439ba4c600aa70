//! The orders: the same for every strategy, drawn from a seed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::{AcceptedCart, Cart, Customer, Line, OrderId, Quantity, Sku, Timestamp};
use crate::rng::Rng;
use crate::simulate::Popularity;

/// Random streams of one seed: which item an order is for, and its id.
const ITEMS: u64 = 1;
const IDS: u64 = 2;

/// Customers whose orders they are, in turn.
const CUSTOMERS: u32 = 1_000;

/// The time in the id of the first order, in Unix milliseconds. Each order is 1 ms later, so that ids are ordered by time
/// and the same in every measurement.
const FIRST_MS: u64 = 1_700_000_000_000;

/// Items, their popularity, and who orders how many.
#[derive(Debug)]
pub(super) struct Workload {
    skus: Vec<Sku>,
    ranks: HashMap<Sku, usize>,
    popularity: Popularity,
    quantity: Quantity,
    customers: Vec<Customer>,
    seed: u64,
}

/// An order of one line.
#[derive(Debug, Clone)]
pub(super) struct BenchOrder {
    pub(super) id: OrderId,
    pub(super) customer: Customer,
    pub(super) sku: Sku,
    /// The popularity rank of the item, from 0.
    pub(super) rank: usize,
    pub(super) quantity: Quantity,
}

impl BenchOrder {
    /// The order as the inventory of oms takes it.
    pub(super) fn cart(&self) -> AcceptedCart {
        let line = Line {
            sku: self.sku.clone(),
            quantity: self.quantity,
        };
        let cart = Cart::new(self.customer.clone(), vec![line])
            .unwrap_or_else(|error| unreachable!("one line is a cart: {error}"));
        AcceptedCart::new(self.id, cart, Timestamp::from_millis(0))
    }
}

impl Workload {
    /// Orders for `quantity` units of one of `skus` items each, by Zipf's law with an exponent.
    pub(super) fn new(skus: u32, exponent: f64, quantity: Quantity, seed: u64) -> Self {
        let skus: Vec<Sku> = (1..=skus).map(Sku::synthetic).collect();
        let ranks = skus.iter().cloned().zip(0..).collect();
        let customers = (1..=CUSTOMERS)
            .filter_map(|number| Customer::new(&format!("customer-{number}")).ok())
            .collect();
        Self {
            popularity: Popularity::zipf(skus.len(), exponent),
            skus,
            ranks,
            quantity,
            customers,
            seed,
        }
    }

    /// The items, by rank.
    pub(super) fn skus(&self) -> &[Sku] {
        &self.skus
    }

    /// The rank of an item; none if it is not one of these.
    pub(super) fn rank(&self, sku: &Sku) -> Option<usize> {
        self.ranks.get(sku).copied()
    }

    /// The orders, from the first: an endless stream.
    pub(super) fn orders(self: &Arc<Self>) -> Orders {
        Orders {
            items: Rng::stream(self.seed, ITEMS),
            ids: Rng::stream(self.seed, IDS),
            number: 0,
            workload: Arc::clone(self),
        }
    }

    /// Units of each item, by rank, that the first `orders` orders ask for.
    pub(super) fn demand(&self, orders: u64) -> Vec<i64> {
        let mut items = Rng::stream(self.seed, ITEMS);
        let mut units = vec![0; self.skus.len()];
        for _ in 0..orders {
            units[self.popularity.draw(&mut items)] += self.quantity.units();
        }
        units
    }
}

/// A stream of orders.
#[derive(Debug)]
pub(super) struct Orders {
    workload: Arc<Workload>,
    items: Rng,
    ids: Rng,
    number: u64,
}

impl Orders {
    /// The next order.
    pub(super) fn draw(&mut self) -> BenchOrder {
        let workload = &self.workload;
        let rank = workload.popularity.draw(&mut self.items);
        let customers = &workload.customers;
        let customer = usize::try_from(self.number).unwrap_or(0) % customers.len();
        let order = BenchOrder {
            id: OrderId::v7(FIRST_MS + self.number, &self.ids.bytes()),
            customer: customers[customer].clone(),
            sku: workload.skus[rank].clone(),
            rank,
            quantity: workload.quantity,
        };
        self.number += 1;
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(exponent: f64, seed: u64) -> Arc<Workload> {
        let quantity = Quantity::new(2).unwrap();
        Arc::new(Workload::new(50, exponent, quantity, seed))
    }

    #[test]
    fn a_seed_repeats_its_orders_and_their_ids_are_ordered_by_time() {
        let draw = |seed| -> Vec<(OrderId, usize)> {
            let mut orders = workload(1.0, seed).orders();
            (0..200)
                .map(|_| orders.draw())
                .map(|order| (order.id, order.rank))
                .collect()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(7).is_sorted_by(|one, other| one.0 < other.0));
    }

    #[test]
    fn demand_is_what_the_first_orders_ask_for() {
        let workload = workload(0.5, 3);
        let mut orders = workload.orders();
        let mut units = vec![0; 50];
        for _ in 0..500 {
            let order = orders.draw();
            units[order.rank] += order.quantity.units();
        }
        assert_eq!(workload.demand(500), units);
        assert_eq!(units.iter().sum::<i64>(), 1_000);
    }
}
