//! Counts as people write them: whole numbers.

/// A text that is no count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// It can be guessed what is meant.
    #[error("`{text}` is not a whole number; write {meant}")]
    Spelling {
        /// What was written.
        text: String,
        /// What it should be.
        meant: u64,
    },
    /// Nobody knows what is meant.
    #[error("`{0}` is not a whole number; write digits, such as 1000 or 1_000")]
    Unreadable(String),
    /// More than 64 bits.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// Reads a whole number such as `1000` or `1_000`.
///
/// # Errors
/// [`CountError`], with the right spelling where it can be guessed: `1,000` and `10k` are refused.
pub fn parse_count(text: &str) -> Result<u64, CountError> {
    let shown = || text.chars().take(32).collect::<String>();
    let is_number = |text: &str, separator: char| {
        text.starts_with(|first: char| first.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit() || c == separator)
    };
    let read = |text: &str, separator: char| {
        text.replace(separator, "")
            .parse::<u64>()
            .map_err(|_| CountError::TooLarge(shown()))
    };
    let spelling = |meant| CountError::Spelling {
        text: shown(),
        meant,
    };
    if is_number(text, '_') {
        return read(text, '_');
    }
    if is_number(text.trim(), ',') {
        return Err(spelling(read(text.trim(), ',')?));
    }
    for (suffix, factor) in [("k", 1_000_u64), ("m", 1_000_000)] {
        let lower = text.to_lowercase();
        if let Some(number) = lower.strip_suffix(suffix).filter(|n| is_number(n, '_'))
            && let Some(meant) = read(number, '_')?.checked_mul(factor)
        {
            return Err(spelling(meant));
        }
    }
    Err(CountError::Unreadable(shown()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_picky_and_helpful() {
        assert_eq!(parse_count("1000"), Ok(1_000));
        assert_eq!(parse_count("1_000"), Ok(1_000));
        for (text, meant) in [("1,000", 1_000), ("10k", 10_000), ("2M", 2_000_000)] {
            assert!(
                matches!(parse_count(text), Err(CountError::Spelling { meant: m, .. }) if m == meant),
                "{text}"
            );
        }
        for text in ["", "-1", "1.5", "ten", "_1", "0x10"] {
            assert!(
                matches!(parse_count(text), Err(CountError::Unreadable(_))),
                "{text}"
            );
        }
        assert!(matches!(
            parse_count("99999999999999999999"),
            Err(CountError::TooLarge(_))
        ));
    }
}
