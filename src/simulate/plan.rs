//! Who comes when, and with which cart: drawn from a seed, or read from a trace. Carts are made when a buyer arrives
//! and made again when the audit asks for them, so that a million buyers need no memory.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Popularity, Span};
use crate::catalogue::Invoice;
use crate::domain::{Cart, Customer, Line, Quantity, Sku};
use crate::rng::Rng;

/// The most buyers of one run: their numbers fit 32 bits.
pub const USERS_MAX: u64 = 50_000_000;

/// The buyers of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    seed: u64,
    come_back: u32,
    buyers: Buyers,
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

/// How buyers are drawn.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// How many there are.
    pub users: u64,
    /// The items, the most popular first.
    pub items: Arc<[Sku]>,
    /// How popular the items are; as many ranks as items, and at least one.
    pub popularity: Popularity,
    /// How many different items a cart has.
    pub lines: Span,
    /// How many units a line has.
    pub quantity: Span,
    /// Arrivals are spread evenly over this time; zero: all at once.
    pub ramp: Duration,
}

/// A buyer who arrives.
#[derive(Debug)]
pub struct Visit {
    /// When, from the first possible arrival.
    pub arrival: Duration,
    /// What they want.
    pub cart: Cart,
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
        Self {
            seed,
            come_back,
            buyers: Buyers::Drawn(drawn),
        }
    }

    /// One buyer per invoice, at its time of day, `speed` times as fast.
    pub fn invoices(seed: u64, come_back: u32, invoices: Arc<[Invoice]>, speed: f64) -> Self {
        Self {
            seed,
            come_back,
            buyers: Buyers::Invoices { invoices, speed },
        }
    }

    /// How many buyers there are.
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

    /// Whether a buyer comes in the warm-up, and is in no figure.
    pub fn warms_up(&self, _number: u32) -> bool {
        false
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

    /// Buyer `number`, from 0: the same however often it is asked for.
    ///
    /// # Panics
    /// When there is no such buyer.
    pub fn visit(&self, number: u64) -> Visit {
        let mut rng = Rng::stream(self.seed, number);
        match &self.buyers {
            Buyers::Drawn(drawn) => {
                assert!(number < drawn.users, "there is no buyer {number}");
                let cart = drawn.cart(number, &mut rng);
                Visit {
                    arrival: drawn.arrival(number),
                    cart,
                    rng,
                }
            }
            Buyers::Invoices { invoices, speed } => {
                let invoice = &invoices[usize::try_from(number).unwrap_or(usize::MAX)];
                Visit {
                    arrival: invoice.at.div_f64(*speed),
                    cart: invoice.cart.clone(),
                    rng,
                }
            }
        }
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
        for number in 0..self.users() {
            let visit = self.visit(number);
            row.clear();
            let arrival_us = u64::try_from(visit.arrival.as_micros()).unwrap_or(u64::MAX);
            row.extend_from_slice(&arrival_us.to_le_bytes());
            text(&mut row, visit.cart.customer().as_str());
            row.extend_from_slice(&(visit.cart.lines().len() as u64).to_le_bytes());
            for line in visit.cart.lines() {
                text(&mut row, line.sku.as_str());
                row.extend_from_slice(&line.quantity.units().to_le_bytes());
            }
            hasher.update(&row);
        }
        hasher.finalize()[..16]
            .iter()
            .fold(String::with_capacity(32), |mut digits, byte| {
                let _ = write!(digits, "{byte:02x}");
                digits
            })
    }
}

/// With its length, so that no two rows share an encoding.
fn text(row: &mut Vec<u8>, text: &str) {
    row.extend_from_slice(&(text.len() as u64).to_le_bytes());
    row.extend_from_slice(text.as_bytes());
}

