//! Damaged rows, and amounts that do not fit: each stops its own order, never its batch (rules 10 and 18).

use proptest::prelude::*;

use super::*;
use crate::domain::Quantity;
use crate::inventory::types::{Settle, SettleAction, SettleOutcome};

const PRICE: i64 = 250;

fn sku(name: &str) -> Sku {
    Sku::new(name).unwrap()
}

fn money(minor: i64) -> Money {
    Money::new(minor).unwrap()
}

fn id(number: u8) -> OrderId {
    OrderId::from_bytes([number; 16])
}

fn item(name: &str, available: i64, blocked: i64) -> ItemRow {
    ItemRow {
        price: money(PRICE),
        level: StockLevel {
            sku: sku(name),
            available,
            blocked,
            sold: 0,
            version: 1,
            earliest_hold: None,
        },
    }
}

/// A BLOCK order that holds these units, at the usual price.
fn holding<'a>(number: u8, lines: impl IntoIterator<Item = (&'a str, i64)>) -> Order {
    let lines: Vec<OrderLine> = lines
        .into_iter()
        .map(|(name, units)| OrderLine {
            sku: sku(name),
            quantity: Quantity::new(units).unwrap(),
            price: money(PRICE),
            available_before: units,
            stock_version: 1,
        })
        .collect();
    let units: i64 = lines.iter().map(|line| line.quantity.units()).sum();
    Order {
        lines,
        amount: money(units * PRICE),
        ..Order::blocked(id(number))
    }
}

fn confirm(number: u8, captured: i64) -> Settle {
    Settle {
        order_id: id(number),
        action: SettleAction::Confirm {
            captured: money(captured),
        },
    }
}

fn release(number: u8) -> Settle {
    Settle {
        order_id: id(number),
        action: SettleAction::Release {
            reason: Reason::Expired,
        },
    }
}

fn settled(book: &mut Book, actions: &[Settle]) -> (Vec<SettleOutcome>, Changes) {
    let context = Context {
        now: Timestamp::from_millis(9),
        hold: Duration::ZERO,
        batch_id: 0,
    };
    settle(book, actions, &context)
}

fn states(outcomes: &[SettleOutcome]) -> Vec<OrderState> {
    let state = |outcome: &SettleOutcome| outcome.order.as_ref().unwrap().state;
    outcomes.iter().map(state).collect()
}

#[test]
fn an_order_that_holds_more_than_is_blocked_stays_as_it_is_and_the_others_go_on() {
    for action in [confirm(2, 3 * PRICE), release(2)] {
        // Somebody has set what is blocked of A to 2, of the 3 that are held.
        let items = [item("A", 5, 2), item("B", 5, 4)];
        let orders = [
            holding(1, [("B", 1)]),
            holding(2, [("B", 2), ("A", 1)]),
            holding(3, [("B", 1), ("A", 2)]),
        ];
        let mut book = Book::new(items, orders.clone());
        // The third takes both units first, so that the second finds none.
        let actions = [confirm(3, 3 * PRICE), action, confirm(1, PRICE)];
        let (outcomes, changes) = settled(&mut book, &actions);
        let [placed, blocked] = [OrderState::Placed, OrderState::Blocked];
        assert_eq!(states(&outcomes), [placed, blocked, placed]);
        assert_eq!(
            outcomes[1].damage,
            Some(Damage::TooFewBlocked {
                sku: sku("A"),
                blocked: 0,
                units: 1
            })
        );
        assert_eq!(outcomes[1].order.as_ref(), Some(&orders[1]));
        assert!(!outcomes[1].applied);
        assert!(outcomes[0].damage.is_none() && outcomes[2].damage.is_none());
        let updated: Vec<OrderId> = changes.updated.iter().map(|order| order.order_id).collect();
        assert_eq!(updated, [id(1), id(3)]);
        // Of the damaged order not even the line that could be moved has moved.
        let counters =
            |level: &StockLevel| (level.available, level.blocked, level.sold, level.version);
        let levels: Vec<_> = changes.levels.iter().map(counters).collect();
        assert_eq!(levels, [(5, 0, 2, 2), (5, 2, 2, 3)]);
        assert!(changes.refunds.is_empty());
    }
}

