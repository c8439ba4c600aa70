//! The gaps between arrivals at a rate of one: regular, or as chance has it.

use std::fmt;
use std::str::FromStr;

use crate::rng::Rng;

/// How regular arrivals are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Gaps {
    /// Each buyer comes by chance, whatever the others do: gaps are exponential.
    #[default]
    Poisson,
    /// All gaps are equal.
    Constant,
}

impl Gaps {
    /// The next gap, in units of the mean gap.
    pub fn draw(self, rng: &mut Rng) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Poisson => exponential(rng),
        }
    }
}

impl fmt::Display for Gaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Poisson => "poisson",
            Self::Constant => "constant",
        })
    }
}

impl FromStr for Gaps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "poisson" => Ok(Self::Poisson),
            "constant" => Ok(Self::Constant),
            _ => Err("arrivals are poisson or constant".to_owned()),
        }
    }
}

/// Exponential with mean 1, by comparisons alone (von Neumann 1951): logarithms differ from machine to machine in
/// their last bit, and a seed is to be the same storm everywhere.
fn exponential(rng: &mut Rng) -> f64 {
    let mut whole = 0.0;
    loop {
        let first = rng.unit();
        let mut last = first;
        let mut descends = 1_u32;
        loop {
            let next = rng.unit();
            if next > last {
                break;
            }
            last = next;
            descends += 1;
        }
        if descends % 2 == 1 {
            return whole + first;
        }
        whole += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_gaps_have_the_mean_and_the_tail_that_they_should() {
        let mut rng = Rng::from_seed(5);
        let draws = 100_000;
        let mut sum = 0.0;
        let mut beyond = [0_u32; 3];
        for _ in 0..draws {
            let gap = exponential(&mut rng);
            sum += gap;
            for (count, least) in beyond.iter_mut().zip([0.5, 1.0, 3.0]) {
                *count += u32::from(gap > least);
            }
        }
        assert!((sum / f64::from(draws) - 1.0).abs() < 0.02, "{sum}");
        for (count, share) in beyond.into_iter().zip([0.606_5, 0.367_9, 0.049_8]) {
            let drawn = f64::from(count) / f64::from(draws);
            assert!((drawn - share).abs() < 0.01, "{drawn} against {share}");
        }
    }

    #[test]
    fn gaps_are_named_as_they_are_shown() {
        for gaps in [Gaps::Poisson, Gaps::Constant] {
            assert_eq!(gaps.to_string().parse(), Ok(gaps));
        }
        assert!("uniform".parse::<Gaps>().is_err());
    }
}
