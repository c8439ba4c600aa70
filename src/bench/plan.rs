//! What is measured.

use std::time::Duration;

use super::load::Until;
use super::strategy::{Strategy, Unsupported};
use super::workload::Workload;
use crate::domain::Quantity;

/// Units of each item where nothing is to sell out.
const AMPLE: i64 = 1_000_000_000;

/// The most rows of a strategy with a row per unit.
pub const UNIT_ROWS_MAX: u64 = 2_000_000;

/// Orders per second for which a strategy with a row per unit is given units, where nothing is to sell out: more than one
/// transaction per order comes to. It ends when all of them are sold.
const UNIT_ROWS_PER_S: u64 = 10_000;

/// Strategies, loads, and what they share.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// In the order in which they are measured.
    pub strategies: Vec<Strategy>,
    /// Zipf exponents: every strategy is measured at each.
    pub exponents: Vec<f64>,
    /// Items for sale.
    pub skus: u32,
    /// Units of each item; `None` for so many that nothing sells out.
    pub stock: Option<i64>,
    /// Units that each order asks for.
    pub quantity: Quantity,
    /// Seed of the orders.
    pub seed: u64,
    /// Callers of the strategies whose callers hold a connection each.
    pub connections: usize,
    /// Callers of `batched`.
    pub in_flight: usize,
    /// The most orders of a batch of `batched`.
    pub batch_max: usize,
    /// When a measurement ends.
    pub amount: Amount,
}

/// When a measurement ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// After this many orders.
    Orders(u64),
    /// After this time.
    Duration(Duration),
}

/// A plan that says something twice.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A strategy is repeated.
    #[error("the strategy {} is given twice", .0.name())]
    RepeatedStrategy(Strategy),
    /// An exponent is repeated.
    #[error("the exponent {0} is given twice")]
    RepeatedExponent(f64),
}

/// The first that stands twice.
fn repeated<T: PartialEq + Copy>(all: &[T]) -> Option<T> {
    let twice = all
        .iter()
        .enumerate()
        .find(|(at, one)| all[..*at].contains(one));
    twice.map(|(_, one)| *one)
}

impl Plan {
    /// Checks what the types allow.
    ///
    /// # Errors
    /// What is given twice.
    pub fn check(&self) -> Result<(), PlanError> {
        if let Some(strategy) = repeated(&self.strategies) {
            return Err(PlanError::RepeatedStrategy(strategy));
        }
        repeated(&self.exponents).map_or(Ok(()), |exponent| {
            Err(PlanError::RepeatedExponent(exponent))
        })
    }

    /// Whether the stock is one that a strategy can hold.
    ///
    /// # Errors
    /// When it needs too many rows.
    pub fn check_stock(&self, strategy: Strategy) -> Result<(), Unsupported> {
        let rows = match (strategy, self.stock) {
            (Strategy::SkipLocked, Some(stock)) => {
                stock.unsigned_abs().saturating_mul(self.skus.into())
            }
            (Strategy::SkipLocked, None) => self.unit_rows(),
            _ => return Ok(()),
        };
        if rows <= UNIT_ROWS_MAX {
            return Ok(());
        }
        Err(Unsupported::TooManyUnits {
            strategy,
            rows,
            max: UNIT_ROWS_MAX,
        })
    }

    /// Rows of units where nothing is to sell out.
    fn unit_rows(&self) -> u64 {
        let units = self.quantity.units().unsigned_abs();
        self.unit_orders().saturating_mul(units)
    }

    /// Orders for which there are rows of units where nothing is to sell out.
    fn unit_orders(&self) -> u64 {
        match self.amount {
            Amount::Orders(orders) => orders,
            Amount::Duration(time) => {
                let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                let units = self.quantity.units().unsigned_abs();
                (ms.saturating_mul(UNIT_ROWS_PER_S) / 1_000).min(UNIT_ROWS_MAX / units)
            }
        }
    }

    /// When a strategy's measurement ends.
    pub(super) fn until(&self, strategy: Strategy) -> Until {
        let mut until = match self.amount {
            Amount::Orders(orders) => Until {
                orders,
                elapsed: Duration::MAX,
            },
            Amount::Duration(elapsed) => Until {
                orders: u64::MAX,
                elapsed,
            },
        };
        if strategy == Strategy::SkipLocked && self.stock.is_none() {
            until.orders = until.orders.min(self.unit_orders());
        }
        until
    }

    /// Units of each item by rank, as a strategy is given them.
    pub(super) fn stock(&self, strategy: Strategy, workload: &Workload) -> Vec<i64> {
        match self.stock {
            Some(stock) => vec![stock; workload.skus().len()],
            None if strategy == Strategy::SkipLocked => workload.demand(self.unit_orders()),
            None => vec![AMPLE; workload.skus().len()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(amount: Amount, stock: Option<i64>) -> Plan {
        Plan {
            strategies: Strategy::ALL.to_vec(),
            exponents: vec![0.0, 1.0],
            skus: 10,
            stock,
            quantity: Quantity::new(2).unwrap(),
            seed: 1,
            connections: 4,
            in_flight: 100,
            batch_max: 4_000,
            amount,
        }
    }

    #[test]
    fn a_row_per_unit_is_enough_for_every_order_or_refused() {
        let time = Amount::Duration(Duration::from_secs(3_600));
        let long = plan(time, None);
        assert_eq!(long.check_stock(Strategy::SkipLocked), Ok(()));
        let until = long.until(Strategy::SkipLocked);
        assert_eq!(until.orders, UNIT_ROWS_MAX / 2);
        assert_eq!(long.until(Strategy::PerOrder).orders, u64::MAX);
        let short = plan(Amount::Orders(500), None);
        let workload = Workload::new(10, 1.0, short.quantity, short.seed);
        let units: i64 = short.stock(Strategy::SkipLocked, &workload).iter().sum();
        assert_eq!(units, 1_000);
        for plan in [
            plan(Amount::Orders(UNIT_ROWS_MAX), None),
            plan(Amount::Orders(1), Some(1_000_000)),
        ] {
            let refused = plan.check_stock(Strategy::SkipLocked).unwrap_err();
            assert!(refused.to_string().contains("lower --stock"), "{refused}");
            assert_eq!(plan.check_stock(Strategy::Batched), Ok(()));
        }
    }

    #[test]
    fn what_is_given_twice_is_refused() {
        let mut twice = plan(Amount::Orders(1), None);
        assert_eq!(twice.check(), Ok(()));
        twice.exponents.push(1.0);
        assert_eq!(twice.check(), Err(PlanError::RepeatedExponent(1.0)));
        twice.strategies.push(Strategy::Batched);
        assert_eq!(
            twice.check(),
            Err(PlanError::RepeatedStrategy(Strategy::Batched))
        );
    }
}
