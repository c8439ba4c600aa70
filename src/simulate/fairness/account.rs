//! Joins what clients were told with what became of their orders.

use std::collections::HashMap;

use super::Fairness;
use super::ledger::{Ledger, top_percent_share};
use crate::domain::{Cart, Order, OrderId, OrderState, Reason, Sku, Timestamp};
use crate::inventory::Inventory;
use crate::ports::{Error, Ports};
use crate::simulate::{Answer, Plan, Told};

/// The most orders read at once.
const PAGE: usize = 2_000;

/// Judges a run. Sorts what clients were told by buyer and time.
///
/// # Errors
/// When the inventory does not answer.
pub async fn judge<P: Ports>(ports: &P, plan: &Plan, told: &mut [Told]) -> Result<Fairness, Error> {
    let aside = Aside::read(ports, told).await?;
    told.sort_unstable_by_key(|told| (told.buyer, told.asked_at));
    Ok(conclude(plan, told, &aside))
}

/// What became of orders about which their clients were not told that they were sold.
#[derive(Debug, Default)]
struct Aside {
    /// Sold after all.
    sold: HashMap<OrderId, u64>,
    /// When units of an item were last given back.
    released: HashMap<Sku, Timestamp>,
    idle_unit_ms: i64,
}

impl Aside {
    async fn read<P: Ports>(ports: &P, told: &[Told]) -> Result<Self, Error> {
        let mut aside = Self::default();
        // Who was refused for want of stock never held any.
        let open = told.iter().filter(|told| match told.answer {
            Answer::Placed | Answer::Refused(_) => false,
            answer => answer.out_of_stock().is_none(),
        });
        let ids: Vec<OrderId> = open.map(|told| told.order_id).collect();
        for page in ids.chunks(PAGE) {
            let orders = ports.inventory().orders(page.to_vec()).await?;
            orders.iter().flatten().for_each(|order| aside.note(order));
        }
        Ok(aside)
    }

    fn note(&mut self, order: &Order) {
        match (order.state, order.settled_at) {
            (OrderState::Placed, _) => {
                let units: i64 = order.lines.iter().map(|line| line.quantity.units()).sum();
                self.sold
                    .insert(order.order_id, u64::try_from(units).unwrap_or(0));
            }
            (OrderState::Failed, Some(settled_at)) if order.hold_until > order.decided_at => {
                let held_ms = settled_at.millis() - order.decided_at.millis();
                for line in &order.lines {
                    self.idle_unit_ms += held_ms.max(0) * line.quantity.units();
                    let last = self.released.entry(line.sku.clone()).or_default();
                    *last = settled_at.max(*last);
                }
            }
            _ => {}
        }
    }

    /// Whether units of any of the cart's items came free after this.
    fn released_after(&self, cart: &Cart, time: Timestamp) -> bool {
        let released = |sku| self.released.get(sku).is_some_and(|last| *last > time);
        cart.lines().iter().any(|line| released(&line.sku))
    }
}

/// One buyer's visit, and what came of it.
struct Outcome {
    arrived: Timestamp,
    buyer: u32,
    got: bool,
}

fn conclude(plan: &Plan, told: &[Told], aside: &Aside) -> Fairness {
    #[expect(clippy::cast_precision_loss, reason = "unit-seconds for people")]
    let mut fairness = Fairness {
        idle_unit_seconds: aside.idle_unit_ms as f64 / 1_000.0,
        ..Fairness::default()
    };
    let mut outcomes = Vec::new();
    let mut units: HashMap<u64, u64> = HashMap::new();
    let mut visits = 0;
    for visit in told.chunk_by(|one, other| one.buyer == other.buyer) {
        let cart = plan.cart(visit[0].buyer.into());
        let mut got = 0;
        for told in visit {
            got += match told.answer {
                Answer::Placed => cart_units(&cart),
                _ => aside.sold.get(&told.order_id).copied().unwrap_or(0),
            };
            match told.answer.out_of_stock() {
                Some(Reason::Held) => {
                    fairness.refused_held += 1;
                    let released = aside.released_after(&cart, told.answered_at);
                    fairness.refused_held_released += u64::from(released);
                }
                Some(_) => fairness.refused_sold_out += 1,
                None => {}
            }
        }
        visits += 1;
        if got > 0 {
            *units.entry(plan.user(visit[0].buyer.into())).or_default() += got;
        }
        let last = visit[visit.len() - 1].answer;
        // Whoever was declined, or left, has no reason to envy.
        if got > 0 || last.out_of_stock().is_some() {
            outcomes.push(Outcome {
                arrived: visit[0].asked_at,
                buyer: visit[0].buyer,
                got: got > 0,
            });
        }
    }
    // Of those who came within a millisecond, the first in the plan was first.
    outcomes.sort_unstable_by_key(|outcome| (outcome.arrived, outcome.buyer));
    let mut ledger = Ledger::default();
    for outcome in outcomes {
        ledger.next(plan.cart(outcome.buyer.into()).lines(), outcome.got);
    }
    ledger.close(&mut fairness);
    // Users who come again make more visits than there are of them.
    let users = plan.users_coming().min(visits);
    fairness.top_percent_share = top_percent_share(units.into_values().collect(), users);
    fairness
}

