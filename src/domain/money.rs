//! Money in minor units.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Quantity;

/// An amount in minor units (cents, pence), 0 to 9 × 10¹⁵, so that it fits the numbers of JSON.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "i64", into = "i64")]
pub struct Money(i64);

/// The largest amount: what every JSON reader can still represent exactly.
pub const MONEY_MAX: i64 = 9_000_000_000_000_000;

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Checks an amount in minor units.
    pub const fn new(minor: i64) -> Result<Self, MoneyError> {
        if minor < 0 || minor > MONEY_MAX {
            return Err(MoneyError::OutOfRange { minor });
        }
        Ok(Self(minor))
    }

    /// Minor units.
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// The price of `quantity` units, unless it is too large.
    pub fn checked_mul(self, quantity: Quantity) -> Option<Self> {
        self.0
            .checked_mul(quantity.units())
            .and_then(|minor| Self::new(minor).ok())
    }

    /// The sum, unless it is too large.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0
            .checked_add(other.0)
            .and_then(|minor| Self::new(minor).ok())
    }

    /// Reads a decimal amount of major units such as `2.55`, rounded half up to minor units.
    pub fn from_decimal(text: &str) -> Result<Self, MoneyError> {
        let text = text.trim();
        let bad = || MoneyError::NotANumber(text.chars().take(32).collect());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() + fraction.len() == 0 {
            return Err(bad());
        }
        let whole: i64 = if whole.is_empty() {
            0
        } else {
            whole.parse().map_err(|_| bad())?
        };
        let digit = |index: usize| {
            fraction
                .as_bytes()
                .get(index)
                .map_or(0, |byte| i64::from(byte - b'0'))
        };
        let minor = digit(0) * 10 + digit(1) + i64::from(digit(2) >= 5);
        whole
            .checked_mul(100)
            .and_then(|major| major.checked_add(minor))
            .ok_or_else(bad)
            .and_then(Self::new)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl From<Money> for i64 {
    fn from(money: Money) -> Self {
        money.0
    }
}

impl TryFrom<i64> for Money {
    type Error = MoneyError;

    fn try_from(minor: i64) -> Result<Self, Self::Error> {
        Self::new(minor)
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    /// Reads minor units.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let minor = text
            .trim()
            .parse()
            .map_err(|_| MoneyError::NotANumber(text.chars().take(32).collect()))?;
        Self::new(minor)
    }
}

/// A number that is no amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Negative or too large.
    #[error("the amount {minor} is out of range: 0 to {MONEY_MAX} minor units are allowed")]
    OutOfRange {
        /// What was asked for.
        minor: i64,
    },
    /// Not a number.
    #[error("`{0}` is not an amount of money")]
    NotANumber(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly_and_rounded_half_up() {
        for (text, minor) in [
            ("2.55", 255),
            ("0.001", 0),
            ("0.005", 1),
            ("12", 1200),
            (".5", 50),
            ("1.", 100),
        ] {
            assert_eq!(
                Money::from_decimal(text).map(Money::minor),
                Ok(minor),
                "{text}"
            );
        }
        for text in ["", ".", "-1", "1e3", "1,5", "99999999999999999999", "inf"] {
            assert!(Money::from_decimal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_amount_that_overflows_is_none() {
        let price = Money::new(MONEY_MAX).unwrap();
        assert_eq!(price.checked_mul(Quantity::new(2).unwrap()), None);
        assert_eq!(price.checked_add(Money::new(1).unwrap()), None);
    }
}
