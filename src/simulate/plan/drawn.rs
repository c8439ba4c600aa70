//! Buyers drawn from a seed: when they come, and what is in their carts.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{Cart, Customer, Line, Quantity, Sku};
use crate::rng::Rng;
use crate::simulate::{Popularity, Span, Traits};

/// How buyers are drawn.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// How many there are; at most so many where they come at a rate.
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

impl Drawn {
    pub(super) fn arrival(&self, number: u64) -> Duration {
        if self.ramp.is_zero() {
            return Duration::ZERO;
        }
        let nanos = self.ramp.as_nanos() * u128::from(number) / u128::from(self.users.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The cart of a user, as large as the user's traits say.
    pub(super) fn cart(&self, user: u64, traits: Traits, rng: &mut Rng) -> Cart {
        if traits.bot.is_some() {
            return Cart::new(customer(user), vec![self.most_wanted()])
                .expect("one line makes a cart");
        }
        let wanted = traits.lines.unwrap_or_else(|| self.lines.draw(rng)) as usize;
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
        Cart::new(customer(user), lines).expect("distinct SKUs within the limits make a cart")
    }

    /// One unit of the most wanted item.
    fn most_wanted(&self) -> Line {
        Line {
            sku: self.items[0].clone(),
            quantity: Quantity::new(1).expect("one unit is a quantity"),
        }
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

    #[test]
    fn buyers_have_names_that_sort() {
        assert_eq!(customer(0).as_str(), "buyer-000001");
        assert_eq!(customer(999_999).as_str(), "buyer-1000000");
        assert_eq!(customer(41).as_str(), "buyer-000042");
    }
}
