//! Rates as people write them: `500` or `500/s`, and `30s:500` for a stage.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::domain::{DurationError, format_duration, parse_duration};

/// The highest rate that can be asked for, per second.
const RATE_MAX: f64 = 1_000_000.0;

/// So many arrivals per second: 0 to a million.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(pub(super) f64);

impl Rate {
    /// No arrivals.
    pub const ZERO: Self = Self(0.0);

    /// Arrivals per second.
    pub const fn per_second(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || text.chars().take(32).collect::<String>();
        let number = text.strip_suffix("/s").unwrap_or(text);
        let digits = number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        match number.parse::<f64>() {
            Ok(rate) if digits && rate <= RATE_MAX => Ok(Self(rate)),
            Ok(_) if digits => Err(RateError::TooHigh(shown())),
            _ => Err(RateError::NotARate(shown())),
        }
    }
}

/// A stage: over so long, to this rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// How long it takes.
    pub over: Duration,
    /// The rate at its end.
    pub to: Rate,
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", format_duration(self.over), self.to.per_second())
    }
}

impl FromStr for Pace {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((over, to)) = text.split_once(':') else {
            return Err(RateError::NotAStage(text.chars().take(32).collect()));
        };
        let over = parse_duration(over)?;
        if over.is_zero() {
            return Err(RateError::NoTime);
        }
        Ok(Self {
            over,
            to: to.parse()?,
        })
    }
}

/// A text that is no rate, or no stage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Not a number.
    #[error("`{0}` is not a rate: write arrivals per second, such as 500 or 500/s")]
    NotARate(String),
    /// More than anybody can make.
    #[error("`{0}` is too high a rate: at most {RATE_MAX}/s is allowed")]
    TooHigh(String),
    /// Not two parts.
    #[error("`{0}` is not a stage: write a time and a rate, such as 30s:1000")]
    NotAStage(String),
    /// A stage without a time.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// A stage of no time.
    #[error("a stage takes longer than nothing; give the first rate by --rate")]
    NoTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_per_second_with_or_without_saying_so() {
        for (text, rate) in [("500", 500.0), ("500/s", 500.0), ("0.5", 0.5), ("0", 0.0)] {
            assert_eq!(text.parse(), Ok(Rate(rate)), "{text}");
        }
        for text in [
            "", "/s", "fast", "-5", "1e3", "5/m", "inf", "NaN", "5 /s", "1.2.3",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        for rate in ["500", "0.5", "0", "1000000", "333.3333333333333"] {
            let rate: Rate = rate.parse().unwrap();
            assert_eq!(rate.to_string().parse(), Ok(rate));
        }
        assert_eq!(
            "2000000".parse::<Rate>().unwrap_err().to_string(),
            "`2000000` is too high a rate: at most 1000000/s is allowed"
        );
    }

    #[test]
    fn a_stage_is_a_time_and_a_rate() {
        let stage: Pace = "30s:1000/s".parse().unwrap();
        assert_eq!(
            (stage.over, stage.to),
            (Duration::from_secs(30), Rate(1_000.0))
        );
        assert_eq!(stage.to_string().parse(), Ok(stage));
        for text in ["30s", "30:5", "0s:5", "30s:", ":5", "5:30s"] {
            assert!(text.parse::<Pace>().is_err(), "{text}");
        }
    }
}
