//! Shares of buyers as people write them: `0.1` or `10%`, and `10%:2s` for a share that does something so much.

use std::fmt;
use std::str::FromStr;

/// A share, from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Share(f64);

impl Share {
    /// Whether a draw from [0, 1) falls into it.
    pub fn takes(self, unit: f64) -> bool {
        unit < self.0
    }

    /// As a number from 0 to 1: what digests rest on.
    pub const fn number(self) -> f64 {
        self.0
    }

    /// Whether nobody falls into it.
    pub fn is_none(self) -> bool {
        self.0 <= 0.0
    }
}

/// A percentage, such as `10%`, where that reads back as the same share; or else a number.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 0.07 * 100 is 7.000000000000001.
        let percent = (self.0 * 1e10).round() / 1e8;
        if Self(percent / 100.0) == *self {
            write!(f, "{percent}%")
        } else {
            write!(f, "{}", self.0)
        }
    }
}

impl FromStr for Share {
    type Err = ShareOfError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ShareOfError::Share(text.chars().take(32).collect());
        let (number, scale) = match text.strip_suffix('%') {
            Some(number) => (number, 100.0),
            None => (text, 1.0),
        };
        if !number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            return Err(refuse());
        }
        match number.parse::<f64>() {
            Ok(number) if number <= scale => Ok(Self(number / scale)),
            _ => Err(refuse()),
        }
    }
}

/// A share of buyers, and how much they do of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareOf<T> {
    /// How many of all buyers.
    pub share: Share,
    /// How much.
    pub how: T,
}

impl<T: fmt::Display> fmt::Display for ShareOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.share, self.how)
    }
}

impl<T> FromStr for ShareOf<T>
where
    T: FromStr<Err: fmt::Display>,
{
    type Err = ShareOfError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((share, how)) = text.split_once(':') else {
            return Err(ShareOfError::Parts(text.chars().take(32).collect()));
        };
        Ok(Self {
            share: share.parse()?,
            how: how
                .parse()
                .map_err(|error: T::Err| ShareOfError::How(error.to_string()))?,
        })
    }
}

/// A text that is no share of buyers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShareOfError {
    /// Not a number from 0 to 1.
    #[error("`{0}` is not a share: write a number from 0 to 1, or a percentage such as 10%")]
    Share(String),
    /// Not two parts.
    #[error("`{0}` says not how much: write a share, a colon and how much, such as 10%:2s")]
    Parts(String),
    /// The second part is wrong.
    #[error("{0}")]
    How(String),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simulate::{DurationSpan, Span};

    #[test]
    fn a_share_is_a_number_or_a_percentage() {
        for (text, share) in [
            ("0", 0.0),
            ("1", 1.0),
            ("0.25", 0.25),
            ("25%", 0.25),
            ("100%", 1.0),
        ] {
            assert_eq!(text.parse(), Ok(Share(share)), "{text}");
        }
        for text in ["", "%", "1.1", "101%", "-1", "a", "1e-3", "NaN", "10 %"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_is_written_as_people_would() {
        for (text, written) in [
            ("0", "0%"),
            ("0.07", "7%"),
            ("7%", "7%"),
            ("0.125", "12.5%"),
            ("100%", "100%"),
            ("0.3333333333333333", "0.3333333333333333"),
        ] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), written);
        }
    }

    proptest! {
        #[test]
        fn a_share_reads_back(number in 0.0..=1.0_f64, percent in 0_u32..=10_000) {
            for share in [Share(number), Share(f64::from(percent) / 10_000.0)] {
                prop_assert_eq!(share.to_string().parse(), Ok(share));
            }
        }
    }

    #[test]
    fn a_share_of_buyers_does_something_so_much() {
        let times: ShareOf<DurationSpan> = "10%:1s..2s".parse().unwrap();
        assert_eq!(times.to_string(), "10%:1s..2s");
        let lines: ShareOf<Span> = "0.5:10..40".parse().unwrap();
        assert_eq!(lines.to_string(), "50%:10..40");
        for (text, message) in [
            (
                "10%",
                "`10%` says not how much: write a share, a colon and how much, such as 10%:2s",
            ),
            ("10%:3..1", "the range 3..1 is empty: write 1..3"),
        ] {
            assert_eq!(
                text.parse::<ShareOf<Span>>().unwrap_err().to_string(),
                message
            );
        }
    }
}
