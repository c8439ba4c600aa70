//! Which items are popular: the item of rank `r` is drawn with weight `1 / r^s` (Zipf's law).

use crate::rng::Rng;

/// How often a duplicate is drawn again before the next free rank is taken instead.
const REDRAWS_MAX: u32 = 16;

/// The popularity of ranks, as cumulative weights.
#[derive(Debug, Clone)]
pub struct Popularity {
    cumulative: Vec<f64>,
}

impl Popularity {
    /// Zipf's law over `items` ranks; `exponent` 0 makes all items equally popular.
    #[expect(clippy::cast_precision_loss, reason = "ranks are far below 2⁵³")]
    pub fn zipf(items: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let cumulative = (1..=items)
            .map(|rank| {
                let rank = rank as f64;
                // Division is exact to the last bit on every machine; powers need not be.
                sum += if exponent.to_bits() == 1.0_f64.to_bits() {
                    1.0 / rank
                } else {
                    rank.powf(-exponent)
                };
                sum
            })
            .collect();
        Self { cumulative }
    }

    /// How many ranks there are.
    pub fn len(&self) -> usize {
        self.cumulative.len()
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.cumulative.is_empty()
    }

    /// A rank, from 0.
    ///
    /// # Panics
    /// When there is nothing to draw.
    pub fn draw(&self, rng: &mut Rng) -> usize {
        let last = self.cumulative.len() - 1;
        let point = rng.unit() * self.cumulative[last];
        self.cumulative
            .partition_point(|&sum| sum <= point)
            .min(last)
    }

    /// A rank that is not among those taken; `None` when all are.
    pub fn draw_other(&self, rng: &mut Rng, taken: &[usize]) -> Option<usize> {
        if taken.len() >= self.len() {
            return None;
        }
        let mut rank = self.draw(rng);
        for _ in 0..REDRAWS_MAX {
            if !taken.contains(&rank) {
                return Some(rank);
            }
            rank = self.draw(rng);
        }
        // A very steep law draws the same few again and again.
        (0..self.len())
            .map(|step| (rank + step) % self.len())
            .find(|rank| !taken.contains(rank))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_zipfs_law() {
        let popularity = Popularity::zipf(1_000, 1.0);
        let mut rng = Rng::from_seed(7);
        let draws = 200_000;
        let mut seen = vec![0_u32; 1_000];
        for _ in 0..draws {
            seen[popularity.draw(&mut rng)] += 1;
        }
        // The harmonic number of 1,000 is 7.4855.
        for rank in [1_u32, 2, 10] {
            let expected = f64::from(draws) / (f64::from(rank) * 7.4855);
            let drawn = f64::from(seen[rank as usize - 1]);
            assert!(
                (drawn / expected - 1.0).abs() < 0.05,
                "rank {rank}: {drawn} against {expected}"
            );
        }
    }

    #[test]
    fn exponent_0_makes_all_items_equally_popular() {
        let popularity = Popularity::zipf(4, 0.0);
        let mut rng = Rng::from_seed(3);
        let mut seen = [0_u32; 4];
        for _ in 0..40_000 {
            seen[popularity.draw(&mut rng)] += 1;
        }
        assert!(
            seen.iter().all(|count| (9_500..10_500).contains(count)),
            "{seen:?}"
        );
    }

    #[test]
    fn distinct_ranks_are_found_however_steep_the_law() {
        let popularity = Popularity::zipf(5, 20.0);
        let mut rng = Rng::from_seed(1);
        let mut taken = Vec::new();
        while let Some(rank) = popularity.draw_other(&mut rng, &taken) {
            assert!(!taken.contains(&rank));
            taken.push(rank);
        }
        assert_eq!(taken.len(), 5);
    }
}
