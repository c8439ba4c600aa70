//! Who comes when, and with which cart: drawn from a seed, or read from a trace. Carts are made when a buyer arrives
//! and made again when the audit asks for them, so that a million buyers need no memory.

mod drawn;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

pub use drawn::Drawn;

use super::{Arrivals, Behaviour, Due, Gaps, Restock, Schedule, Shard, Traits};
use crate::catalogue::Invoice;
use crate::domain::{Cart, Sku};
use crate::rng::Rng;

/// The most buyers of one run: their numbers fit 32 bits.
pub const USERS_MAX: u64 = 50_000_000;

/// Streams of the plan's seed beside those of the buyers, whose labels are their numbers.
mod stream {
    /// The gaps between arrivals.
    pub(super) const GAPS: u64 = u64::MAX;
    /// What a buyer is like.
    pub(super) const TRAITS: u64 = 1 << 40;
    /// How long a user thinks after a visit.
    pub(super) const THINK: u64 = 2 << 40;
    /// What a buyer draws who comes again later.
    pub(super) const LATER: u64 = 3 << 40;
}

/// The buyers of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    seed: u64,
    come_back: u32,
    buyers: Buyers,
    arrivals: Arrivals,
    behaviour: Behaviour,
    restocks: Vec<Restock>,
    warm_up: Duration,
    shard: Shard,
}

/// Where the buyers come from.
#[derive(Debug, Clone)]
enum Buyers {
    Drawn(Drawn),
    Invoices {
        invoices: Arc<[Invoice]>,
        speed: f64,
    },
}

/// A buyer who arrives.
#[derive(Debug)]
pub struct Visit {
    /// What they want.
    pub cart: Cart,
    /// What they are like.
    pub traits: Traits,
    /// What else they draw: how long they wait before they come back.
    pub rng: Rng,
}

impl Plan {
    /// Buyers drawn from a seed. A buyer refused with `held` returns at most `come_back` times.
    ///
    /// # Panics
    /// When there are no items, or not one rank of popularity for each.
    pub fn drawn(seed: u64, come_back: u32, drawn: Drawn) -> Self {
        assert_eq!(
            drawn.popularity.len(),
            drawn.items.len(),
            "each item has a rank"
        );
        assert!(!drawn.items.is_empty(), "there is something to buy");
        Self::of(seed, come_back, Buyers::Drawn(drawn))
    }

    /// One buyer per invoice, at its time of day, `speed` times as fast.
    pub fn invoices(seed: u64, come_back: u32, invoices: Arc<[Invoice]>, speed: f64) -> Self {
        Self::of(seed, come_back, Buyers::Invoices { invoices, speed })
    }

    fn of(seed: u64, come_back: u32, buyers: Buyers) -> Self {
        Self {
            seed,
            come_back,
            buyers,
            arrivals: Arrivals::Once,
            behaviour: Behaviour::default(),
            restocks: Vec::new(),
            warm_up: Duration::ZERO,
            shard: Shard::WHOLE,
        }
    }

    /// With other arrivals than once each. Buyers of a trace come when it says.
    ///
    /// # Panics
    /// When the schedule goes on for ever and the number of buyers does not end it.
    #[must_use]
    pub fn arriving(mut self, arrivals: Arrivals) -> Self {
        if let (Buyers::Drawn(drawn), Arrivals::Open { schedule, gaps }) =
            (&mut self.buyers, &arrivals)
        {
            let most = drawn.users.min(USERS_MAX);
            let due = due(self.seed, schedule, *gaps).take(usize::try_from(most).unwrap_or(0));
            drawn.users = due.count() as u64;
        }
        self.arrivals = arrivals;
        self
    }

    /// With buyers who differ.
    #[must_use]
    pub fn behaving(mut self, behaviour: Behaviour) -> Self {
        self.behaviour = behaviour;
        self
    }

    /// With corrections of stock under way.
    #[must_use]
    pub fn restocking(mut self, restocks: Vec<Restock>) -> Self {
        self.restocks = restocks;
        self
    }

    /// With a first part of the run that is in no figure.
    #[must_use]
    pub fn warming_up(mut self, time: Duration) -> Self {
        self.warm_up = time;
        self
    }

    /// The same plan, of which only a shard comes: its buyers keep their numbers, carts and times, and the first shard
    /// makes the corrections of stock.
    #[must_use]
    pub fn shard(mut self, shard: Shard) -> Self {
        self.shard = shard;
        self
    }

