//! What [`Inventory::settle`] promises: confirm, release, abandon, and the refunds that follow.

use oms::domain::{OrderState, Reason};
use oms::inventory::{
    Adjusted, Adjustment, Owed, Refund, ReserveOutcome, SettleAction, StockLevel,
};
use uuid::Uuid;

use super::Fixture;
use super::store::{BLOCKED, Store, failed, release, states};
use crate::make::{PRICE, accepted, cart, customer, id, money, sku};

const PLACED: (OrderState, Option<Reason>) = (OrderState::Placed, None);

/// Confirms what one unit costs.
fn confirm() -> SettleAction {
    confirm_units(1)
}

/// Confirms what so many units cost.
fn confirm_units(units: i64) -> SettleAction {
    SettleAction::Confirm {
        captured: money(units * PRICE),
    }
}

fn abandon(reason: Reason) -> SettleAction {
    SettleAction::Abandon {
        reason,
        customer: None,
        cart_hash: None,
    }
}

impl<I: Store> Fixture<I> {
    /// Corrects an item's stock under a fresh id.
    pub async fn adjust(&self, name: &str, by: i64) -> StockLevel {
        let adjustment = Adjustment {
            id: Uuid::new_v4(),
            sku: sku(name),
            by,
            reason: "recount".to_owned(),
        };
        let adjusted = self.port.adjust(vec![adjustment]).await.unwrap();
        match adjusted.into_iter().next() {
            Some(Adjusted::Applied(level)) => level,
            other => panic!("not adjusted: {other:?}"),
        }
    }

    async fn due(&self) -> Vec<Refund> {
        self.other.refunds_due(None, 100).await.unwrap()
    }

    async fn settle_one(&self, number: u64, action: SettleAction) -> bool {
        self.settle(vec![(number, action)]).await[0].applied
    }
}

pub async fn confirming_sells_once_however_often_it_is_repeated(store: &Fixture<impl Store>) {
    store.seed([("A", 5), ("B", 5)]).await;
    store.order(1, [("A", 2), ("B", 1)]).await;
    let first = store.settle(vec![(1, confirm_units(3))]).await;
    let order = first[0].order.clone().unwrap();
    assert!(first[0].applied);
    assert_eq!((order.state, order.reason), PLACED);
    assert!(order.settled_at.is_some());
    let again = store
        .settle(vec![(1, confirm_units(3)), (1, confirm_units(3))])
        .await;
    assert!(again.iter().all(|outcome| !outcome.applied));
    assert_eq!(again[1].order, Some(order.clone()));
    assert_eq!(
        store.other.orders(vec![id(1)]).await.unwrap(),
        [Some(order)]
    );
    assert_eq!(store.counters("A").await, (3, 0, 2));
    assert_eq!(store.counters("B").await, (4, 0, 1));
    assert_eq!(store.due().await, []);
    store.assert_conserved().await;
}

pub async fn releasing_gives_back_once_however_often_it_is_repeated(store: &Fixture<impl Store>) {
    store.seed([("A", 5), ("B", 5)]).await;
    store.order(1, [("A", 2), ("B", 1)]).await;
    let first = store.settle(vec![(1, release(Reason::Expired))]).await;
    let order = first[0].order.clone().unwrap();
    assert!(first[0].applied);
    assert_eq!((order.state, order.reason), failed(Reason::Expired));
    let again = store
        .settle(vec![
            (1, release(Reason::Cancelled)),
            (1, release(Reason::Expired)),
        ])
        .await;
    assert!(again.iter().all(|outcome| !outcome.applied));
    assert_eq!(again[0].order, Some(order), "the first reason stays");
    assert_eq!(store.counters("A").await, (5, 0, 0));
    assert_eq!(store.counters("B").await, (5, 0, 0));
    store.assert_conserved().await;
}

pub async fn one_order_several_times_in_a_batch_moves_stock_once(store: &Fixture<impl Store>) {
    store.seed([("A", 5), ("B", 5)]).await;
    store.order(1, [("A", 1)]).await;
    store.order(2, [("B", 1)]).await;
    let outcomes = store
        .settle(vec![
            (1, confirm()),
            (2, release(Reason::Declined)),
            (1, release(Reason::Declined)),
            (1, confirm()),
            (2, release(Reason::Declined)),
        ])
        .await;
    let applied: Vec<bool> = outcomes.iter().map(|outcome| outcome.applied).collect();
    assert_eq!(applied, [true, true, false, false, false]);
    assert_eq!(store.counters("A").await, (4, 0, 1));
    assert_eq!(store.counters("B").await, (5, 0, 0));
    store.assert_conserved().await;
}

