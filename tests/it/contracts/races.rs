//! What the inventory promises to callers that come at once, in one process and in two.

use futures::future::join_all;
use oms::domain::{OrderState, Reason};
use oms::inventory::{ReserveBatch, Settle, SettleAction};

use super::Fixture;
use super::store::{HOLD, Store, order_of, release};
use crate::make::{PRICE, accepted, id, money};

impl<I: Store> Fixture<I> {
    /// This process or the other, by turns.
    fn either(&self, number: u64) -> &I {
        if number.is_multiple_of(2) {
            &self.port
        } else {
            &self.other
        }
    }
}

pub async fn many_buyers_at_once_get_exactly_what_there_is(store: &Fixture<impl Store>) {
    store.seed([("A", 30)]).await;
    let buyers = (0..60).map(async |number| {
        let carts = vec![accepted(number, [("A", 1)])];
        let batch = ReserveBatch { carts, hold: HOLD };
        let reservation = store.either(number).reserve(batch).await;
        order_of(reservation.unwrap().outcomes.remove(0)).state
    });
    let states = join_all(buyers).await;
    let blocked = states.iter().filter(|state| **state == OrderState::Blocked);
    assert_eq!(blocked.count(), 30);
    assert_eq!(store.counters("A").await, (0, 30, 0));
    store.assert_conserved().await;
}

pub async fn opposed_carts_of_two_workers_neither_deadlock_nor_oversell(
    store: &Fixture<impl Store>,
) {
    store.seed([("A", 10), ("B", 10)]).await;
    let workers = (0..4).map(async |worker: u64| {
        for batch in 0..5 {
            let number = worker * 100 + batch * 2;
            let opposed = if worker.is_multiple_of(2) {
                ["A", "B"]
            } else {
                ["B", "A"]
            };
            let carts = (number..).zip(opposed);
            let carts = carts
                .map(|(number, name)| accepted(number, [(name, 1)]))
                .collect();
            let batch = ReserveBatch { carts, hold: HOLD };
            store.either(worker).reserve(batch).await.unwrap();
        }
    });
    join_all(workers).await;
    assert_eq!(store.counters("A").await, (0, 10, 0));
    assert_eq!(store.counters("B").await, (0, 10, 0));
    store.assert_conserved().await;
}

pub async fn one_cart_delivered_to_two_workers_at_once_is_blocked_once(
    store: &Fixture<impl Store>,
) {
    store.seed([("A", 50)]).await;
    let workers = (0..6).map(async |worker| {
        let carts = (0..10).map(|number| accepted(number, [("A", 1)])).collect();
        let batch = ReserveBatch { carts, hold: HOLD };
        store.either(worker).reserve(batch).await.unwrap().outcomes
    });
    let outcomes = join_all(workers).await;
    assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(store.counters("A").await, (40, 10, 0));
    store.assert_conserved().await;
}

pub async fn confirm_and_release_at_once_settle_an_order_one_way(store: &Fixture<impl Store>) {
    store.seed([("A", 20)]).await;
    let carts = (0..20).map(|number| accepted(number, [("A", 1)]));
    store.reserve(carts.collect()).await;
    let actions = [
        (
            0,
            SettleAction::Confirm {
                captured: money(PRICE),
            },
        ),
        (1, release(Reason::Expired)),
        (1, release(Reason::Cancelled)),
    ];
    let each = (0..20).flat_map(|number| actions.clone().map(|action| (number, action)));
    let settlers = each.map(async |(number, (process, action))| {
        let order_id = id(number);
        let batch = vec![Settle { order_id, action }];
        store.either(number + process).settle(batch).await.unwrap();
    });
    join_all(settlers).await;
    let (available, blocked, sold) = store.counters("A").await;
    assert_eq!((available + sold, blocked), (20, 0));
    // Whoever paid and lost is owed.
    let due = store.port.refunds_due(None, 100).await.unwrap();
    assert_eq!(i64::try_from(due.len()).unwrap(), available);
    store.assert_conserved().await;
}

pub async fn abandon_and_reserve_exclude_each_other(store: &Fixture<impl Store>) {
    store.seed([("A", 100)]).await;
    let racers = (0..30).map(async |number| {
        let carts = vec![accepted(number, [("A", 1)])];
        let abandon = Settle {
            order_id: id(number),
            action: SettleAction::Abandon {
                reason: Reason::GaveUp,
                customer: None,
                cart_hash: None,
            },
        };
        let (reserved, abandoned) = tokio::join!(
            store
                .either(number)
                .reserve(ReserveBatch { carts, hold: HOLD }),
            store.either(number + 1).settle(vec![abandon]),
        );
        let reserved = order_of(reserved.unwrap().outcomes.remove(0));
        let abandoned = abandoned.unwrap().outcomes.remove(0);
        assert_eq!(
            Some(reserved.state),
            abandoned.order.map(|order| order.state)
        );
        assert_eq!(abandoned.applied, reserved.state == OrderState::Failed);
    });
    join_all(racers).await;
    store.assert_conserved().await;
}

pub async fn a_cancellation_a_reserve_and_a_payment_at_once_end_an_order_one_way(
    store: &Fixture<impl Store>,
) {
    store.seed([("A", 100)]).await;
    let racers = (0..30).map(async |number| {
        let order_id = id(number);
        let carts = vec![accepted(number, [("A", 1)])];
        let settle = |process: u64, action| {
            let batch = vec![Settle { order_id, action }];
            store.either(number + process).settle(batch)
        };
        let write_off = SettleAction::Abandon {
            reason: Reason::Cancelled,
            customer: None,
            cart_hash: None,
        };
        // The buyer cancels while the worker reserves; whoever finds it reserved pays or releases it.
        let cancelling = async {
            let written_off = settle(1, write_off).await.unwrap().outcomes.remove(0);
            let order = written_off.order.unwrap();
            if order.state == OrderState::Blocked {
                settle(1, release(Reason::Cancelled)).await.unwrap();
            }
        };
        let reserving = async {
            let batch = ReserveBatch { carts, hold: HOLD };
            let reserved = store.either(number).reserve(batch).await.unwrap();
            let order = order_of(reserved.outcomes.into_iter().next().unwrap());
            if order.state == OrderState::Blocked {
                let captured = money(PRICE);
                settle(0, SettleAction::Confirm { captured }).await.unwrap();
            }
        };
        tokio::join!(cancelling, reserving);
        let orders = store.port.orders(vec![order_id]).await.unwrap();
        let order = orders.into_iter().next().flatten().unwrap();
        match order.state {
            OrderState::Placed => assert_eq!(order.reason, None),
            OrderState::Failed => assert_eq!(order.reason, Some(Reason::Cancelled)),
            OrderState::Blocked => panic!("{order:?}"),
        }
        order.state
    });
    let ended = join_all(racers).await;
    let placed = ended.iter().filter(|state| **state == OrderState::Placed);
    let placed = i64::try_from(placed.count()).unwrap();
    assert_eq!(store.counters("A").await, (100 - placed, 0, placed));
    store.assert_conserved().await;
}

/// One test per case, over one adapter.
macro_rules! races_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            races over $($adapter)+;
            many_buyers_at_once_get_exactly_what_there_is,
            opposed_carts_of_two_workers_neither_deadlock_nor_oversell,
            one_cart_delivered_to_two_workers_at_once_is_blocked_once,
            confirm_and_release_at_once_settle_an_order_one_way,
            abandon_and_reserve_exclude_each_other,
            a_cancellation_a_reserve_and_a_payment_at_once_end_an_order_one_way,
        }
    };
}
pub(crate) use races_suite;
