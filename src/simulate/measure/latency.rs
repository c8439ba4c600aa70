//! Latencies of the steps of a purchase, as distributions that can be added and kept.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// From sending a cart to the answer.
    AddToCart,
    /// From sending `placeOrder` to a final answer, repeats included.
    PlaceOrder,
    /// From arrival (or return) to a final answer about an accepted order.
    EndToEnd,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AddToCart, Self::PlaceOrder, Self::EndToEnd];

    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddToCart => "add_to_cart",
            Self::PlaceOrder => "place_order",
            Self::EndToEnd => "end_to_end",
        }
    }

    /// Its place in [`Step::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Latencies of the three steps, in microseconds, to three significant digits.
#[derive(Debug, Clone)]
pub struct Latencies {
    /// [`Step::AddToCart`].
    pub add_to_cart: Histogram<u32>,
    /// [`Step::PlaceOrder`].
    pub place_order: Histogram<u32>,
    /// [`Step::EndToEnd`].
    pub end_to_end: Histogram<u32>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            add_to_cart: empty(),
            place_order: empty(),
            end_to_end: empty(),
        }
    }
}

impl Latencies {
    /// The distribution of a step.
    pub fn of(&self, step: Step) -> &Histogram<u32> {
        match step {
            Step::AddToCart => &self.add_to_cart,
            Step::PlaceOrder => &self.place_order,
            Step::EndToEnd => &self.end_to_end,
        }
    }

    /// Records how long a step took.
    pub fn record(&mut self, step: Step, took: Duration) {
        let histogram = match step {
            Step::AddToCart => &mut self.add_to_cart,
            Step::PlaceOrder => &mut self.place_order,
            Step::EndToEnd => &mut self.end_to_end,
        };
        record(histogram, took);
    }

    /// Adds others to these.
    pub fn add(&mut self, other: &Self) {
        add(&mut self.add_to_cart, &other.add_to_cart);
        add(&mut self.place_order, &other.place_order);
        add(&mut self.end_to_end, &other.end_to_end);
    }
}

/// A distribution with nothing in it. It grows as it needs to.
pub(super) fn empty() -> Histogram<u32> {
    // The argument is a constant that the library accepts.
    Histogram::new(3).expect("three significant digits")
}

/// A time in whole microseconds, at least one.
pub(super) fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// Records a time.
pub(super) fn record(histogram: &mut Histogram<u32>, took: Duration) {
    record_us(histogram, micros(took));
}

/// The distribution of times in microseconds.
pub(in crate::simulate) fn of(times_us: &[u64]) -> Histogram<u32> {
    let mut histogram = empty();
    for us in times_us {
        record_us(&mut histogram, *us);
    }
    histogram
}

fn record_us(histogram: &mut Histogram<u32>, us: u64) {
    // It grows as needed; what is beyond all bounds is recorded as the largest there is.
    if histogram.record(us).is_err() {
        histogram.saturating_record(us);
    }
}

/// Adds one distribution to another.
pub(super) fn add(sum: &mut Histogram<u32>, part: &Histogram<u32>) {
    sum.add(part)
        .expect("a histogram that grows takes any other");
}

/// A distribution as bytes: HdrHistogram's V2 encoding, about a byte for each value that occurs. Empty if nothing was
/// recorded.
pub(super) fn pack(histogram: &Histogram<u32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if !histogram.is_empty() {
        V2Serializer::new()
            .serialize(histogram, &mut bytes)
            .expect("a vector takes all bytes, and counts of 32 bits can be encoded");
    }
    bytes
}

/// What [`pack`] packed.
pub(super) fn unpack(bytes: &[u8]) -> Histogram<u32> {
    if bytes.is_empty() {
        return empty();
    }
    let mut histogram: Histogram<u32> = Deserializer::new()
        .deserialize(&mut &bytes[..])
        .expect("what was packed here");
    histogram.auto(true);
    histogram
}

/// A distribution as text: HdrHistogram's V2 encoding in base64, as the standard tools read it; empty if nothing was
/// recorded.
pub fn encode(histogram: &Histogram<u32>) -> String {
    STANDARD.encode(pack(histogram))
}

/// What [`encode`] wrote; `None` if it is something else.
pub fn decode(text: &str) -> Option<Histogram<u32>> {
    if text.is_empty() {
        return Some(empty());
    }
    let bytes = STANDARD.decode(text).ok()?;
    let mut histogram: Histogram<u32> = Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .ok()?;
    histogram.auto(true);
    Some(histogram)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_grows_on() {
        let squares: Vec<u64> = (1..=1_000).map(|n| n * n).collect();
        let histogram = of(&squares);
        let text = encode(&histogram);
        assert!(text.starts_with("HISTEw"), "{text}");
        let mut decoded = decode(&text).unwrap();
        assert_eq!(decoded, histogram);
        record(&mut decoded, Duration::from_secs(3_600));
        assert!(decoded.max() >= 3_599_000_000, "{}", decoded.max());
        assert!(decode("HISTEwAA").is_none() && decode("nothing").is_none());
    }

    #[test]
    fn nothing_recorded_takes_no_room() {
        assert_eq!(encode(&empty()), "");
        assert_eq!(decode("").unwrap().len(), 0);
        assert_eq!(unpack(&pack(&of(&[7]))).max(), 7);
    }

    #[test]
    fn what_took_no_time_took_a_microsecond_and_what_took_for_ever_is_the_largest() {
        let mut histogram = empty();
        record(&mut histogram, Duration::ZERO);
        record(&mut histogram, Duration::MAX);
        assert_eq!((histogram.min(), histogram.len()), (1, 2));
    }
}
