//! What a buyer is like, drawn from the seed.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::{Share, ShareOf};
use crate::rng::Rng;
use crate::simulate::{DurationSpan, Span};

/// Which shares of buyers do what. Each buyer draws on its own, in a stream of its own: carts are what they are without.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Behaviour {
    /// They leave once their cart is accepted, and never place the order.
    pub abandon: Share,
    /// They click twice: two carts at once with one key, then two `placeOrder` at once.
    pub click_twice: Share,
    /// They send a request again, with the same key, when it takes longer than this.
    pub retry: Option<ShareOf<DurationSpan>>,
    /// They leave when `placeOrder` takes longer than this, and never learn what became of it.
    pub give_up: Option<ShareOf<DurationSpan>>,
    /// They come again, once, so much later, when they left without the goods.
    pub return_later: Option<ShareOf<DurationSpan>>,
    /// Their carts have so many lines.
    pub bulk: Option<ShareOf<Span>>,
    /// They are bots: so many carts of one unit of the most wanted item, one right after the other.
    pub bots: Option<ShareOf<Span>>,
}

/// What one buyer is like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traits {
    /// Leaves once the cart is accepted.
    pub abandons: bool,
    /// Sends everything twice.
    pub clicks_twice: bool,
    /// Sends a request again after so long.
    pub retries_after: Option<Duration>,
    /// Leaves when `placeOrder` takes so long.
    pub gives_up_after: Option<Duration>,
    /// Comes again so much later.
    pub returns_after: Option<Duration>,
    /// How many lines the cart has.
    pub lines: Option<u32>,
    /// How many carts it sends as a bot.
    pub bot: Option<u32>,
}

impl Behaviour {
    /// Whether all buyers are well-behaved.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// What a buyer is like. Each share takes as many draws whatever the others are, so that changing one changes
    /// nobody else.
    pub fn draw(&self, rng: &mut Rng) -> Traits {
        let mut one = |share: Share| share.takes(rng.unit());
        let abandons = one(self.abandon);
        let clicks_twice = one(self.click_twice);
        let retries_after = time(self.retry, rng);
        let gives_up_after = time(self.give_up, rng);
        let returns_after = time(self.return_later, rng);
        let lines = number(self.bulk, rng);
        let bot = number(self.bots, rng);
        Traits {
            abandons,
            clicks_twice,
            retries_after,
            gives_up_after,
            returns_after,
            // A bot wants one thing.
            lines: lines.filter(|_| bot.is_none()),
            bot,
        }
    }

    /// The longest that anybody takes to come again.
    pub fn return_max(&self) -> Duration {
        self.return_later
            .map_or(Duration::ZERO, |later| later.how.high())
    }

    /// In words that a digest can rest on; empty where all buyers are well-behaved.
    pub fn words(&self) -> String {
        let mut words = String::new();
        let mut say = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                // Writing to a string cannot fail.
                let _ = write!(words, "{name}={value};");
            }
        };
        let some = |share: Share| (!share.is_none()).then(|| share.number().to_string());
        say("abandon", some(self.abandon));
        say("click-twice", some(self.click_twice));
        say("retry", self.retry.as_ref().map(plain));
        say("give-up", self.give_up.as_ref().map(plain));
        say("return-later", self.return_later.as_ref().map(plain));
        say("bulk", self.bulk.as_ref().map(plain));
        say("bots", self.bots.as_ref().map(plain));
        words
    }
}

/// With the share as a number, whichever way people read it.
fn plain<T: fmt::Display>(of: &ShareOf<T>) -> String {
    format!("{}:{}", of.share.number(), of.how)
}

fn time(of: Option<ShareOf<DurationSpan>>, rng: &mut Rng) -> Option<Duration> {
    let (unit, mut own) = (rng.unit(), Rng::from_seed(rng.bits()));
    of.filter(|of| of.share.takes(unit))
        .map(|of| of.how.draw(&mut own))
}

fn number(of: Option<ShareOf<Span>>, rng: &mut Rng) -> Option<u32> {
    let (unit, mut own) = (rng.unit(), Rng::from_seed(rng.bits()));
    of.filter(|of| of.share.takes(unit))
        .map(|of| of.how.draw(&mut own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Behaviour {
        Behaviour {
            abandon: "10%".parse().unwrap(),
            click_twice: "20%".parse().unwrap(),
            retry: Some("30%:1s".parse().unwrap()),
            give_up: Some("40%:1s..2s".parse().unwrap()),
            return_later: Some("50%:5s".parse().unwrap()),
            bulk: Some("60%:10..20".parse().unwrap()),
            bots: Some("20%:5".parse().unwrap()),
        }
    }

    fn crowd(behaviour: &Behaviour) -> Vec<Traits> {
        (0..4_000)
            .map(|number| behaviour.draw(&mut Rng::stream(7, number)))
            .collect()
    }

    #[test]
    fn shares_of_buyers_are_what_they_were_asked_to_be() {
        let crowd = crowd(&all());
        let share = |of: &dyn Fn(&Traits) -> bool| {
            let count = crowd.iter().filter(|traits| of(traits)).count();
            count * 100 / crowd.len()
        };
        let close = |share: usize, to: usize| assert!(share.abs_diff(to) <= 2, "{share} to {to}");
        close(share(&|traits| traits.abandons), 10);
        close(share(&|traits| traits.clicks_twice), 20);
        close(share(&|traits| traits.retries_after.is_some()), 30);
        close(share(&|traits| traits.gives_up_after.is_some()), 40);
        close(share(&|traits| traits.returns_after.is_some()), 50);
        close(share(&|traits| traits.bot.is_some()), 20);
        // 60 % of those who are no bots.
        close(share(&|traits| traits.lines.is_some()), 48);
    }

    #[test]
    fn one_share_changes_nobody_else() {
        let with = crowd(&all());
        let without = crowd(&Behaviour {
            retry: None,
            ..all()
        });
        for (with, without) in with.into_iter().zip(without) {
            let same = Traits {
                retries_after: None,
                ..with
            };
            assert_eq!(same, without);
        }
    }

    #[test]
    fn only_what_is_asked_for_is_said() {
        assert_eq!(Behaviour::default().words(), "");
        assert!(Behaviour::default().is_plain());
        let one = Behaviour {
            abandon: "10%".parse().unwrap(),
            ..Behaviour::default()
        };
        assert_eq!(one.words(), "abandon=0.1;");
        assert!(all().words().contains("give-up=0.4:1s..2s;"));
    }
}