impl Drawn {
    fn arrival(&self, number: u64) -> Duration {
        if self.ramp.is_zero() {
            return Duration::ZERO;
        }
        let nanos = self.ramp.as_nanos() * u128::from(number) / u128::from(self.users.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn cart(&self, number: u64, rng: &mut Rng) -> Cart {
        let wanted = self.lines.draw(rng) as usize;
        let mut ranks = Vec::with_capacity(wanted);
        let mut lines = Vec::with_capacity(wanted);
        while lines.len() < wanted {
            let Some(rank) = self.popularity.draw_other(rng, &ranks) else {
                break;
            };
            ranks.push(rank);
            let quantity =
                Quantity::new(self.quantity.draw(rng).into()).expect("checked by the settings");
            lines.push(Line {
                sku: self.items[rank].clone(),
                quantity,
            });
        }
        Cart::new(customer(number), lines).expect("distinct SKUs within the limits make a cart")
    }
}

/// `buyer-000001` and so on, without the machinery of formatting.
fn customer(number: u64) -> Customer {
    let mut name = *b"buyer-00000000000000000000";
    let mut rest = number + 1;
    let mut at = name.len();
    let end = at;
    while rest > 0 || end - at < 6 {
        at -= 1;
        name[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    name.copy_within(..6, at - 6);
    let text = std::str::from_utf8(&name[at - 6..]).expect("ASCII");
    Customer::new(text).expect("a short name")
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn plan(seed: u64, users: u64) -> Plan {
        let items: Arc<[Sku]> = (1..=100).map(Sku::synthetic).collect();
        let drawn = Drawn {
            users,
            popularity: Popularity::zipf(items.len(), 1.0),
            items,
            lines: Span::new(1, 3).unwrap(),
            quantity: Span::new(1, 2).unwrap(),
            ramp: Duration::from_secs(10),
        };
        Plan::drawn(seed, 3, drawn)
    }

    #[test]
    fn a_seed_repeats_its_buyers_in_every_version() {
        // Pinned: a change here changes every storm that was ever published with its seed.
        assert_eq!(plan(7, 1_000).digest(), "7a0a32b6441c92018b595201b0e08326");
        assert_ne!(plan(8, 1_000).digest(), plan(7, 1_000).digest());
        assert_ne!(plan(7, 1_001).digest(), plan(7, 1_000).digest());
    }

    #[test]
    fn behaviour_is_part_of_the_digest() {
        let patient = Plan {
            come_back: 4,
            ..plan(7, 10)
        };
        assert_ne!(patient.digest(), plan(7, 10).digest());
    }

    #[test]
    fn a_buyer_is_the_same_however_often_and_in_whatever_order_it_is_asked_for() {
        let plan = plan(7, 50);
        let backwards: Vec<Cart> = (0..50).rev().map(|number| plan.cart(number)).collect();
        for number in 0..50 {
            assert_eq!(
                plan.cart(number),
                backwards[49 - usize::try_from(number).unwrap()]
            );
        }
    }

    #[test]
    fn carts_keep_to_their_ranges() {
        let plan = plan(1, 2_000);
        let mut sizes = [0; 4];
        for number in 0..2_000 {
            let cart = plan.cart(number);
            sizes[cart.lines().len()] += 1;
            assert!(
                cart.lines()
                    .iter()
                    .all(|line| (1..=2).contains(&line.quantity.units()))
            );
        }
        assert_eq!(sizes[0], 0);
        assert!(sizes[1..].iter().all(|count| *count > 500), "{sizes:?}");
    }

    #[test]
    fn arrivals_are_spread_evenly_over_the_ramp() {
        let plan = plan(1, 1_000);
        assert_eq!(plan.visit(0).arrival, Duration::ZERO);
        assert_eq!(plan.visit(500).arrival, Duration::from_secs(5));
        assert_eq!(plan.visit(999).arrival, Duration::from_millis(9_990));
    }

    #[test]
    fn buyers_have_names_that_sort() {
        assert_eq!(customer(0).as_str(), "buyer-000001");
        assert_eq!(customer(999_999).as_str(), "buyer-1000000");
        assert_eq!(customer(41).as_str(), "buyer-000042");
    }

    #[test]
    fn an_invoice_arrives_at_its_time_of_day_as_many_times_faster() {
        let cart = plan(1, 1).cart(0);
        let invoice = |number: &str, seconds| Invoice {
            number: number.to_owned(),
            customer: cart.customer().clone(),
            at: Duration::from_secs(seconds),
            cart: cart.clone(),
        };
        let plan = Plan::invoices(
            1,
            0,
            [invoice("536365", 0), invoice("536366", 600)].into(),
            600.0,
        );
        assert_eq!(plan.users(), 2);
        assert_eq!(plan.visit(1).arrival, Duration::from_secs(1));
        assert_eq!(plan.invoice(1).unwrap().number, "536366");
        assert_eq!(plan.skus().len(), cart.lines().len());
    }
}
