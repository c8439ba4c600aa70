//! From values to places, and where the ticks of an axis are.

use super::text::double;
use crate::report::verdict::milliseconds;

/// Values from 0 to `most`, evenly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Linear {
    most: f64,
    from: f64,
    to: f64,
}

impl Linear {
    /// From 0 at place `from` to `most` at place `to`.
    pub(super) fn new(most: f64, from: f64, to: f64) -> Self {
        Self {
            most: if most > 0.0 { most } else { 1.0 },
            from,
            to,
        }
    }

    /// As [`Linear::new`], up to the tick at or above `most`.
    pub(super) fn rounded(most: f64, count: u32, from: f64, to: f64) -> Self {
        let plain = Self::new(most, from, to);
        let step = plain.step(count);
        Self::new((plain.most / step).ceil() * step, from, to)
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        self.from + (self.to - self.from) * (value / self.most).clamp(0.0, 1.0)
    }

    /// About so many round values.
    pub(super) fn ticks(&self, count: u32) -> Vec<f64> {
        let step = self.step(count);
        (0..=2 * count)
            .map(|number| f64::from(number) * step)
            .take_while(|value| *value <= self.most * 1.000_001)
            .collect()
    }

    /// 1, 2 or 5 times a power of ten.
    fn step(&self, count: u32) -> f64 {
        let rough = self.most / f64::from(count);
        let power = 10_f64.powf(rough.log10().floor());
        let factor = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .find(|factor| factor * power >= rough * 0.999_999);
        factor.unwrap_or(10.0) * power
    }
}

/// Latencies, in microseconds, by their magnitude.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Log {
    /// From `low_us` at place `from` to `high_us` at place `to`; at least one power of ten.
    pub(super) fn new(low_us: u64, high_us: u64, from: f64, to: f64) -> Self {
        let low = double(low_us.max(1));
        Self {
            low: low.log10(),
            high: double(high_us).max(low * 10.0).log10(),
            from,
            to,
        }
    }

    /// Other numbers, between whole powers of ten that hold `low` and `high`.
    pub(super) fn of_powers(low: f64, high: f64, from: f64, to: f64) -> Self {
        let low = low.clamp(1.0, high.max(1.0)).log10().floor();
        Self {
            low,
            high: high.max(1.0).log10().ceil().max(low + 1.0),
            from,
            to,
        }
    }

    /// Where it is between both ends, from 0 to 1.
    pub(super) fn share(&self, us: f64) -> f64 {
        ((us.max(1.0).log10() - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    pub(super) fn place(&self, us: f64) -> f64 {
        self.from + (self.to - self.from) * self.share(us)
    }

    /// Powers of ten, with their names.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        (0..=9)
            .map(|power| 10_f64.powi(power))
            .filter(|us| (self.low - 1e-9..=self.high + 1e-9).contains(&us.log10()))
            .map(|us| (us, named(us)))
            .collect()
    }
}

fn named(us: f64) -> String {
    if us < 1_000.0 {
        format!("{us:.0} µs")
    } else if us < 10_000.0 {
        "1 ms".to_owned()
    } else if (1_000_000.0..10_000_000.0).contains(&us) {
        "1 s".to_owned()
    } else {
        milliseconds(us / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            Linear::new(10.0, 0.0, 1.0).ticks(5),
            [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        );
        assert_eq!(Linear::new(437.0, 0.0, 1.0).ticks(4), [0.0, 200.0, 400.0]);
        assert_eq!(
            Linear::rounded(437.0, 4, 0.0, 1.0).ticks(4),
            [0.0, 200.0, 400.0, 600.0]
        );
        assert_eq!(Linear::new(0.0, 0.0, 1.0).ticks(1), [0.0, 1.0]);
    }

    #[test]
    fn magnitudes_are_evenly_apart() {
        let log = Log::new(100, 10_000_000, 0.0, 5.0);
        let names: Vec<String> = log.ticks().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]);
        assert!((log.place(1_000.0) - 1.0).abs() < 1e-9);
        assert!(
            (log.place(1.0) - 0.0).abs() < 1e-9,
            "nothing is beside the axis"
        );
    }
}
