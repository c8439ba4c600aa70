//! A range of times as people write it: `2s`, or `1s..3s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::domain::{DurationError, format_duration, parse_duration};
use crate::rng::Rng;

/// A time from `low` to `high`, each as likely as the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DurationSpan {
    low: Duration,
    high: Duration,
}

impl DurationSpan {
    /// The longest of them.
    pub const fn high(self) -> Duration {
        self.high
    }

    /// One of the times, in whole microseconds.
    pub fn draw(self, rng: &mut Rng) -> Duration {
        if self.low == self.high {
            return self.low;
        }
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(rng.between(us(self.low), us(self.high)))
    }
}

impl fmt::Display for DurationSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_duration(self.low))?;
        if self.low != self.high {
            write!(f, "..{}", format_duration(self.high))?;
        }
        Ok(())
    }
}

impl FromStr for DurationSpan {
    type Err = DurationSpanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (low, high) = match text.split_once("..") {
            Some((low, high)) => (parse_duration(low)?, parse_duration(high)?),
            None => {
                let only = parse_duration(text)?;
                (only, only)
            }
        };
        if low > high {
            return Err(DurationSpanError::Backwards(
                text.chars().take(32).collect(),
            ));
        }
        Ok(Self { low, high })
    }
}

/// A text that is no range of times.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationSpanError {
    /// Not a time.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// The longer one first.
    #[error("`{0}` is empty: write the shorter time first")]
    Backwards(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_times_is_one_time_or_two() {
        for text in ["2s", "1s..3s", "0s..500ms"] {
            assert_eq!(text.parse::<DurationSpan>().unwrap().to_string(), text);
        }
        for text in ["", "2", "3s..1s", "1s..", "1s...3s", "1..3"] {
            assert!(text.parse::<DurationSpan>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_draw_is_in_the_range() {
        let span: DurationSpan = "1s..3s".parse().unwrap();
        let mut rng = Rng::from_seed(1);
        for _ in 0..1_000 {
            let time = span.draw(&mut rng);
            assert!((Duration::from_secs(1)..=span.high()).contains(&time));
        }
    }
}
