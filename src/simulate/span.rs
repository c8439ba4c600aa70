//! A range of whole numbers as people write it: `2`, or `1..3` with both ends included.

use std::fmt;
use std::str::FromStr;

use crate::rng::Rng;

/// Whole numbers from `low` to `high`, both included; never empty, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    low: u32,
    high: u32,
}

impl Span {
    /// From `low` to `high`, both included.
    ///
    /// # Errors
    /// When `low` is 0 or above `high`.
    pub fn new(low: u32, high: u32) -> Result<Self, SpanError> {
        if low == 0 {
            return Err(SpanError::Zero);
        }
        if low > high {
            return Err(SpanError::Reversed { low, high });
        }
        Ok(Self { low, high })
    }

    /// The same of constants: at least 1, and `high` at least that.
    pub(crate) const fn between(low: u32, high: u32) -> Self {
        let low = if low == 0 { 1 } else { low };
        let high = if high < low { low } else { high };
        Self { low, high }
    }

    /// The smallest number.
    pub const fn low(self) -> u32 {
        self.low
    }

    /// The largest number.
    pub const fn high(self) -> u32 {
        self.high
    }

    /// One of the numbers, each as likely as the others.
    pub fn draw(self, rng: &mut Rng) -> u32 {
        if self.low == self.high {
            return self.low;
        }
        u32::try_from(rng.between(self.low.into(), self.high.into())).unwrap_or(self.high)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high {
            write!(f, "{}", self.low)
        } else {
            write!(f, "{}..{}", self.low, self.high)
        }
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: &str| {
            part.parse::<u32>()
                .map_err(|_| SpanError::NotARange(text.chars().take(32).collect()))
        };
        match text.split_once("..") {
            Some((low, high)) => Self::new(number(low)?, number(high)?),
            None => number(text).and_then(|only| Self::new(only, only)),
        }
    }
}

/// A text that is no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Not two whole numbers.
    #[error("`{0}` is not a range: expected a whole number such as 2, or a range such as 1..3")]
    NotARange(String),
    /// It begins at 0.
    #[error("a range begins at 1 or above")]
    Zero,
    /// It ends before it begins.
    #[error("the range {low}..{high} is empty: write {high}..{low}")]
    Reversed {
        /// Where it begins.
        low: u32,
        /// Where it ends.
        high: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_number_or_two_with_both_ends_included() {
        assert_eq!("1..3".parse(), Span::new(1, 3));
        assert_eq!("2".parse(), Span::new(2, 2));
        assert_eq!("1..3".parse::<Span>().unwrap().to_string(), "1..3");
        for text in [
            "",
            "..",
            "1..",
            "0",
            "0..2",
            "3..1",
            "1...3",
            "-1..2",
            "1..=3",
            "99999999999",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_number_of_a_range_is_drawn() {
        let span = Span::new(1, 3).unwrap();
        let mut rng = Rng::from_seed(1);
        let mut seen = [0_u32; 4];
        for _ in 0..3_000 {
            seen[span.draw(&mut rng) as usize] += 1;
        }
        assert_eq!(seen[0], 0);
        assert!(
            seen[1..].iter().all(|count| (900..1_100).contains(count)),
            "{seen:?}"
        );
    }
}
