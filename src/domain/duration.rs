//! Durations as people write them: a whole number and a unit, such as `20ms`, `30s`, `3m`, `1h`, `7d`.

use std::time::Duration;

/// The longest duration that can be written: 100 years of 365 days, so that adding one to a point in time never
/// overflows.
pub const DURATION_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The units, longest first, with their length in milliseconds and the spellings that are understood but refused.
const UNITS: [(&str, u64, &[&str]); 5] = [
    ("d", 86_400_000, &["day", "days"]),
    ("h", 3_600_000, &["hr", "hrs", "hour", "hours"]),
    ("m", 60_000, &["min", "mins", "minute", "minutes"]),
    ("s", 1_000, &["sec", "secs", "second", "seconds"]),
    (
        "ms",
        1,
        &["msec", "msecs", "millis", "millisecond", "milliseconds"],
    ),
];

/// Reads a duration: a whole number and one of the units ms, s, m, h, d, with nothing between or around them.
///
/// # Errors
/// When the text is anything else, with the right spelling where it can be guessed; beyond [`DURATION_MAX`].
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let shown = || text.chars().take(32).collect::<String>();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(DurationError::NotADuration(shown()));
    }
    if unit.is_empty() {
        return Err(DurationError::NoUnit(shown()));
    }
    let Some(&(_, millis, _)) = UNITS.iter().find(|(name, ..)| *name == unit) else {
        return Err(match respelled(unit) {
            Some(name) => DurationError::Spelling {
                text: shown(),
                right: format!("{}{name}", shortened(number)),
            },
            None => DurationError::NotADuration(shown()),
        });
    };
    let too_long = || DurationError::TooLong(shown());
    let number: u64 = number.parse().map_err(|_| too_long())?;
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .filter(|duration| *duration <= DURATION_MAX)
        .ok_or_else(too_long)
}

/// Writes a duration so that [`parse_duration`] reads it back, in the longest unit that divides it. What is below a
/// millisecond is cut off.
pub fn format_duration(duration: Duration) -> String {
    let total = duration.as_millis();
    if total == 0 {
        return "0s".to_owned();
    }
    UNITS
        .iter()
        .find(|(_, millis, _)| total.is_multiple_of(u128::from(*millis)))
        .map_or_else(String::new, |(name, millis, _)| {
            format!("{}{name}", total / u128::from(*millis))
        })
}

/// The unit that was probably meant: `15mins`, `30S`, `3 m`.
fn respelled(unit: &str) -> Option<&'static str> {
    let meant = unit.trim().to_ascii_lowercase();
    UNITS
        .iter()
        .find(|(name, _, others)| *name == meant || others.contains(&meant.as_str()))
        .map(|(name, ..)| *name)
}

/// A number that is shown back, without flooding the terminal.
fn shortened(number: &str) -> &str {
    number.get(..20).unwrap_or(number)
}

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not a whole number and a unit.
    #[error(
        "`{0}` is not a duration: expected a whole number and one of ms, s, m, h, d, such as 30s"
    )]
    NotADuration(String),
    /// A number only.
    #[error("`{0}` has no unit: write {0}s for seconds, or use ms, m, h, d")]
    NoUnit(String),
    /// A unit that is understood, and spelled otherwise.
    #[error("`{text}` is not a duration: write {right}")]
    Spelling {
        /// What was written.
        text: String,
        /// What was probably meant.
        right: String,
    },
    /// Longer than 100 years.
    #[error("`{0}` is too long: at most 36500d are allowed")]
    TooLong(String),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_and_a_unit_are_read() {
        for (text, millis) in [
            ("0s", 0),
            ("20ms", 20),
            ("1s", 1_000),
            ("90s", 90_000),
            ("3m", 180_000),
            ("1h", 3_600_000),
            ("7d", 604_800_000),
            ("007s", 7_000),
            ("36500d", 3_153_600_000_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_right_spelling_where_it_can_be_guessed() {
        for (text, message) in [
            ("15mins", "`15mins` is not a duration: write 15m"),
            ("5 m", "`5 m` is not a duration: write 5m"),
            ("30S", "`30S` is not a duration: write 30s"),
            ("2hours", "`2hours` is not a duration: write 2h"),
            (
                "30",
                "`30` has no unit: write 30s for seconds, or use ms, m, h, d",
            ),
            ("36501d", "`36501d` is too long: at most 36500d are allowed"),
            (
                "99999999999999999999s",
                "`99999999999999999999s` is too long: at most 36500d are allowed",
            ),
        ] {
            assert_eq!(
                parse_duration(text).unwrap_err().to_string(),
                message,
                "{text}"
            );
        }
        for text in [
            "", "s", "1.5s", "-1s", "+1s", " 1s", "1s ", "1m30s", "1y", "1µs", "١s", "1e3s", "1s2",
        ] {
            let error = parse_duration(text).unwrap_err();
            let guessed =
                matches!(error, DurationError::Spelling { ref right, .. } if right == "1s");
            assert!(
                guessed || matches!(error, DurationError::NotADuration(_)),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn the_longest_unit_that_divides_is_written() {
        for (millis, text) in [
            (0, "0s"),
            (20, "20ms"),
            (1_500, "1500ms"),
            (90_000, "90s"),
            (180_000, "3m"),
            (86_400_000, "1d"),
        ] {
            assert_eq!(format_duration(Duration::from_millis(millis)), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0u64..3_153_600_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = parse_duration(&text);
        }
    }
}
