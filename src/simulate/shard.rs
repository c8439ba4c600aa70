//! A part of the buyers, so that several machines can storm one service: `1/4` is every fourth buyer, from the first.

use std::fmt;
use std::str::FromStr;

/// Part `index` (from 1) of `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: u64,
}

/// A text that is no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no shard; write one such as 1/4, 2/4, 3/4 or 4/4")]
pub struct ShardError(String);

impl Shard {
    /// All buyers.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// The most parts there can be.
    pub const COUNT_MAX: u64 = 1_000;

    /// Whether it is all of them.
    pub const fn is_whole(self) -> bool {
        self.count == 1
    }

    /// Which part it is, from 1.
    pub const fn index(self) -> u64 {
        self.index
    }

    /// How many parts there are.
    pub const fn count(self) -> u64 {
        self.count
    }

    /// How many of `users` buyers are in it.
    pub const fn users(self, users: u64) -> u64 {
        (users + self.count - self.index) / self.count
    }

    /// Whether buyer `number`, from 0, is in it.
    pub const fn has(self, number: u64) -> bool {
        number % self.count == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (index, count) = text.split_once('/')?;
            let digits = |text: &str| {
                let plain = text.bytes().all(|byte| byte.is_ascii_digit());
                plain.then(|| text.parse::<u64>().ok()).flatten()
            };
            let (index, count) = (digits(index)?, digits(count)?);
            (1..=count).contains(&index).then_some(())?;
            (count <= Self::COUNT_MAX).then_some(Self { index, count })
        };
        read().ok_or_else(|| ShardError(text.chars().take(32).collect()))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_buyer_is_in_exactly_one_shard() {
        for count in 1..=7 {
            for users in 0..20 {
                let shards: Vec<Shard> = (1..=count).map(|index| Shard { index, count }).collect();
                for number in 0..users {
                    let having = shards.iter().filter(|shard| shard.has(number));
                    assert_eq!(having.count(), 1, "{number} in {count}");
                }
                for shard in shards {
                    let counted = (0..users).filter(|number| shard.has(*number)).count();
                    assert_eq!(shard.users(users), counted as u64, "{shard} of {users}");
                }
            }
        }
    }

    #[test]
    fn a_shard_reads_back_and_nonsense_does_not() {
        for text in ["1/1", "1/4", "4/4"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "1",
            "0/4",
            "5/4",
            "1/0",
            "+1/4",
            "1/4/2",
            "1/9999999",
            "a/b",
        ] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
