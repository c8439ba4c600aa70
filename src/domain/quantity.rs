//! How many units of one item.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most units one line of a cart may ask for.
pub const QUANTITY_MAX: u32 = 1_000_000;

/// Units asked for in one line: 1 to 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "u32")]
pub struct Quantity(u32);

impl Quantity {
    /// Checks a number of units.
    pub const fn new(units: i64) -> Result<Self, QuantityError> {
        if units < 1 || units > QUANTITY_MAX as i64 {
            return Err(QuantityError::OutOfRange { units });
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked above"
        )]
        Ok(Self(units as u32))
    }

    /// The units as a signed number, as stock is counted.
    pub const fn units(self) -> i64 {
        self.0 as i64
    }

    /// The sum, if one line may ask for that many.
    pub const fn checked_add(self, other: Self) -> Result<Self, QuantityError> {
        Self::new(self.units() + other.units())
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Quantity> for u32 {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

impl TryFrom<i64> for Quantity {
    type Error = QuantityError;

    fn try_from(units: i64) -> Result<Self, Self::Error> {
        Self::new(units)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let units = text
            .trim()
            .parse::<i64>()
            .map_err(|_| QuantityError::NotANumber(text.chars().take(32).collect()))?;
        Self::new(units)
    }
}

/// A number that is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Below 1 or above the limit.
    #[error("the quantity {units} is out of range: 1 to {QUANTITY_MAX} are allowed")]
    OutOfRange {
        /// What was asked for.
        units: i64,
    },
    /// Not a whole number.
    #[error("`{0}` is not a quantity: expected a whole number from 1 to {QUANTITY_MAX}")]
    NotANumber(String),
}
