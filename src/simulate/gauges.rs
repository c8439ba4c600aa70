//! What is looked at now and then while a storm is under way: buyers, backlog, the stock of the most wanted items.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::domain::Sku;
use crate::inventory::StockLevel;

/// The most items whose stock is watched.
pub const WATCHED_MAX: usize = 12;

/// What somebody sets and the sampler reads.
#[derive(Debug, Default)]
pub struct Gauges {
    in_flight: AtomicU64,
    backlog: AtomicU64,
    watched: Vec<Sku>,
    index: HashMap<Sku, usize>,
    stock: Mutex<Vec<Option<StockLevel>>>,
}

impl Gauges {
    /// Watches these items, the most wanted first; those beyond [`WATCHED_MAX`] are not watched.
    pub fn new(mut watched: Vec<Sku>) -> Self {
        watched.truncate(WATCHED_MAX);
        let index = watched.iter().cloned().zip(0..).collect();
        Self {
            stock: Mutex::new(vec![None; watched.len()]),
            watched,
            index,
            ..Self::default()
        }
    }

    /// The items that are watched.
    pub fn watched(&self) -> &[Sku] {
        &self.watched
    }

    /// Learns committed stock. Levels can overtake each other on the way here.
    pub fn learn(&self, level: &StockLevel) {
        let Some(&at) = self.index.get(&level.sku) else {
            return;
        };
        let known = &mut self.stock.lock()[at];
        if known
            .as_ref()
            .is_none_or(|known| known.version <= level.version)
        {
            *known = Some(level.clone());
        }
    }

    /// Sets how many messages wait for a worker.
    pub fn set_backlog(&self, messages: u64) {
        self.backlog.store(messages, Ordering::Relaxed);
    }

    /// How many messages wait for a worker, as last set.
    pub fn backlog(&self) -> u64 {
        self.backlog.load(Ordering::Relaxed)
    }

    /// How many buyers are under way.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn set_in_flight(&self, buyers: usize) {
        self.in_flight.store(buyers as u64, Ordering::Relaxed);
    }

    /// Available and blocked units of the watched items, in their order; empty until something is known of each.
    pub fn stock(&self) -> Vec<(i64, i64)> {
        let stock = self.stock.lock();
        let known = |level: &Option<StockLevel>| {
            level.as_ref().map(|level| (level.available, level.blocked))
        };
        stock
            .iter()
            .map(known)
            .collect::<Option<_>>()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(number: u32, available: i64, version: u64) -> StockLevel {
        StockLevel {
            sku: Sku::synthetic(number),
            available,
            blocked: 1,
            sold: 0,
            version,
            earliest_hold: None,
        }
    }

    #[test]
    fn stock_is_told_once_all_of_it_is_known_and_never_goes_back() {
        let gauges = Gauges::new(vec![Sku::synthetic(1), Sku::synthetic(2)]);
        gauges.learn(&level(1, 5, 3));
        gauges.learn(&level(9, 5, 3));
        assert_eq!(gauges.stock(), []);
        gauges.learn(&level(2, 7, 1));
        gauges.learn(&level(1, 9, 2));
        assert_eq!(gauges.stock(), [(5, 1), (7, 1)]);
    }

    #[test]
    fn only_the_most_wanted_are_watched() {
        let gauges = Gauges::new((1..=50).map(Sku::synthetic).collect());
        assert_eq!(gauges.watched().len(), WATCHED_MAX);
    }
}