fn cart_units(cart: &Cart) -> u64 {
    let units: i64 = cart.lines().iter().map(|line| line.quantity.units()).sum();
    u64::try_from(units).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::simulate::{Drawn, Popularity, Span};

    /// Buyers of one unit of one item.
    fn plan() -> Plan {
        let one = Span::new(1, 1).unwrap();
        let drawn = Drawn {
            users: 10,
            items: [Sku::synthetic(1)].into(),
            popularity: Popularity::zipf(1, 1.0),
            lines: one,
            quantity: one,
            ramp: Duration::ZERO,
        };
        Plan::drawn(1, 0, drawn)
    }

    fn told(buyer: u32, at: i64, answer: Answer) -> Told {
        Told {
            buyer,
            order_id: OrderId::v7(u64::from(buyer) + 1, &[0; 10]),
            asked_at: Timestamp::from_millis(at),
            answered_at: Timestamp::from_millis(at + 5),
            answer,
            warm_up: false,
        }
    }

    #[test]
    fn who_came_first_and_left_without_is_an_inversion_against_each_later_winner() {
        let told = [
            told(0, 10, Answer::Refused(Reason::SoldOut)),
            told(1, 20, Answer::Placed),
            told(2, 20, Answer::Failed(Reason::Declined)),
            // Came back, and got it: it counts from when it first came.
            told(3, 5, Answer::Refused(Reason::Held)),
            told(3, 90, Answer::Placed),
            told(4, 99, Answer::Failed(Reason::SoldOut)),
        ];
        let fairness = conclude(&plan(), &told, &Aside::default());
        let item = &fairness.items[0];
        assert_eq!((item.winners, item.losers), (2, 2));
        assert!((item.inversion_share - 0.25).abs() < 1e-12, "{fairness:?}");
        assert_eq!((fairness.refused_sold_out, fairness.refused_held), (2, 1));
        // One of five users has one of two units.
        assert!((fairness.top_percent_share - 0.5).abs() < 1e-12);
    }

    #[test]
    fn units_that_came_free_after_a_refusal_were_held_in_vain() {
        let refused = [told(0, 10, Answer::Refused(Reason::Held))];
        for (released, wasted) in [(15, 0), (16, 1)] {
            let aside = Aside {
                released: [(Sku::synthetic(1), Timestamp::from_millis(released))].into(),
                idle_unit_ms: 2_500,
                ..Aside::default()
            };
            let fairness = conclude(&plan(), &refused, &aside);
            assert_eq!(fairness.refused_held_released, wasted, "{released}");
            assert!((fairness.idle_unit_seconds - 2.5).abs() < 1e-12);
        }
    }

    #[test]
    fn an_order_that_was_sold_without_its_buyer_knowing_was_sold() {
        let open = [
            told(0, 10, Answer::Accepted),
            told(1, 5, Answer::Refused(Reason::SoldOut)),
        ];
        let aside = Aside {
            sold: [(open[0].order_id, 1)].into(),
            ..Aside::default()
        };
        let mut sorted = open;
        sorted.sort_unstable_by_key(|told| told.buyer);
        let fairness = conclude(&plan(), &sorted, &aside);
        assert_eq!(fairness.items[0].winners, 1);
    }
}
