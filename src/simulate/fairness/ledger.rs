//! Who came before whom, and who got what: pure counting.

use std::collections::HashMap;

use super::{Fairness, ItemFairness};
use crate::domain::{Line, Sku};

/// The most items that are told of.
const ITEMS_MAX: usize = 12;

/// Winners and losers of each item, buyer after buyer in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    items: HashMap<Sku, Item>,
}

#[derive(Debug, Default)]
struct Item {
    winners: u64,
    losers: u64,
    /// Pairs of a loser and a winner who came later.
    inversions: u64,
}

impl Ledger {
    /// Notes the next buyer to have arrived: what it wanted, and whether it got that.
    pub(super) fn next(&mut self, wanted: &[Line], got: bool) {
        for line in wanted {
            if !self.items.contains_key(&line.sku) {
                self.items.insert(line.sku.clone(), Item::default());
            }
            let Some(item) = self.items.get_mut(&line.sku) else {
                continue;
            };
            if got {
                item.winners += 1;
                item.inversions += item.losers;
            } else {
                item.losers += 1;
            }
        }
    }

    /// Writes down how fair it was.
    pub(super) fn close(self, fairness: &mut Fairness) {
        let mut contested: Vec<(Sku, Item)> = (self.items.into_iter())
            .filter(|(_, item)| item.winners > 0 && item.losers > 0)
            .collect();
        let pairs = |item: &Item| item.winners.saturating_mul(item.losers);
        let all = contested.iter().map(|(_, item)| pairs(item)).sum();
        let inverted = contested.iter().map(|(_, item)| item.inversions).sum();
        fairness.inversion_share = share(inverted, all);
        contested.sort_by(|(sku, item), (other_sku, other)| {
            (pairs(other), sku).cmp(&(pairs(item), other_sku))
        });
        contested.truncate(ITEMS_MAX);
        fairness.items = contested
            .into_iter()
            .map(|(sku, item)| ItemFairness {
                sku,
                winners: item.winners,
                losers: item.losers,
                inversion_share: share(item.inversions, pairs(&item)),
            })
            .collect();
    }
}

/// The share of all units that went to the one percent of users who got most; at least to one of them.
pub(super) fn top_percent_share(mut units: Vec<u64>, users: u64) -> f64 {
    units.sort_unstable_by(|a, b| b.cmp(a));
    let top = usize::try_from(users.div_ceil(100).max(1)).unwrap_or(usize::MAX);
    share(units.iter().take(top).sum(), units.iter().sum())
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn share(part: u64, all: u64) -> f64 {
    if all == 0 {
        0.0
    } else {
        part as f64 / all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Quantity;

    fn wanted(skus: &[&str]) -> Vec<Line> {
        let line = |sku: &&str| Line {
            sku: Sku::new(sku).unwrap(),
            quantity: Quantity::new(1).unwrap(),
        };
        skus.iter().map(line).collect()
    }

    /// Buyers of `A` in the order of their arrival: whether each got it.
    fn of(buyers: &[bool]) -> Fairness {
        let mut ledger = Ledger::default();
        for got in buyers {
            ledger.next(&wanted(&["A"]), *got);
        }
        let mut fairness = Fairness::default();
        ledger.close(&mut fairness);
        fairness
    }

    fn is(share: f64, expected: f64) -> bool {
        (share - expected).abs() < 1e-12
    }

    #[test]
    fn first_come_first_served_has_no_inversions_and_the_reverse_has_nothing_else() {
        assert!(is(of(&[true, true, false, false]).inversion_share, 0.0));
        assert!(is(of(&[false, false, true]).inversion_share, 1.0));
        // One winner of two came after one loser of two.
        assert!(is(of(&[true, false, true, false]).inversion_share, 0.25));
    }

    #[test]
    fn an_item_that_everybody_got_or_nobody_is_no_contest() {
        assert_eq!(of(&[true, true]), Fairness::default());
        assert_eq!(of(&[false, false]), Fairness::default());
    }

    #[test]
    fn the_most_contended_items_come_first() {
        let mut ledger = Ledger::default();
        for (cart, got) in [
            (&["A", "B"][..], true),
            (&["B"], false),
            (&["A"], false),
            (&["B"], true),
        ] {
            ledger.next(&wanted(cart), got);
        }
        let mut fairness = Fairness::default();
        ledger.close(&mut fairness);
        let [first, second] = fairness.items.as_slice() else {
            panic!("{fairness:?}")
        };
        assert_eq!(
            (first.sku.as_str(), first.winners, first.losers),
            ("B", 2, 1)
        );
        assert!(is(first.inversion_share, 0.5) && is(second.inversion_share, 0.0));
        assert!(is(fairness.inversion_share, 1.0 / 3.0));
    }

    #[test]
    fn the_top_percent_is_of_all_users_who_came() {
        assert!(is(top_percent_share(vec![1, 5, 2], 3), 5.0 / 8.0));
        assert!(is(top_percent_share(vec![1, 5, 2], 150), 7.0 / 8.0));
        assert!(is(top_percent_share(Vec::new(), 0), 0.0));
    }
}
