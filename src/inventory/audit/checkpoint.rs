//! What an audit keeps, so that the next one reads only what is new.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{Sku, Timestamp};

/// What an audit has kept. It covers whole batches, all of whose orders had ended: they never change again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checkpoint {
    /// Counted from 1.
    pub number: u64,
    /// When the audit that wrote it began, by the clock of the process that audited.
    pub audited_at: Timestamp,
    /// Orders covered by this checkpoint and those before it.
    pub orders: u64,
}

/// What a new checkpoint is to cover, beside what the last one covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Coverage {
    /// The checkpoint to write: one more than the last one.
    pub number: u64,
    /// Orders that it and those before it cover.
    pub orders: u64,
    /// Sum, modulo 2⁶⁴, of the checksums of these orders.
    #[schema(minimum = 0)]
    pub checksum: u64,
    /// The batches that it adds, in ascending order.
    pub batches: Vec<BatchRange>,
    /// Units sold by the orders of these batches, by SKU.
    pub sold: Vec<CoveredUnits>,
}

/// Batches with consecutive numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchRange {
    /// The first.
    pub first: u64,
    /// The last; not below the first.
    pub last: u64,
}

/// Units of one item that covered orders have bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CoveredUnits {
    /// The item.
    pub sku: Sku,
    /// How many.
    pub units: i64,
}

impl Coverage {
    /// Number of batches that it adds.
    pub fn batch_count(&self) -> u64 {
        let count = |range: &BatchRange| (range.last - range.first).saturating_add(1);
        self.batches.iter().map(count).sum()
    }

    /// Whether its ranges ascend without overlap, as those of an audit do.
    pub fn is_ordered(&self) -> bool {
        let ascends = self.batches.iter().all(|range| range.first <= range.last);
        let apart = |pair: &[BatchRange]| pair[0].last < pair[1].first;
        ascends && self.batches.windows(2).all(apart)
    }
}

/// Ranges of the given batches.
pub(super) fn ranges(mut batches: Vec<u64>) -> Vec<BatchRange> {
    batches.sort_unstable();
    let mut ranges: Vec<BatchRange> = Vec::new();
    for id in batches {
        match ranges.last_mut() {
            Some(range) if range.last + 1 == id => range.last = id,
            _ => ranges.push(BatchRange {
                first: id,
                last: id,
            }),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_become_ranges_without_those_in_between() {
        let range = |first, last| BatchRange { first, last };
        let batches = ranges(vec![9, 1, 3, 2, 7]);
        assert_eq!(batches, [range(1, 3), range(7, 7), range(9, 9)]);
        let of = |batches| Coverage {
            number: 1,
            orders: 5,
            checksum: 0,
            batches,
            sold: Vec::new(),
        };
        assert_eq!(of(batches.clone()).batch_count(), 5);
        assert!(of(batches).is_ordered());
        assert!(!of(vec![range(3, 1)]).is_ordered());
        assert!(!of(vec![range(1, 3), range(3, 4)]).is_ordered());
    }
}