pub async fn a_placed_order_is_never_released(store: &Fixture<impl Store>) {
    store.seed([("A", 1)]).await;
    store.order(1, [("A", 1)]).await;
    store.settle_one(1, confirm()).await;
    assert!(!store.settle_one(1, release(Reason::Expired)).await);
    assert!(!store.settle_one(1, abandon(Reason::GaveUp)).await);
    assert_eq!(store.state(1).await, Some(PLACED));
    assert_eq!(store.counters("A").await, (0, 0, 1));
    store.assert_conserved().await;
}

pub async fn a_payment_for_a_failed_order_is_owed_back_and_places_nothing(
    store: &Fixture<impl Store>,
) {
    store.seed([("A", 1)]).await;
    store.order(1, [("A", 1)]).await;
    store.order(2, [("A", 1)]).await;
    store.settle_one(1, release(Reason::Expired)).await;
    // One was released, the other never blocked.
    store.settle(vec![(1, confirm()), (2, confirm())]).await;
    assert_eq!(store.state(1).await, Some(failed(Reason::Expired)));
    assert_eq!(store.state(2).await, Some(failed(Reason::Held)));
    let due = store.due().await;
    let owed: Vec<_> = due
        .iter()
        .map(|refund| (refund.order_id, refund.amount))
        .collect();
    assert_eq!(owed, [(id(1), money(PRICE)), (id(2), money(PRICE))]);
    assert_eq!(store.counters("A").await, (1, 0, 0));
    store.assert_conserved().await;
}

pub async fn a_payment_for_a_missing_order_is_owed_back_and_fails_the_order(
    store: &Fixture<impl Store>,
) {
    store.seed([("A", 1)]).await;
    let outcomes = store.settle(vec![(1, confirm())]).await;
    assert!(outcomes[0].applied);
    let order = outcomes[0].order.clone().unwrap();
    assert_eq!((order.state, order.reason), failed(Reason::MissingOrder));
    assert_eq!(store.due().await[0].amount, money(PRICE));
    // The cart comes late: the tombstone keeps it out.
    let late = store.order(1, [("A", 1)]).await;
    assert_eq!((late.state, late.reason), failed(Reason::MissingOrder));
    assert_eq!(store.counters("A").await, (1, 0, 0));
    store.assert_conserved().await;
}

pub async fn releasing_a_missing_order_writes_nothing(store: &Fixture<impl Store>) {
    store.seed([("A", 1)]).await;
    let outcomes = store.settle(vec![(1, release(Reason::Expired))]).await;
    assert_eq!((outcomes[0].applied, &outcomes[0].order), (false, &None));
    assert_eq!(store.state(1).await, None);
    assert_eq!(store.order(1, [("A", 1)]).await.state, OrderState::Blocked);
}

pub async fn an_abandoned_order_stays_failed_when_its_cart_comes_late(store: &Fixture<impl Store>) {
    store.seed([("A", 3)]).await;
    let known = SettleAction::Abandon {
        reason: Reason::GaveUp,
        customer: Some(customer("c1")),
        cart_hash: Some(cart("c1", [("A", 1)]).hash()),
    };
    let outcomes = store
        .settle(vec![
            (1, known.clone()),
            (2, abandon(Reason::Poison)),
            (1, known),
        ])
        .await;
    let applied: Vec<bool> = outcomes.iter().map(|outcome| outcome.applied).collect();
    assert_eq!(applied, [true, true, false]);
    let tombstone = outcomes[0].order.clone().unwrap();
    assert_eq!((tombstone.state, tombstone.reason), failed(Reason::GaveUp));
    assert_eq!(tombstone.customer, Some(customer("c1")));
    assert_eq!((tombstone.lines.len(), tombstone.batch), (0, None));
    let late = store
        .reserve(vec![
            accepted(1, [("A", 1)]),
            accepted(2, [("A", 1)]),
            accepted(1, [("A", 2)]),
        ])
        .await;
    let expected = [failed(Reason::GaveUp), failed(Reason::Poison)];
    assert_eq!(states(&late[..2]), expected);
    assert_eq!(late[2], ReserveOutcome::IdConflict);
    assert_eq!(store.counters("A").await, (3, 0, 0));
    store.assert_conserved().await;
}

