//! How the simulated gateway behaves, as its URL says.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::{DurationError, parse_duration};

/// How much shares may exceed 1 by, since decimal shares are not exact.
const ROUNDING: f64 = 1e-9;

/// How the simulated gateway behaves: `simulated:?success=0.95&timeout=0.01&unknown=0.01&latency=20ms..200ms&seed=7`,
/// and `outage=5s..10s` for one that is away for a while.
///
/// Shares are between 0 and 1; what is left of 1 are declines. Without any share, every charge succeeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The share of charges that are captured and answered.
    pub success: f64,
    /// The share of charges that are not captured and not answered.
    pub timeout: f64,
    /// The share of charges that are captured, and whose answer is lost.
    pub unknown: f64,
    /// The shortest latency of a charge.
    pub latency_min: Duration,
    /// The longest latency of a charge; latencies are spread evenly.
    pub latency_max: Duration,
    /// When the gateway is away, from and to, counted from the first call that this process makes; none: never.
    pub outage: Option<(Duration, Duration)>,
    /// What the draws begin from; 0 where the URL names none.
    pub seed: u64,
    /// The file the ledger is in, where the URL names one.
    pub ledger: Option<PathBuf>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            success: 1.0,
            timeout: 0.0,
            unknown: 0.0,
            latency_min: Duration::ZERO,
            latency_max: Duration::ZERO,
            outage: None,
            seed: 0,
            ledger: None,
        }
    }
}

impl Profile {
    /// Reads a URL.
    ///
    /// # Errors
    /// The first thing that is wrong with it, naming the parameter.
    pub fn parse(url: &str) -> Result<Self, ProfileError> {
        let query = match url.strip_prefix("simulated:") {
            Some("" | "?") => return Ok(Self::default()),
            Some(rest) => rest.strip_prefix('?').ok_or(ProfileError::Form)?,
            None => return Err(ProfileError::Form),
        };
        let mut shares = [None; 3];
        let mut latency = None;
        let mut outage = None;
        let mut seed = None;
        let mut ledger = None;
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "success" => once(&mut shares[0], "success", share("success", value)?)?,
                "timeout" => once(&mut shares[1], "timeout", share("timeout", value)?)?,
                "unknown" => once(&mut shares[2], "unknown", share("unknown", value)?)?,
                "latency" => once(&mut latency, "latency", range("latency", value)?)?,
                "outage" => once(&mut outage, "outage", stretch(value)?)?,
                "seed" => {
                    let number = value.parse().map_err(|_| ProfileError::Seed {
                        value: shown(value),
                    })?;
                    once(&mut seed, "seed", number)?;
                }
                "ledger" => once(&mut ledger, "ledger", path(value)?)?,
                _ => return Err(ProfileError::Unknown { name: shown(name) }),
            }
        }
        let of = |index: usize| shares[index].unwrap_or(0.0);
        let none_given = shares.iter().all(Option::is_none);
        let success = if none_given { 1.0 } else { of(0) };
        let sum = success + of(1) + of(2);
        if sum > 1.0 + ROUNDING {
            return Err(ProfileError::Sum { sum });
        }
        let (latency_min, latency_max) = latency.unwrap_or_default();
        Ok(Self {
            success,
            timeout: of(1),
            unknown: of(2),
            latency_min,
            latency_max,
            outage,
            seed: seed.unwrap_or(0),
            ledger,
        })
    }

    /// Whether the gateway is away so long after the first call.
    pub fn is_away(&self, since: Duration) -> bool {
        self.outage
            .is_some_and(|(from, to)| (from..to).contains(&since))
    }

    /// The share of charges that are declined.
    pub fn declined(&self) -> f64 {
        let left = 1.0 - (self.success + self.timeout + self.unknown);
        if left > ROUNDING { left } else { 0.0 }
    }
}

fn once<T>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), ProfileError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(ProfileError::Repeated { name }),
    }
}

fn share(name: &'static str, value: &str) -> Result<f64, ProfileError> {
    value
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| ProfileError::Share {
            name,
            value: shown(value),
        })
}