#[test]
fn an_order_of_an_item_that_is_gone_stays_as_it_is() {
    for action in [confirm(1, 2 * PRICE), confirm(1, 1), release(1)] {
        let mut book = Book::new([item("A", 0, 1)], [holding(1, [("A", 1), ("Z", 1)])]);
        let (outcomes, changes) = settled(&mut book, &[action]);
        let missing = Damage::MissingItem {
            sku: sku("Z"),
            units: 1,
        };
        assert_eq!(outcomes[0].damage, Some(missing));
        assert_eq!(states(&outcomes), [OrderState::Blocked]);
        assert!(changes.levels.is_empty() && changes.updated.is_empty());
        assert!(changes.refunds.is_empty(), "it is still to be placed");
    }
}

#[test]
fn counters_at_the_end_of_their_range_overflow_nobody() {
    let full = ItemRow {
        level: StockLevel {
            sold: i64::MAX,
            available: i64::MAX,
            ..item("A", 0, 9).level
        },
        ..item("A", 0, 9)
    };
    for action in [confirm(1, PRICE), release(1)] {
        let mut book = Book::new([full.clone()], [holding(1, [("A", 1)])]);
        let (outcomes, changes) = settled(&mut book, &[action]);
        assert_eq!(
            outcomes[0].damage,
            Some(Damage::CounterOverflow { sku: sku("A") })
        );
        assert!(changes.levels.is_empty());
    }
}

#[test]
fn a_line_twice_in_an_order_is_moved_twice_or_not_at_all() {
    // Only a row that somebody wrote by hand has one.
    let order = holding(1, [("A", 1), ("A", 1)]);
    let mut book = Book::new([item("A", 0, 1)], [order.clone()]);
    let (outcomes, changes) = settled(&mut book, &[release(1)]);
    assert!(outcomes[0].damage.is_some());
    assert!(changes.levels.is_empty());
    let mut book = Book::new([item("A", 0, 2)], [order]);
    let (outcomes, changes) = settled(&mut book, &[release(1)]);
    assert!(outcomes[0].applied);
    assert_eq!(
        (changes.levels[0].available, changes.levels[0].blocked),
        (2, 0)
    );
}

#[test]
fn blocked_units_that_are_below_zero_already_stop_no_reservation() {
    let cart = |number| {
        let line = crate::domain::Line {
            sku: sku("A"),
            quantity: Quantity::new(1).unwrap(),
        };
        let customer = crate::domain::Customer::new("c1").unwrap();
        let cart = crate::domain::Cart::new(customer, vec![line]).unwrap();
        AcceptedCart::new(id(number), cart, Timestamp::from_millis(1))
    };
    let context = Context {
        now: Timestamp::from_millis(9),
        hold: Duration::from_secs(60),
        batch_id: 1,
    };
    let mut book = Book::new([item("A", 1, -5)], []);
    let (outcomes, changes) = reserve(&mut book, &[cart(1), cart(2)], &context);
    let state = |outcome: &ReserveOutcome| match outcome {
        ReserveOutcome::Order(order) => (order.state, order.reason),
        ReserveOutcome::IdConflict => panic!("a conflict"),
    };
    assert_eq!(state(&outcomes[0]), (OrderState::Blocked, None));
    assert_eq!(
        state(&outcomes[1]),
        (OrderState::Failed, Some(Reason::SoldOut))
    );
    assert_eq!(
        (changes.levels[0].available, changes.levels[0].blocked),
        (0, -4)
    );
}

