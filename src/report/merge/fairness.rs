//! Fairness over several shards.

use std::collections::BTreeMap;

use super::{ITEMS_MAX, double};
use crate::domain::Sku;
use crate::report::{Fairness, ItemFairness, RunReport};

/// Winners and losers add up. Inversions do not: nobody compared buyers of different shards, so that the shares are
/// of the pairs within shards.
pub(super) fn merged(all: &[&RunReport]) -> Fairness {
    let parts: Vec<&Fairness> = all.iter().map(|run| &run.fairness).collect();
    let mut items: BTreeMap<&Sku, (ItemFairness, f64)> = BTreeMap::new();
    for item in parts.iter().flat_map(|part| &part.items) {
        let pairs = double(item.winners) * double(item.losers);
        let (sum, weight) = items.entry(&item.sku).or_insert_with(|| {
            let none = ItemFairness {
                sku: item.sku.clone(),
                winners: 0,
                losers: 0,
                inversion_share: 0.0,
            };
            (none, 0.0)
        });
        sum.winners += item.winners;
        sum.losers += item.losers;
        sum.inversion_share = mean(
            (sum.inversion_share, *weight),
            (item.inversion_share, pairs),
        );
        *weight += pairs;
    }
    let mut items: Vec<ItemFairness> = items.into_values().map(|(item, _)| item).collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.winners + item.losers));
    items.truncate(ITEMS_MAX);
    let weighted = |of: fn(&Fairness) -> f64, weight: fn(&RunReport) -> u64| {
        all.iter()
            .fold((0.0, 0.0), |sum, run| {
                let weight = double(weight(run));
                (mean(sum, (of(&run.fairness), weight)), sum.1 + weight)
            })
            .0
    };
    Fairness {
        inversion_share: weighted(|part| part.inversion_share, |run| run.users),
        top_percent_share: weighted(|part| part.top_percent_share, |run| run.units_sold),
        idle_unit_seconds: parts.iter().map(|part| part.idle_unit_seconds).sum(),
        refused_sold_out: parts.iter().map(|part| part.refused_sold_out).sum(),
        refused_held: parts.iter().map(|part| part.refused_held).sum(),
        refused_held_released: parts.iter().map(|part| part.refused_held_released).sum(),
        items,
    }
}

/// The mean of two values by their weights.
fn mean(one: (f64, f64), other: (f64, f64)) -> f64 {
    let weight = one.1 + other.1;
    if weight > 0.0 {
        (one.0 * one.1 + other.0 * other.1) / weight
    } else {
        0.0
    }
}