/// One duration, or two with `..` between them.
fn range(name: &'static str, value: &str) -> Result<(Duration, Duration), ProfileError> {
    let duration =
        |text| parse_duration(text).map_err(|source| ProfileError::Duration { name, source });
    let (low, high) = match value.split_once("..") {
        Some((low, high)) => (duration(low)?, duration(high)?),
        None => {
            let fixed = duration(value)?;
            (fixed, fixed)
        }
    };
    if low > high {
        return Err(ProfileError::Backwards {
            name,
            value: shown(value),
        });
    }
    Ok((low, high))
}

/// Two durations, the later one later.
fn stretch(value: &str) -> Result<(Duration, Duration), ProfileError> {
    let (from, to) = range("outage", value)?;
    if from == to {
        return Err(ProfileError::NoStretch {
            value: shown(value),
        });
    }
    Ok((from, to))
}

/// A path in which `%26` and the like stand for characters that mean something in a URL.
fn path(value: &str) -> Result<PathBuf, ProfileError> {
    let bad = || ProfileError::Ledger {
        value: shown(value),
    };
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let (digits, tail) = rest.split_first_chunk::<2>().ok_or_else(bad)?;
            let hex = |digit: u8| char::from(digit).to_digit(16);
            let (Some(high), Some(low)) = (hex(digits[0]), hex(digits[1])) else {
                return Err(bad());
            };
            bytes.push(u8::try_from(high * 16 + low).map_err(|_| bad())?);
            rest = tail;
        } else {
            bytes.push(byte);
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| bad())?;
    if text.is_empty() || text.contains('\0') {
        return Err(bad());
    }
    Ok(PathBuf::from(text))
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

