//! What [`Inventory::reserve`] promises.

use oms::domain::{AcceptedCart, Money, OrderState, Reason};
use oms::inventory::{NewItem, ReserveOutcome, Settle, SettleAction};

use super::Fixture;
use super::store::{BLOCKED, HOLD, Store, failed, order_of, release, states};
use crate::make::{PRICE, accepted, customer, id, item, money};

pub async fn a_cart_in_stock_is_blocked_with_all_its_lines(store: &Fixture<impl Store>) {
    store.seed([("A", 5), ("B", 5)]).await;
    let cart = accepted(1, [("B", 1), ("A", 2)]);
    let reservation = store.reservation(vec![cart.clone()]).await;
    let order = order_of(reservation.outcomes[0].clone());
    assert_eq!((order.state, order.reason), BLOCKED);
    assert_eq!(order.order_id, id(1));
    assert_eq!(order.customer, Some(customer("c1")));
    assert_eq!(order.cart_hash, Some(cart.hash));
    assert_eq!(order.amount, money(3 * PRICE));
    assert_eq!(order.accepted_at, cart.accepted_at);
    assert_eq!(order.hold_until, order.decided_at.plus(HOLD));
    assert_eq!(order.settled_at, None);
    assert_eq!(order.batch.unwrap().position, 0);
    let lines: Vec<_> = order
        .lines
        .iter()
        .map(|line| {
            (
                line.sku.as_str(),
                line.quantity.units(),
                line.available_before,
            )
        })
        .collect();
    assert_eq!(lines, [("A", 2, 5), ("B", 1, 5)]);
    assert!(order.lines.iter().all(|line| line.price == money(PRICE)));
    assert_eq!(store.counters("A").await, (3, 2, 0));
    assert_eq!(store.counters("B").await, (4, 1, 0));
    assert_eq!(
        store.other.orders(vec![id(1)]).await.unwrap(),
        [Some(order)]
    );
    store.assert_conserved().await;
}

pub async fn a_cart_with_one_line_short_blocks_nothing(store: &Fixture<impl Store>) {
    store.seed([("A", 5), ("B", 1)]).await;
    let order = store.order(1, [("A", 2), ("B", 2)]).await;
    assert_eq!((order.state, order.reason), failed(Reason::SoldOut));
    assert_eq!(order.lines.len(), 2);
    assert_eq!(store.counters("A").await, (5, 0, 0));
    assert_eq!(store.counters("B").await, (1, 0, 0));
    store.assert_conserved().await;
}

pub async fn carts_are_decided_in_arrival_order_whatever_their_ids(store: &Fixture<impl Store>) {
    store.seed([("A", 3)]).await;
    let carts = (1..=10).rev().map(|number| accepted(number, [("A", 1)]));
    let outcomes = store.reserve(carts.collect()).await;
    let states = states(&outcomes);
    assert_eq!(states[..3], [BLOCKED; 3]);
    assert_eq!(states[3..], [failed(Reason::Held); 7]);
    let position = |outcome: ReserveOutcome| order_of(outcome).batch.map(|batch| batch.position);
    let positions: Vec<_> = outcomes.into_iter().map(position).collect();
    assert_eq!(positions, (0..10).map(Some).collect::<Vec<_>>());
    assert_eq!(store.state(10).await, Some(BLOCKED));
    assert_eq!(store.state(1).await, Some(failed(Reason::Held)));
    store.assert_conserved().await;
}

pub async fn a_small_cart_behind_a_large_refused_one_gets_its_units(store: &Fixture<impl Store>) {
    store.seed([("A", 3)]).await;
    let carts = vec![
        accepted(1, [("A", 1)]),
        accepted(2, [("A", 4)]),
        accepted(3, [("A", 2)]),
    ];
    let states = states(&store.reserve(carts).await);
    assert_eq!(states, [BLOCKED, failed(Reason::SoldOut), BLOCKED]);
    assert_eq!(store.counters("A").await, (0, 3, 0));
    store.assert_conserved().await;
}

pub async fn the_same_cart_five_times_in_a_batch_is_decided_once(store: &Fixture<impl Store>) {
    store.seed([("A", 9)]).await;
    let outcomes = store.reserve(vec![accepted(1, [("A", 2)]); 5]).await;
    assert_eq!(states(&outcomes), [BLOCKED; 5]);
    assert_eq!(store.counters("A").await, (7, 2, 0));
    store.assert_conserved().await;
}

