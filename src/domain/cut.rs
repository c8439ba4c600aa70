//! What is too long to be kept whole: cut, with a mark, so that nobody takes a part for the whole.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

/// How much of its key and of its payload a dead letter keeps when a store refuses the whole.
pub const LETTER_CUT_BYTES_MAX: usize = 1 << 10;

/// What is known of bytes of which only a part was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Original {
    /// How many bytes there were.
    pub bytes: u64,
    /// Their SHA-256, as 64 hexadecimal digits.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
}

impl Original {
    /// What is to be known of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use std::fmt::Write as _;
        let mut sha256 = String::with_capacity(64);
        for byte in Sha256::digest(bytes) {
            // Writing to a string cannot fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        Self {
            bytes: bytes.len() as u64,
            sha256,
        }
    }
}

/// A text of at most `bytes_max` bytes: the whole, or its beginning with a mark that says how long it was. The mark
/// needs 40 bytes.
pub fn cut_text(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let mark = format!("… (cut: {} bytes)", text.len());
    let mut end = bytes_max.saturating_sub(mark.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{mark}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_stays_and_a_long_one_is_cut_between_characters_and_says_so() {
        assert_eq!(cut_text("short", 64), "short");
        assert_eq!(cut_text(&"x".repeat(64), 64), "x".repeat(64));
        for max in 60..70 {
            let cut = cut_text(&"ä€😀".repeat(10_000), max);
            assert!(cut.len() <= max && cut.len() > max - 4, "{cut}");
            assert!(cut.ends_with("… (cut: 90000 bytes)"), "{cut}");
        }
        let cut = cut_text(&"x".repeat(100), 64);
        assert_eq!(cut_text(&cut, 64), cut, "what was cut is not cut again");
    }

    #[test]
    fn the_original_is_known_by_its_length_and_its_hash() {
        let original = Original::of(b"abc");
        assert_eq!(original.bytes, 3);
        assert_eq!(
            original.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