/// What is wrong with the URL of a simulated gateway.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// Not `simulated:?…` at all.
    #[error(
        "not the URL of a simulated gateway: write simulated: or simulated:?success=0.95&seed=7"
    )]
    Form,
    /// A parameter that does not exist.
    #[error(
        "unknown parameter `{name}` of the simulated gateway: expected success, timeout, unknown, latency, outage, seed or ledger"
    )]
    Unknown {
        /// Its name.
        name: String,
    },
    /// A parameter twice.
    #[error("the parameter {name} is given twice")]
    Repeated {
        /// Its name.
        name: &'static str,
    },
    /// Not a number from 0 to 1.
    #[error("{name}=`{value}` is not a share: write a number from 0 to 1, such as {name}=0.05")]
    Share {
        /// Which share.
        name: &'static str,
        /// What was written.
        value: String,
    },
    /// More than everything.
    #[error("success, timeout and unknown add up to {sum}: at most 1 is allowed")]
    Sum {
        /// The sum.
        sum: f64,
    },
    /// Not a duration, nor two.
    #[error("{name}: {source}")]
    Duration {
        /// Which parameter.
        name: &'static str,
        /// What is wrong.
        source: DurationError,
    },
    /// The longer one first.
    #[error("{name}=`{value}` is empty: write the shorter one first")]
    Backwards {
        /// Which parameter.
        name: &'static str,
        /// What was written.
        value: String,
    },
    /// One time, or twice the same.
    #[error("outage=`{value}` is no time: write from when to when, such as outage=5s..10s")]
    NoStretch {
        /// What was written.
        value: String,
    },
    /// Not a whole number.
    #[error("seed=`{value}` is not a seed: write a whole number from 0 to 18446744073709551615")]
    Seed {
        /// What was written.
        value: String,
    },
    /// Not a path.
    #[error("ledger=`{value}` is not a path; write % as %25 and & as %26")]
    Ledger {
        /// What was written.
        value: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_can_be_said_and_everything_can_be_left_out() {
        let all = "simulated:?success=0.95&timeout=0.01&unknown=0.01&latency=20ms..200ms&outage=5s..10s&seed=7&ledger=a%20b+c%26d.db";
        assert_eq!(
            Profile::parse(all),
            Ok(Profile {
                success: 0.95,
                timeout: 0.01,
                unknown: 0.01,
                latency_min: Duration::from_millis(20),
                latency_max: Duration::from_millis(200),
                outage: Some((Duration::from_secs(5), Duration::from_secs(10))),
                seed: 7,
                ledger: Some("a b+c&d.db".into()),
            })
        );
        for url in ["simulated:", "simulated:?", "simulated:?success=1"] {
            assert_eq!(Profile::parse(url), Ok(Profile::default()), "{url}");
        }
        for (url, success, declined) in [
            ("simulated:?seed=1", 1.0, 0.0),
            ("simulated:?success=0.75", 0.75, 0.25),
            ("simulated:?unknown=0.25", 0.0, 0.75),
            ("simulated:?timeout=1", 0.0, 0.0),
            // In binary these add up to a little more than 1.
            (
                "simulated:?success=0.65&timeout=0.3&unknown=0.05",
                0.65,
                0.0,
            ),
        ] {
            let profile = Profile::parse(url).unwrap();
            assert!((profile.success - success).abs() < 1e-12, "{url}");
            assert!((profile.declined() - declined).abs() < 1e-12, "{url}");
        }
        let fixed = Profile::parse("simulated:?latency=1s").unwrap();
        assert_eq!(fixed.latency_min, fixed.latency_max);
    }

    #[test]
    fn an_outage_begins_and_ends() {
        let profile = Profile::parse("simulated:?outage=5s..10s").unwrap();
        let away = [4_999, 5_000, 9_999, 10_000].map(Duration::from_millis);
        assert_eq!(
            away.map(|since| profile.is_away(since)),
            [false, true, true, false]
        );
        assert!(!Profile::default().is_away(Duration::from_secs(7)));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line_that_names_the_parameter() {
        for (query, message) in [
            (
                "sucess=0.9",
                "unknown parameter `sucess` of the simulated gateway: expected success, timeout, unknown, latency, outage, seed or ledger",
            ),
            (
                "success=1.5",
                "success=`1.5` is not a share: write a number from 0 to 1, such as success=0.05",
            ),
            (
                "timeout=-0.1",
                "timeout=`-0.1` is not a share: write a number from 0 to 1, such as timeout=0.05",
            ),
            (
                "unknown=NaN",
                "unknown=`NaN` is not a share: write a number from 0 to 1, such as unknown=0.05",
            ),
            (
                "success=5%",
                "success=`5%` is not a share: write a number from 0 to 1, such as success=0.05",
            ),
            (
                "success",
                "success=`` is not a share: write a number from 0 to 1, such as success=0.05",
            ),
            (
                "success=0.75&unknown=0.5",
                "success, timeout and unknown add up to 1.25: at most 1 is allowed",
            ),
            ("seed=1&seed=1", "the parameter seed is given twice"),
            (
                "seed=-1",
                "seed=`-1` is not a seed: write a whole number from 0 to 18446744073709551615",
            ),
            (
                "latency=15mins",
                "latency: `15mins` is not a duration: write 15m",
            ),
            (
                "latency=1s..20",
                "latency: `20` has no unit: write 20s for seconds, or use ms, m, h, d",
            ),
            (
                "latency=2s..1s",
                "latency=`2s..1s` is empty: write the shorter one first",
            ),
            (
                "outage=5s",
                "outage=`5s` is no time: write from when to when, such as outage=5s..10s",
            ),
            (
                "outage=10s..5s",
                "outage=`10s..5s` is empty: write the shorter one first",
            ),
            (
                "outage=5..10s",
                "outage: `5` has no unit: write 5s for seconds, or use ms, m, h, d",
            ),
            (
                "ledger=",
                "ledger=`` is not a path; write % as %25 and & as %26",
            ),
            (
                "ledger=%zz",
                "ledger=`%zz` is not a path; write % as %25 and & as %26",
            ),
            (
                "ledger=%ff",
                "ledger=`%ff` is not a path; write % as %25 and & as %26",
            ),
            (
                "seed=1&",
                "unknown parameter `` of the simulated gateway: expected success, timeout, unknown, latency, outage, seed or ledger",
            ),
        ] {
            let error = Profile::parse(&format!("simulated:?{query}")).unwrap_err();
            assert_eq!(error.to_string(), message, "{query}");
        }
        for url in [
            "simulated",
            "simulated://x",
            "http://x",
            "",
            "simulated:seed=1",
        ] {
            assert_eq!(Profile::parse(url), Err(ProfileError::Form), "{url}");
        }
    }
}
