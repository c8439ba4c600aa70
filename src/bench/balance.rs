//! Units oversold and undersold: one definition for every strategy, over committed orders.

/// What a strategy sold wrongly, in units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Balance {
    /// Units of committed orders beyond the stock.
    pub(super) oversold: u64,
    /// Units that are left over although orders that would have fitted were refused. Nothing is given back during a
    /// measurement: what is left at the end was there all the time.
    pub(super) undersold: u64,
}

/// Compares the first stock of each item with the units of its committed orders. `refused` counts refused orders per
/// item; each asked for `quantity` units.
pub(super) fn balance(stock: &[i64], sold: &[i64], refused: &[u64], quantity: i64) -> Balance {
    let mut balance = Balance::default();
    for ((stock, sold), refused) in stock.iter().zip(sold).zip(refused) {
        let left = stock - sold;
        if left < 0 {
            balance.oversold += left.unsigned_abs();
        } else {
            let would_have_fitted = (left / quantity).unsigned_abs().min(*refused);
            balance.undersold += would_have_fitted * quantity.unsigned_abs();
        }
    }
    balance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_beyond_the_stock_are_oversold_and_not_made_up_for_by_another_item() {
        let found = balance(&[10, 10], &[13, 5], &[0, 0], 1);
        assert_eq!((found.oversold, found.undersold), (3, 0));
    }

    #[test]
    fn units_left_are_undersold_only_where_an_order_that_fits_was_refused() {
        let undersold = |left: i64, refused, quantity| {
            balance(&[10], &[10 - left], &[refused], quantity).undersold
        };
        assert_eq!(undersold(4, 0, 1), 0, "nobody was refused");
        assert_eq!(undersold(0, 9, 1), 0, "sold out");
        assert_eq!(undersold(4, 9, 1), 4);
        assert_eq!(undersold(4, 2, 1), 2, "only two wanted one");
        assert_eq!(undersold(2, 9, 3), 0, "none of them fits");
        assert_eq!(undersold(7, 9, 3), 6);
    }
}