pub async fn an_id_with_another_cart_is_a_conflict_and_changes_nothing(
    store: &Fixture<impl Store>,
) {
    store.seed([("A", 9), ("B", 9)]).await;
    let stranger = AcceptedCart {
        order_id: id(1),
        ..accepted(2, [("A", 1)])
    };
    let outcomes = store
        .reserve(vec![
            accepted(1, [("A", 1)]),
            accepted(1, [("B", 1)]),
            stranger.clone(),
        ])
        .await;
    assert_eq!(order_of(outcomes[0].clone()).state, OrderState::Blocked);
    assert_eq!(outcomes[1], ReserveOutcome::IdConflict);
    assert_eq!(outcomes[2], ReserveOutcome::IdConflict);
    let again = store.reserve(vec![stranger, accepted(3, [("B", 1)])]).await;
    assert_eq!(again[0], ReserveOutcome::IdConflict);
    assert_eq!(order_of(again[1].clone()).state, OrderState::Blocked);
    assert_eq!(store.counters("A").await, (8, 1, 0));
    assert_eq!(store.counters("B").await, (8, 1, 0));
    store.assert_conserved().await;
}

pub async fn redelivery_returns_the_present_state(store: &Fixture<impl Store>) {
    store.seed([("A", 2)]).await;
    let carts: Vec<_> = (1..=3).map(|number| accepted(number, [("A", 1)])).collect();
    let first = store.reserve(carts.clone()).await;
    assert_eq!(first, store.reserve(carts.clone()).await);
    let captured = money(PRICE);
    store
        .settle(vec![
            (1, SettleAction::Confirm { captured }),
            (2, release(Reason::Declined)),
        ])
        .await;
    // A unit is free again, but the third cart was refused and stays so.
    let placed = (OrderState::Placed, None);
    let now = store.reserve(carts).await;
    let expected = [placed, failed(Reason::Declined), failed(Reason::Held)];
    assert_eq!(states(&now), expected);
    assert_eq!(store.counters("A").await, (1, 0, 1));
    store.assert_conserved().await;
}

pub async fn held_is_said_only_if_the_blocked_units_would_suffice(store: &Fixture<impl Store>) {
    store.seed([("A", 3)]).await;
    store.order(1, [("A", 2)]).await;
    assert_eq!(store.order(2, [("A", 3)]).await.reason, Some(Reason::Held));
    assert_eq!(
        store.order(3, [("A", 4)]).await.reason,
        Some(Reason::SoldOut)
    );
    let captured = money(2 * PRICE);
    store
        .settle(vec![(1, SettleAction::Confirm { captured })])
        .await;
    assert_eq!(
        store.order(4, [("A", 2)]).await.reason,
        Some(Reason::SoldOut)
    );
    store.assert_conserved().await;
}

pub async fn the_line_that_waiting_helps_least_names_the_reason(store: &Fixture<impl Store>) {
    store.seed([("A", 1), ("B", 0)]).await;
    store.order(1, [("A", 1)]).await;
    let reason = store.order(2, [("A", 1), ("B", 1)]).await.reason;
    assert_eq!(reason, Some(Reason::SoldOut));
    let order = store.order(3, [("A", 1), ("B", 1), ("C", 1)]).await;
    assert_eq!(order.reason, Some(Reason::UnknownSku));
    let unknown = &order.lines[2];
    assert_eq!((unknown.price, unknown.stock_version), (Money::ZERO, 0));
    store.assert_conserved().await;
}

pub async fn an_unknown_item_harms_no_neighbour(store: &Fixture<impl Store>) {
    store.seed([("A", 2)]).await;
    let carts = vec![
        accepted(1, [("A", 1)]),
        accepted(2, [("nowhere", 1)]),
        accepted(3, [("A", 1)]),
    ];
    let states = states(&store.reserve(carts).await);
    assert_eq!(states, [BLOCKED, failed(Reason::UnknownSku), BLOCKED]);
    store.assert_conserved().await;
}

pub async fn an_order_worth_too_much_fails_with_limit_and_blocks_nothing(
    store: &Fixture<impl Store>,
) {
    let dear = NewItem {
        price: money(9_000_000_000_000_000),
        ..item("dear", 10)
    };
    store.port.put_items(vec![dear]).await.unwrap();
    store.seed([("A", 5)]).await;
    let order = store.order(1, [("A", 1), ("dear", 1)]).await;
    assert_eq!((order.state, order.reason), failed(Reason::Limit));
    let order = store.order(2, [("dear", 2)]).await;
    assert_eq!((order.state, order.reason), failed(Reason::Limit));
    let order = store.order(3, [("dear", 1)]).await;
    assert_eq!(
        (order.state, order.amount.minor()),
        (OrderState::Blocked, 9_000_000_000_000_000)
    );
    assert_eq!(store.counters("A").await, (5, 0, 0));
    store.assert_conserved().await;
}

pub async fn skus_that_differ_only_in_case_are_two_items(store: &Fixture<impl Store>) {
    store.seed([("85123A", 5), ("85123a", 1)]).await;
    store.order(1, [("85123A", 3), ("85123a", 1)]).await;
    assert_eq!(store.counters("85123A").await, (2, 3, 0));
    assert_eq!(store.counters("85123a").await, (0, 1, 0));
    store.assert_conserved().await;
}