#[test]
fn another_amount_than_the_order_s_is_refunded_and_never_a_sale() {
    for captured in [1, PRICE - 1, PRICE + 1, 2 * PRICE] {
        let mut book = Book::new([item("A", 0, 1)], [holding(1, [("A", 1)])]);
        let actions = [
            confirm(1, captured),
            confirm(1, captured),
            confirm(1, PRICE),
        ];
        let (outcomes, changes) = settled(&mut book, &actions);
        let order = outcomes[0].order.clone().unwrap();
        assert_eq!(order.state, OrderState::Failed);
        assert_eq!(order.reason, Some(Reason::AmountMismatch));
        assert!(outcomes[0].applied && !outcomes[1].applied && !outcomes[2].applied);
        let owed: Vec<_> = changes
            .refunds
            .iter()
            .map(|refund| (refund.amount, refund.reason))
            .collect();
        assert_eq!(owed, [(money(captured), Reason::AmountMismatch)]);
        assert_eq!(
            (changes.levels[0].available, changes.levels[0].sold),
            (1, 0)
        );
    }
    // Nothing was captured: there is nothing to refund, and nothing is sold.
    let mut book = Book::new([item("A", 0, 1)], [holding(1, [("A", 1)])]);
    let (outcomes, changes) = settled(&mut book, &[confirm(1, 0)]);
    assert_eq!(states(&outcomes), [OrderState::Failed]);
    assert!(changes.refunds.is_empty());
}

/// An order as somebody may have left it, and what is done to it.
fn story() -> impl Strategy<Value = (Vec<(usize, i64)>, u8, u8)> {
    let lines = prop::collection::vec((0_usize..4, 1_i64..4), 1..4);
    (lines, 0_u8..4, 0_u8..4)
}

proptest! {
    #[test]
    fn whatever_was_damaged_stock_moves_only_with_an_order_and_money_is_never_lost(
        counters in prop::collection::vec((-3_i64..6, 0_i64..9), 3),
        stories in prop::collection::vec(story(), 1..8),
    ) {
        const NAMES: [&str; 4] = ["A", "B", "C", "Z"];
        // Nobody knows Z, and how much is blocked is arbitrary.
        let items: Vec<ItemRow> = counters.iter().zip(NAMES)
            .map(|(&(available, blocked), name)| item(name, available, blocked))
            .collect();
        let orders: Vec<Order> = (1..).zip(&stories)
            .map(|(number, (lines, ..))| holding(number, lines.iter().map(|&(name, units)| (NAMES[name], units))))
            .collect();
        let mut actions = Vec::new();
        for (number, (_, first, second)) in (1..).zip(&stories) {
            let amount = orders[usize::from(number) - 1].amount.minor();
            for kind in [first, second] {
                actions.push(match kind {
                    0 => release(number),
                    1 => confirm(number, amount + 1),
                    _ => confirm(number, amount),
                });
            }
        }
        let mut book = Book::new(items.clone(), orders.clone());
        let (outcomes, changes) = settled(&mut book, &actions);
        prop_assert_eq!(outcomes.len(), actions.len());
        let updated: HashMap<OrderId, &Order> = changes.updated.iter().map(|order| (order.order_id, order)).collect();
        prop_assert_eq!(updated.len(), changes.updated.len(), "an order is settled once");
        for before in &items {
            let name = &before.level.sku;
            let after = changes.levels.iter().find(|level| level.sku == *name).unwrap_or(&before.level);
            let of = |state: OrderState| -> i64 {
                updated.values().filter(|order| order.state == state)
                    .flat_map(|order| &order.lines)
                    .filter(|line| line.sku == *name)
                    .map(|line| line.quantity.units()).sum()
            };
            let (sold, back) = (of(OrderState::Placed), of(OrderState::Failed));
            prop_assert_eq!(after.sold, before.level.sold + sold);
            prop_assert_eq!(after.available, before.level.available + back);
            prop_assert_eq!(after.blocked, before.level.blocked - sold - back);
            prop_assert!(after.blocked >= 0);
        }
        for (settle, outcome) in actions.iter().zip(&outcomes) {
            let state = outcome.order.as_ref().unwrap().state;
            prop_assert_eq!(outcome.damage.is_some(), state == OrderState::Blocked, "settled, or left with a reason");
            if let SettleAction::Confirm { captured } = settle.action {
                let order = &orders[usize::from(settle.order_id.as_bytes()[0]) - 1];
                let owed = changes.refunds.iter().any(|refund| refund.order_id == settle.order_id);
                match state {
                    OrderState::Placed => prop_assert!(!owed),
                    OrderState::Failed => prop_assert!(owed, "captured, and neither sold nor owed"),
                    OrderState::Blocked => prop_assert!(!owed),
                }
                if outcome.applied && captured != order.amount {
                    prop_assert_eq!(state, OrderState::Failed);
                }
            }
        }
    }
}