    /// How many buyers come: those of the shard.
    pub fn users_coming(&self) -> u64 {
        self.shard.users(self.users())
    }

    /// How many buyers there are in all shards; of those who come again each counts once.
    pub fn users(&self) -> u64 {
        match &self.buyers {
            Buyers::Drawn(drawn) => drawn.users,
            Buyers::Invoices { invoices, .. } => invoices.len() as u64,
        }
    }

    /// How often a buyer refused with `held` returns.
    pub fn come_back(&self) -> u32 {
        self.come_back
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How buyers follow each other.
    pub fn pacing(&self) -> &Arrivals {
        &self.arrivals
    }

    /// `closed`, `open`, or `trace`.
    pub fn model(&self) -> &'static str {
        match &self.buyers {
            Buyers::Drawn(_) => self.arrivals.model(),
            Buyers::Invoices { .. } => "trace",
        }
    }

    /// Which buyers do what.
    pub fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// Corrections of stock under way, by this shard.
    pub fn restocks(&self) -> &[Restock] {
        if self.shard.index() == 1 {
            &self.restocks
        } else {
            &[]
        }
    }

    /// The first part of the run, which is in no figure.
    pub fn warm_up(&self) -> Duration {
        self.warm_up
    }

    /// When each buyer comes for the first time, from the beginning of the run, in the order of their numbers.
    pub fn arrivals(&self) -> Box<dyn Iterator<Item = Duration> + Send + '_> {
        match (&self.buyers, &self.arrivals) {
            (Buyers::Invoices { invoices, speed }, _) => {
                Box::new(invoices.iter().map(|invoice| invoice.at.div_f64(*speed)))
            }
            (Buyers::Drawn(drawn), Arrivals::Open { schedule, gaps }) => {
                let users = usize::try_from(drawn.users).unwrap_or(usize::MAX);
                Box::new(due(self.seed, schedule, *gaps).take(users))
            }
            (Buyers::Drawn(drawn), _) => {
                Box::new((0..drawn.users).map(|number| drawn.arrival(number)))
            }
        }
    }

    /// The buyers of the shard who come for the first time, and when.
    pub fn due(&self) -> Box<dyn Iterator<Item = (u32, Duration)> + Send + '_> {
        let shard = self.shard;
        let coming = (0_u32..).zip(self.arrivals());
        Box::new(coming.filter(move |(number, _)| shard.has((*number).into())))
    }

    /// How long a user thinks after visit `number`; none if nobody comes again.
    pub fn think(&self, number: u64) -> Option<Duration> {
        match &self.arrivals {
            Arrivals::Again { think, .. } => {
                Some(think.draw(&mut Rng::stream(self.seed, stream::THINK | number)))
            }
            _ => None,
        }
    }

    /// Which of the [`Plan::users`] visit `number` is by.
    pub fn user(&self, number: u64) -> u64 {
        number % self.users().max(1)
    }

    /// The items that most carts want, the most wanted first, at most `most` of them.
    pub fn most_wanted(&self, most: usize) -> Vec<Sku> {
        match &self.buyers {
            Buyers::Drawn(drawn) => drawn.items.iter().take(most).cloned().collect(),
            Buyers::Invoices { invoices, .. } => {
                let mut wanted: HashMap<&Sku, u64> = HashMap::new();
                for line in invoices.iter().flat_map(|invoice| invoice.cart.lines()) {
                    *wanted.entry(&line.sku).or_default() += 1;
                }
                let mut wanted: Vec<(&Sku, u64)> = wanted.into_iter().collect();
                wanted.sort_unstable_by_key(|(sku, carts)| (Reverse(*carts), *sku));
                wanted.truncate(most);
                wanted.into_iter().map(|(sku, _)| sku.clone()).collect()
            }
        }
    }

    /// Visit `number`, from 0: the same however often it is asked for. Visits beyond the number of users are by users
    /// who come again: the second visits of all, then the third, and so on.
    ///
    /// # Panics
    /// When nobody comes again and there is no such buyer.
    pub fn visit(&self, number: u64) -> Visit {
        let mut rng = Rng::stream(self.seed, number);
        let traits = self.traits(number);
        let cart = match &self.buyers {
            Buyers::Drawn(drawn) => {
                let again = matches!(self.arrivals, Arrivals::Again { .. });
                assert!(again || number < drawn.users, "there is no buyer {number}");
                drawn.cart(self.user(number), traits, &mut rng)
            }
            Buyers::Invoices { invoices, .. } => {
                let index = usize::try_from(number).unwrap_or(usize::MAX);
                invoices[index].cart.clone()
            }
        };
        Visit { cart, traits, rng }
    }

    /// The same buyer who comes again later, with the same cart; once.
    pub fn later_visit(&self, number: u64) -> Visit {
        let visit = self.visit(number);
        Visit {
            rng: Rng::stream(self.seed, stream::LATER | number),
            traits: Traits {
                returns_after: None,
                ..visit.traits
            },
            ..visit
        }
    }

    fn traits(&self, number: u64) -> Traits {
        if self.behaviour.is_plain() {
            return Traits::default();
        }
        self.behaviour.draw(&mut Rng::stream(
            self.seed,
            stream::TRAITS | self.user(number),
        ))
    }

    /// The cart of buyer `number`, from 0.
    pub fn cart(&self, number: u64) -> Cart {
        self.visit(number).cart
    }

    /// The invoice of buyer `number`, where the buyers come from a trace.
    pub fn invoice(&self, number: u64) -> Option<&Invoice> {
        match &self.buyers {
            Buyers::Drawn(_) => None,
            Buyers::Invoices { invoices, .. } => invoices.get(usize::try_from(number).ok()?),
        }
    }

    /// Every SKU that a cart can name.
    pub fn skus(&self) -> Vec<Sku> {
        match &self.buyers {
            Buyers::Drawn(drawn) => drawn.items.to_vec(),
            Buyers::Invoices { invoices, .. } => {
                let mut skus: Vec<Sku> = invoices
                    .iter()
                    .flat_map(|invoice| invoice.cart.lines())
                    .map(|line| line.sku.clone())
                    .collect();
                skus.sort_unstable();
                skus.dedup();
                skus
            }
        }
    }

    /// A hash of arrivals, carts and behaviour, as 32 hexadecimal digits: equal for equal plans, whatever happened to
    /// them.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(b"oms plan 1\0");
        hasher.update(self.seed.to_le_bytes());
        hasher.update(self.come_back.to_le_bytes());
        let mut row = Vec::with_capacity(256);
        for (number, arrival) in (0..).zip(self.arrivals()) {
            let visit = self.visit(number);
            row.clear();
            let arrival_us = u64::try_from(arrival.as_micros()).unwrap_or(u64::MAX);
            row.extend_from_slice(&arrival_us.to_le_bytes());
            text(&mut row, visit.cart.customer().as_str());
            row.extend_from_slice(&(visit.cart.lines().len() as u64).to_le_bytes());
            for line in visit.cart.lines() {
                text(&mut row, line.sku.as_str());
                row.extend_from_slice(&line.quantity.units().to_le_bytes());
            }
            hasher.update(&row);
        }
        // Last, and only if there is any: a plain storm keeps the digest that it always had.
        let words = self.words();
        if !words.is_empty() {
            hasher.update(words.as_bytes());
        }
        hasher.finalize()[..16]
            .iter()
            .fold(String::with_capacity(32), |mut digits, byte| {
                let _ = write!(digits, "{byte:02x}");
                digits
            })
    }
}

fn due(seed: u64, schedule: &Schedule, gaps: Gaps) -> Due<'_> {
    Due::new(schedule, gaps, Rng::stream(seed, stream::GAPS))
}

/// With its length, so that no two rows share an encoding.
fn text(row: &mut Vec<u8>, text: &str) {
    row.extend_from_slice(&(text.len() as u64).to_le_bytes());
    row.extend_from_slice(text.as_bytes());
}

impl Plan {
    /// What sets this plan apart from a plain one; empty for a plain one.
    fn words(&self) -> String {
        let mut words: Vec<String> = [self.arrivals.words(), self.behaviour.words()].into();
        words.extend(self.restocks.iter().map(ToString::to_string));
        if !self.warm_up.is_zero() {
            words.push(format!("warm-up={}us", self.warm_up.as_micros()));
        }
        words.retain(|word| !word.is_empty());
        words.join("\n")
    }
}

#[cfg(test)]
mod tests;