pub async fn awkward_skus_are_kept_byte_for_byte(store: &Fixture<impl Store>) {
    let long = "x".repeat(64);
    let names = ["a'b\"c\\;--", "π≠日本", "%_*?", "0x00", long.as_str()];
    for (number, name) in (1..).zip(names) {
        store.seed([(name, 2)]).await;
        let order = store.order(number, [(name, 1)]).await;
        assert_eq!((order.state, order.reason), BLOCKED, "{name}");
        assert_eq!(store.counters(name).await, (1, 1, 0), "{name}");
    }
    store.assert_conserved().await;
}

pub async fn a_cart_of_a_thousand_lines_is_blocked_or_refused_as_one(store: &Fixture<impl Store>) {
    let names: Vec<String> = (0..1_000).map(|n| format!("S{n:04}")).collect();
    let stock = |n: usize| if n == 999 { 1 } else { 2 };
    let items = names
        .iter()
        .enumerate()
        .map(|(n, name)| item(name, stock(n)));
    store.port.put_items(items.collect()).await.unwrap();
    let carts = (1..=2).map(|number| accepted(number, names.iter().map(|name| (name.as_str(), 1))));
    let states = states(&store.reserve(carts.collect()).await);
    assert_eq!(states, [BLOCKED, failed(Reason::Held)]);
    assert_eq!(store.counters("S0000").await, (1, 1, 0));
    store.assert_conserved().await;
}

pub async fn a_batch_of_thousands_is_decided_in_order(store: &Fixture<impl Store>) {
    let names: Vec<String> = (0..50).map(|n| format!("S{n:02}")).collect();
    let items = names.iter().map(|name| item(name, 40));
    store.port.put_items(items.collect()).await.unwrap();
    let carts = (0..3_000_u64).map(|number| {
        let name = names[usize::try_from(number % 50).unwrap()].as_str();
        accepted(number, [(name, 1)])
    });
    let states = states(&store.reserve(carts.collect()).await);
    assert!(states[..2_000].iter().all(|state| *state == BLOCKED));
    assert!(
        states[2_000..]
            .iter()
            .all(|state| *state == failed(Reason::Held))
    );
    store.assert_conserved().await;
}

pub async fn an_empty_batch_is_no_work(store: &Fixture<impl Store>) {
    assert_eq!(store.reserve(Vec::new()).await, []);
    assert_eq!(store.settle(Vec::new()).await, []);
    assert_eq!(store.port.orders(Vec::new()).await.unwrap(), []);
    let answer = store.port.stock(Vec::new(), true).await.unwrap();
    assert_eq!(answer.levels, []);
}

pub async fn versions_grow_by_one_with_every_change_and_levels_are_as_committed(
    store: &Fixture<impl Store>,
) {
    store.seed([("A", 9), ("B", 9)]).await;
    let before = store.level("A").await.version;
    let carts = vec![accepted(1, [("A", 1)]), accepted(2, [("A", 1)])];
    let reservation = store.reservation(carts).await;
    let versions = |number: usize| {
        let order = order_of(reservation.outcomes[number].clone());
        order.lines[0].stock_version
    };
    assert_eq!((versions(0), versions(1)), (before, before + 1));
    assert_eq!(reservation.levels.len(), 1, "only what changed");
    let (said, is) = (&reservation.levels[0], store.level("A").await);
    assert_eq!(is.version, before + 2);
    assert_eq!(
        (said.available, said.blocked, said.sold, said.version),
        (is.available, is.blocked, is.sold, is.version)
    );
    let settlement = store
        .port
        .settle(vec![Settle {
            order_id: id(1),
            action: release(Reason::Declined),
        }])
        .await
        .unwrap();
    assert_eq!(settlement.levels[0].version, before + 3);
    assert_eq!(settlement.levels[0].available, 8);
}

/// One test per case, over one adapter.
macro_rules! reserve_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            reserve over $($adapter)+;
            a_cart_in_stock_is_blocked_with_all_its_lines,
            a_cart_with_one_line_short_blocks_nothing,
            carts_are_decided_in_arrival_order_whatever_their_ids,
            a_small_cart_behind_a_large_refused_one_gets_its_units,
            the_same_cart_five_times_in_a_batch_is_decided_once,
            an_id_with_another_cart_is_a_conflict_and_changes_nothing,
            redelivery_returns_the_present_state,
            held_is_said_only_if_the_blocked_units_would_suffice,
            the_line_that_waiting_helps_least_names_the_reason,
            an_unknown_item_harms_no_neighbour,
            an_order_worth_too_much_fails_with_limit_and_blocks_nothing,
            skus_that_differ_only_in_case_are_two_items,
            awkward_skus_are_kept_byte_for_byte,
            a_cart_of_a_thousand_lines_is_blocked_or_refused_as_one,
            a_batch_of_thousands_is_decided_in_order,
            an_empty_batch_is_no_work,
            versions_grow_by_one_with_every_change_and_levels_are_as_committed,
        }
    };
}
pub(crate) use reserve_suite;
