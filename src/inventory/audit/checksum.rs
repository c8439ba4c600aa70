//! A checksum of 64 bits over the columns of an order. It is stored, so that it must never change; it tells rows apart
//! that were changed by mistake or by hand, and does not protect against an attacker, who can compute it again.

/// An odd multiplier: 2⁶⁴ divided by the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// A checksum under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checksum(u64);

impl Checksum {
    pub(crate) const fn new() -> Self {
        Self(MULTIPLIER)
    }

    /// Adds a number.
    pub(crate) const fn number(self, value: u64) -> Self {
        Self(mix(self.0 ^ value).wrapping_mul(MULTIPLIER))
    }

    /// Adds a number that may be missing.
    pub(crate) const fn maybe_number(self, value: Option<i64>) -> Self {
        match value {
            Some(value) => self.number(1).number(value.cast_unsigned()),
            None => self.number(0),
        }
    }

    /// Adds bytes, with their length.
    pub(crate) fn bytes(self, value: &[u8]) -> Self {
        let (words, rest) = value.as_chunks::<8>();
        let mut sum = self.number(value.len() as u64);
        for word in words {
            sum = sum.number(u64::from_le_bytes(*word));
        }
        if rest.is_empty() {
            return sum;
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        sum.number(u64::from_le_bytes(last))
    }

    /// Adds bytes that may be missing.
    pub(crate) fn maybe_bytes(self, value: Option<&[u8]>) -> Self {
        match value {
            Some(value) => self.number(1).bytes(value),
            None => self.number(0),
        }
    }

    pub(crate) const fn value(self) -> u64 {
        mix(self.0)
    }
}

/// The finalizer of `SplitMix64` (Steele, Lea and Flood, 2014): every bit of the input changes half of the output's.
const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn of(value: &[u8]) -> u64 {
        Checksum::new().bytes(value).value()
    }

    /// Stored checksums stay valid: these values must not change.
    #[test]
    fn the_checksum_is_the_one_that_is_stored() {
        assert_eq!(Checksum::new().value(), mix(MULTIPLIER));
        let sum = Checksum::new()
            .bytes(b"SKU-00001")
            .maybe_bytes(None)
            .maybe_number(Some(-1))
            .value();
        assert_eq!(sum, 0x76a3_461f_1d5f_4f8f);
    }

    #[test]
    fn every_byte_counts_and_so_does_where_a_column_ends() {
        let text = b"[\"hash\",1,2,3,[[\"SKU-00001\",2,1999,10,4]]]";
        let mut sums = HashSet::from([of(text), of(&text[..40]), of(b""), of(b"\0")]);
        for position in 0..text.len() {
            let mut changed = *text;
            changed[position] ^= 1;
            sums.insert(of(&changed));
        }
        assert_eq!(sums.len(), 4 + text.len());
        let split = |one: &[u8], other: &[u8]| Checksum::new().bytes(one).bytes(other).value();
        assert_ne!(split(b"ab", b"c"), split(b"a", b"bc"));
        let none = Checksum::new().maybe_bytes(None).value();
        assert_ne!(none, Checksum::new().maybe_bytes(Some(b"")).value());
    }
}
