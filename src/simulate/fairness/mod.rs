//! How fair a sale was, and what it wasted: from what clients were told, and from the orders in the database.

mod account;
mod ledger;

use serde::{Deserialize, Serialize};

pub use account::judge;

use crate::domain::Sku;

/// How fair the sale was, and what it wasted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fairness {
    /// Pairs of buyers of one item where the later one got it and the earlier one did not, over all such pairs of a
    /// winner and a loser; 0 is strictly first come, first served, 0.5 is a lottery.
    pub inversion_share: f64,
    /// Items with both winners and losers, the most contended first, at most 12.
    pub items: Vec<ItemFairness>,
    /// The share of all units sold that went to the one percent of buyers who got most.
    pub top_percent_share: f64,
    /// Units times seconds for which units were held that were not sold in the end.
    pub idle_unit_seconds: f64,
    /// Carts refused since nothing was left and nothing held.
    pub refused_sold_out: u64,
    /// Carts refused since all that was left was held by others.
    pub refused_held: u64,
    /// Of those, carts of an item whose held units came free in the end: waste, not a fault.
    pub refused_held_released: u64,
}

/// How fair the sale of one item was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemFairness {
    /// Which item.
    pub sku: Sku,
    /// Buyers who got it.
    pub winners: u64,
    /// Buyers who wanted it and left without, for want of stock of this or another item of their carts.
    pub losers: u64,
    /// Pairs of a later winner and an earlier loser, over all pairs of a winner and a loser.
    pub inversion_share: f64,
}