pub async fn abandoning_a_decided_order_changes_nothing_and_tells_its_state(
    store: &Fixture<impl Store>,
) {
    store.seed([("A", 1)]).await;
    store.order(1, [("A", 1)]).await;
    store.order(2, [("A", 1)]).await;
    let outcomes = store
        .settle(vec![
            (1, abandon(Reason::GaveUp)),
            (2, abandon(Reason::GaveUp)),
        ])
        .await;
    assert!(outcomes.iter().all(|outcome| !outcome.applied));
    assert_eq!(
        outcomes[0].order.as_ref().unwrap().state,
        OrderState::Blocked
    );
    assert_eq!(store.state(1).await, Some(BLOCKED));
    assert_eq!(store.state(2).await, Some(failed(Reason::Held)));
    store.assert_conserved().await;
}

pub async fn a_paid_order_whose_stock_was_corrected_away_fails_and_is_owed(
    store: &Fixture<impl Store>,
) {
    store.seed([("A", 2), ("B", 2)]).await;
    store.order(1, [("A", 1), ("B", 1)]).await;
    assert_eq!(store.adjust("A", -2).await.available, -1);
    let outcomes = store.settle(vec![(1, confirm_units(2))]).await;
    let order = outcomes[0].order.clone().unwrap();
    assert!(outcomes[0].applied);
    assert_eq!(
        (order.state, order.reason),
        failed(Reason::NegativeInventory)
    );
    assert_eq!(store.counters("A").await, (0, 0, 0));
    assert_eq!(store.counters("B").await, (2, 0, 0), "all lines go back");
    let due = store.due().await;
    assert_eq!((due[0].order_id, due[0].amount), (id(1), money(2 * PRICE)));
    assert_eq!(due[0].reason, Reason::NegativeInventory);
    store.assert_conserved().await;
}

pub async fn of_ten_settled_in_one_batch_one_missing_unit_fails_only_one(
    store: &Fixture<impl Store>,
) {
    store.seed([("A", 10)]).await;
    let carts = (1..=10).map(|number| accepted(number, [("A", 1)]));
    store.reserve(carts.collect()).await;
    store.adjust("A", -1).await;
    let actions = (1..=10).map(|number| (number, confirm()));
    let outcomes = store.settle(actions.collect()).await;
    let placed = outcomes
        .iter()
        .filter(|outcome| outcome.order.as_ref().unwrap().state == OrderState::Placed)
        .count();
    assert_eq!(placed, 9);
    assert_eq!(store.counters("A").await, (0, 0, 9));
    assert_eq!(store.due().await.len(), 1);
    store.assert_conserved().await;
}

pub async fn stock_adjusted_back_before_it_is_settled_fails_nobody(store: &Fixture<impl Store>) {
    store.seed([("A", 3)]).await;
    let carts = (1..=3).map(|number| accepted(number, [("A", 1)]));
    store.reserve(carts.collect()).await;
    store.adjust("A", -3).await;
    store.adjust("A", 3).await;
    let actions = (1..=3).map(|number| (number, confirm()));
    store.settle(actions.collect()).await;
    assert_eq!(store.counters("A").await, (0, 0, 3));
    assert_eq!(store.due().await, []);
    store.assert_conserved().await;
}

pub async fn a_unit_released_in_the_same_batch_covers_a_missing_one(store: &Fixture<impl Store>) {
    store.seed([("A", 2)]).await;
    store.order(1, [("A", 1)]).await;
    store.order(2, [("A", 1)]).await;
    store.adjust("A", -1).await;
    store
        .settle(vec![(1, release(Reason::Declined)), (2, confirm())])
        .await;
    assert_eq!(store.state(2).await, Some(PLACED));
    assert_eq!(store.counters("A").await, (0, 0, 1));
    store.assert_conserved().await;
}

