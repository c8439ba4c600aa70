//! The range of stock, stated once for every adapter and for every edge that reads a number of units.

use super::NewItem;
use crate::domain::Sku;

/// No stock leaves this range, up or down, so that no counter ever overflows.
pub const STOCK_MAX: i64 = 1_000_000_000_000;

/// A number of units that no correction can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnitsError {
    /// 0.
    #[error("0 corrects nothing; say by how many units")]
    Zero,
    /// More than all the stock there can be.
    #[error("{0} is out of range: at most {STOCK_MAX} units up or down are allowed")]
    OutOfRange(i64),
}

/// Checks by how many units stock is to be corrected.
///
/// # Errors
/// What is wrong with the number.
pub const fn check_units(by: i64) -> Result<i64, UnitsError> {
    match by {
        0 => Err(UnitsError::Zero),
        _ if by.unsigned_abs() > STOCK_MAX.unsigned_abs() => Err(UnitsError::OutOfRange(by)),
        _ => Ok(by),
    }
}

/// What is available after a correction; none if that is beyond the range.
pub fn corrected(available: i64, by: i64) -> Option<i64> {
    let after = available.checked_add(by)?;
    (after.unsigned_abs() <= STOCK_MAX.unsigned_abs()).then_some(after)
}

/// A first stock that no item can have.
#[derive(Debug, thiserror::Error)]
#[error("the stock {stock} of {sku} is out of range: 0 to {STOCK_MAX} units are allowed")]
pub(super) struct StockOutOfRange {
    sku: Sku,
    stock: i64,
}

/// Checks the first stock of items.
pub(super) fn check_items(items: &[NewItem]) -> Result<(), StockOutOfRange> {
    let bad = items
        .iter()
        .find(|item| !(0..=STOCK_MAX).contains(&item.stock));
    bad.map_or(Ok(()), |bad| {
        Err(StockOutOfRange {
            sku: bad.sku.clone(),
            stock: bad.stock,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_units_is_in_range_or_refused_with_a_reason() {
        for by in [1, -1, STOCK_MAX, -STOCK_MAX] {
            assert_eq!(check_units(by), Ok(by));
        }
        assert_eq!(check_units(0), Err(UnitsError::Zero));
        for by in [STOCK_MAX + 1, -STOCK_MAX - 1, i64::MAX, i64::MIN] {
            assert_eq!(check_units(by), Err(UnitsError::OutOfRange(by)));
        }
    }

    #[test]
    fn a_correction_never_leaves_the_range_and_never_overflows() {
        assert_eq!(corrected(0, -STOCK_MAX), Some(-STOCK_MAX));
        assert_eq!(corrected(STOCK_MAX, 1), None);
        for available in [0, 5, -5, i64::MIN, i64::MAX] {
            for by in [i64::MIN, i64::MAX] {
                let after = corrected(available, by);
                assert!(after.is_none_or(|after| (-STOCK_MAX..=STOCK_MAX).contains(&after)));
            }
        }
        assert_eq!(corrected(0, i64::MIN), None);
    }
}
