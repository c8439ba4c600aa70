//! Each check must be able to say no, and must not cry wolf.

use super::*;
use crate::domain::{Money, OrderLine, Quantity, Reason, Timestamp};

fn order(state: OrderState, decided_at: i64, settled_at: Option<i64>, units: i64) -> Order {
    Order {
        lines: vec![OrderLine {
            sku: Sku::new("A").unwrap(),
            quantity: Quantity::new(units).unwrap(),
            price: Money::ZERO,
            available_before: 0,
            stock_version: 1,
        }],
        state,
        reason: (state == OrderState::Failed).then_some(Reason::Declined),
        accepted_at: Timestamp::from_millis(decided_at),
        decided_at: Timestamp::from_millis(decided_at),
        hold_until: Timestamp::from_millis(decided_at + 600_000),
        settled_at: settled_at.map(Timestamp::from_millis),
        ..Order::blocked(OrderId::from_bytes([1; 16]))
    }
}

fn told(answer: Answer) -> Told {
    Told {
        buyer: 0,
        order_id: OrderId::from_bytes([1; 16]),
        asked_at: Timestamp::from_millis(1_000),
        answered_at: Timestamp::from_millis(1_010),
        answer,
        warm_up: false,
    }
}

#[test]
fn every_lie_to_a_client_is_found_and_the_truth_is_not() {
    let placed = order(OrderState::Placed, 1, Some(2), 1);
    let failed = order(OrderState::Failed, 1, Some(2), 1);
    let blocked = order(OrderState::Blocked, 1, None, 1);
    let declined = Answer::Failed(Reason::Declined);
    for (answer, order) in [
        (Answer::Accepted, None),
        (Answer::Placed, None),
        (declined, None),
        (Answer::Placed, Some(&failed)),
        (Answer::Placed, Some(&blocked)),
        (declined, Some(&placed)),
        (Answer::Forgotten, Some(&placed)),
    ] {
        assert!(lie(&told(answer), order).is_some(), "{answer:?} {order:?}");
    }
    for (answer, order) in [
        (Answer::Placed, Some(&placed)),
        (declined, Some(&failed)),
        (Answer::Accepted, Some(&blocked)),
        (Answer::InDoubt, None),
        (Answer::Refused(Reason::SoldOut), None),
    ] {
        assert_eq!(lie(&told(answer), order), None, "{answer:?} {order:?}");
    }
}

#[test]
fn given_back_units_are_free_only_after_the_slack() {
    let sku = Sku::new("A").unwrap();
    let mut timelines = HashMap::from([(sku.clone(), Timeline::default())]);
    follow(
        &order(OrderState::Failed, 100, Some(500), 1),
        &mut timelines,
        50,
    );
    let free = timelines.remove(&sku).unwrap().finish(1);
    assert_eq!(free.least(0, 99), 1, "free before it was blocked");
    assert_eq!(
        free.least(100, 549),
        0,
        "not free while it was blocked, nor within the slack"
    );
    assert_eq!(free.least(551, 9_999), 1, "free for good afterwards");
}

#[test]
fn a_refused_order_never_held_anything() {
    let sku = Sku::new("A").unwrap();
    let mut timelines = HashMap::from([(sku.clone(), Timeline::default())]);
    let mut refused = order(OrderState::Failed, 100, None, 1);
    refused.hold_until = refused.decided_at;
    follow(&refused, &mut timelines, 50);
    assert_eq!(timelines.remove(&sku).unwrap().finish(1).least(0, 9_999), 1);
}
