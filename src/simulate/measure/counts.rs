//! Counts of a run.

use crate::domain::Reason;

/// Counts, all of this run. Reasons are indexed by [`Reason::ALL`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Buyers who arrived.
    pub arrived: u64,
    /// Buyers who are done.
    pub finished: u64,
    /// Carts sent, returns included; retries of one request are one.
    pub attempts: u64,
    /// Returns of buyers refused with `held`.
    pub returned: u64,
    /// Carts accepted.
    pub accepted: u64,
    /// Orders placed.
    pub placed: u64,
    /// Units in placed orders.
    pub units_sold: u64,
    /// Buyers who left because their cart was refused at once, by reason.
    pub refused: [u64; Reason::ALL.len()],
    /// Orders that failed, by reason.
    pub failed: [u64; Reason::ALL.len()],
    /// Buyers who were told `held` once more than they come back.
    pub gave_up_held: u64,
    /// Carts without an answer.
    pub in_doubt: u64,
    /// Accepted orders about which nothing final was said.
    pub open: u64,
}

impl Counts {
    /// All buyers who were refused at once and left.
    pub fn refused_all(&self) -> u64 {
        self.refused.iter().sum()
    }

    /// All orders that failed.
    pub fn failed_all(&self) -> u64 {
        self.failed.iter().sum()
    }

    /// Adds others to these.
    pub fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.finished += other.finished;
        self.attempts += other.attempts;
        self.returned += other.returned;
        self.accepted += other.accepted;
        self.placed += other.placed;
        self.units_sold += other.units_sold;
        self.gave_up_held += other.gave_up_held;
        self.in_doubt += other.in_doubt;
        self.open += other.open;
        for (sum, count) in self.refused.iter_mut().zip(other.refused) {
            *sum += count;
        }
        for (sum, count) in self.failed.iter_mut().zip(other.failed) {
            *sum += count;
        }
    }
}

/// The place of a reason in arrays by reason.
pub const fn slot(reason: Reason) -> usize {
    reason as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_slot_of_its_own() {
        for (at, &reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(slot(reason), at);
        }
    }
}
