//! Histograms as text: HdrHistogram V2 in base64, compressed or not, as the standard tools write it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2Serializer};

use super::Distribution;

/// Text that is no histogram.
#[derive(Debug, thiserror::Error)]
#[error("a histogram cannot be read: {0}")]
pub struct Unreadable(String);

/// An empty histogram of microseconds that takes any other.
pub fn empty() -> Histogram<u64> {
    // A constant that the library accepts.
    Histogram::new(3).expect("three significant digits")
}

/// Reads a histogram; empty text is an empty one.
///
/// # Errors
/// When the text is none.
pub fn decode(text: &str) -> Result<Histogram<u64>, Unreadable> {
    let mut sum = empty();
    add(&mut sum, text)?;
    Ok(sum)
}

/// Adds the counts of a histogram to another.
///
/// # Errors
/// When the text is none.
pub fn add(sum: &mut Histogram<u64>, text: &str) -> Result<(), Unreadable> {
    if text.is_empty() {
        return Ok(());
    }
    let unreadable = |error: &dyn std::fmt::Display| Unreadable(error.to_string());
    let bytes = BASE64.decode(text).map_err(|error| unreadable(&error))?;
    let part: Histogram<u64> = Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|error| unreadable(&error))?;
    sum.add(&part).map_err(|error| unreadable(&error))
}

/// Writes a histogram; an empty one is empty text.
///
/// # Panics
/// Never: memory takes whatever is written to it.
pub fn encode(histogram: &Histogram<u64>) -> String {
    if histogram.is_empty() {
        return String::new();
    }
    let mut bytes = Vec::new();
    V2Serializer::new()
        .serialize(histogram, &mut bytes)
        .expect("memory takes whatever is written to it");
    BASE64.encode(bytes)
}

/// Adds the counts of several histograms, as text.
///
/// # Errors
/// When one is none.
pub fn sum<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<String, Unreadable> {
    let mut sum = empty();
    for part in parts {
        add(&mut sum, part)?;
    }
    Ok(encode(&sum))
}

impl Distribution {
    /// The sum of two.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn plus(&self, other: &Self) -> Result<Self, Unreadable> {
        Ok(Self {
            service: sum([self.service.as_str(), &other.service])?,
            intended: sum([self.intended.as_str(), &other.intended])?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_added_and_read_back() {
        let mut one = empty();
        one.record_n(1_000, 99).unwrap();
        let mut other = empty();
        other.record(2_000_000).unwrap();
        let both = decode(&sum([encode(&one).as_str(), "", &encode(&other)]).unwrap()).unwrap();
        assert_eq!(both.len(), 100);
        assert_eq!(both.value_at_quantile(0.99), 1_000);
        assert!(both.max() >= 2_000_000);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["!", "AAAA", "HISTFAAA"] {
            assert!(decode(text).is_err(), "{text}");
        }
        assert!(decode("").unwrap().is_empty());
    }
}