pub async fn a_refund_is_due_until_it_is_executed_and_is_owed_once(store: &Fixture<impl Store>) {
    for number in [2, 1] {
        store.settle_one(number, confirm()).await;
        store.pass(std::time::Duration::from_secs(1)).await;
    }
    let due: Vec<_> = store.due().await;
    let ids: Vec<_> = due.iter().map(|refund| refund.order_id).collect();
    assert_eq!(ids, [id(2), id(1)], "oldest first");
    assert!(due.iter().all(|refund| refund.executed_at.is_none()));
    let first = store.port.refunds_due(None, 1).await.unwrap();
    assert_eq!(first, due[..1]);
    // Behind the first comes the second, and behind that nothing.
    let behind = |refund: &Refund| Some(Owed::from(refund));
    let second = store.port.refunds_due(behind(&due[0]), 10).await.unwrap();
    assert_eq!(second, due[1..]);
    let none = store.port.refunds_due(behind(&due[1]), 10).await.unwrap();
    assert_eq!(none, []);
    // A repeat owes nothing new, before and after it was executed.
    assert!(!store.settle_one(2, confirm()).await);
    assert_eq!(store.due().await, due);
    store.port.refunded(vec![id(2)]).await.unwrap();
    store.other.refunded(vec![id(2)]).await.unwrap();
    store.settle_one(2, confirm()).await;
    assert_eq!(store.due().await, due[1..]);
    let story = store.port.story(id(2)).await.unwrap().unwrap();
    assert!(story.refund.unwrap().executed_at.is_some());
}

pub async fn another_amount_than_the_order_s_is_owed_back_and_places_nothing(
    store: &Fixture<impl Store>,
) {
    store.seed([("A", 3), ("B", 3)]).await;
    store.order(1, [("A", 1), ("B", 1)]).await;
    store.order(2, [("A", 1)]).await;
    store.order(3, [("A", 1)]).await;
    let one = SettleAction::Confirm { captured: money(1) };
    let outcomes = store
        .settle(vec![
            (1, one.clone()),
            (2, confirm()),
            (3, confirm_units(2)),
        ])
        .await;
    let state = |number: usize| {
        let order = outcomes[number - 1].order.clone().unwrap();
        (order.state, order.reason)
    };
    assert_eq!(state(1), failed(Reason::AmountMismatch));
    assert_eq!(state(2), PLACED);
    assert_eq!(state(3), failed(Reason::AmountMismatch));
    assert!(outcomes.iter().all(|outcome| outcome.applied));
    // Final: not even the right amount places it afterwards.
    assert!(!store.settle_one(1, confirm_units(2)).await);
    assert_eq!(store.state(1).await, Some(failed(Reason::AmountMismatch)));
    let mut owed: Vec<_> = store.due().await;
    owed.sort_by_key(|refund| refund.order_id);
    let owed: Vec<_> = owed
        .iter()
        .map(|refund| (refund.order_id, refund.amount, refund.reason))
        .collect();
    let mismatch = Reason::AmountMismatch;
    assert_eq!(
        owed,
        [
            (id(1), money(1), mismatch),
            (id(3), money(2 * PRICE), mismatch)
        ]
    );
    assert_eq!(store.counters("A").await, (2, 0, 1));
    assert_eq!(store.counters("B").await, (3, 0, 0));
    store.assert_conserved().await;
}

/// One test per case, over one adapter.
macro_rules! settle_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            settle over $($adapter)+;
            confirming_sells_once_however_often_it_is_repeated,
            releasing_gives_back_once_however_often_it_is_repeated,
            one_order_several_times_in_a_batch_moves_stock_once,
            a_placed_order_is_never_released,
            a_payment_for_a_failed_order_is_owed_back_and_places_nothing,
            a_payment_for_a_missing_order_is_owed_back_and_fails_the_order,
            releasing_a_missing_order_writes_nothing,
            an_abandoned_order_stays_failed_when_its_cart_comes_late,
            abandoning_a_decided_order_changes_nothing_and_tells_its_state,
            a_paid_order_whose_stock_was_corrected_away_fails_and_is_owed,
            of_ten_settled_in_one_batch_one_missing_unit_fails_only_one,
            stock_adjusted_back_before_it_is_settled_fails_nobody,
            a_unit_released_in_the_same_batch_covers_a_missing_one,
            a_refund_is_due_until_it_is_executed_and_is_owed_once,
            another_amount_than_the_order_s_is_owed_back_and_places_nothing,
        }
    };
}
pub(crate) use settle_suite;
