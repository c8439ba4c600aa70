//! What the inventory promises to those who read: stock, orders, what is overdue.

use std::time::Duration;

use oms::domain::{BatchRef, Reason};
use oms::inventory::HoldEnd;

use super::Fixture;
use super::store::{HOLD, Store, failed, release};
use crate::make::{accepted, id, sku};

pub async fn stock_answers_in_the_order_asked_and_none_for_unknown_items(
    store: &Fixture<impl Store>,
) {
    store.seed([("A", 1), ("B", 2)]).await;
    let asked = vec![sku("B"), sku("nowhere"), sku("A"), sku("B")];
    let answer = store.other.stock(asked, false).await.unwrap();
    let available = answer
        .levels
        .iter()
        .map(|level| level.as_ref().map(|level| level.available));
    assert_eq!(
        available.collect::<Vec<_>>(),
        [Some(2), None, Some(1), Some(2)]
    );
}

pub async fn the_earliest_hold_on_an_item_is_told_if_asked_for(store: &Fixture<impl Store>) {
    store.seed([("A", 9), ("B", 9)]).await;
    assert_eq!(store.level("A").await.earliest_hold, None);
    store.order(1, [("A", 1)]).await;
    store.pass(Duration::from_secs(5)).await;
    let second = store.order(2, [("A", 1), ("B", 1)]).await;
    let first = store.port.orders(vec![id(1)]).await.unwrap().remove(0);
    let first = first.unwrap();
    assert!(first.hold_until < second.hold_until);
    assert_eq!(store.level("A").await.earliest_hold, Some(first.hold_until));
    assert_eq!(
        store.level("B").await.earliest_hold,
        Some(second.hold_until)
    );
    let answer = store.port.stock(vec![sku("A")], false).await.unwrap();
    assert_eq!(answer.levels[0].as_ref().unwrap().earliest_hold, None);
    store.settle(vec![(1, release(Reason::Declined))]).await;
    assert_eq!(
        store.level("A").await.earliest_hold,
        Some(second.hold_until)
    );
    store.settle(vec![(2, release(Reason::Declined))]).await;
    assert_eq!(store.level("A").await.earliest_hold, None);
}

pub async fn orders_are_told_in_the_order_asked(store: &Fixture<impl Store>) {
    store.seed([("A", 1)]).await;
    store.order(1, [("A", 1)]).await;
    store.order(2, [("A", 1)]).await;
    let asked = vec![id(2), id(9), id(1), id(2)];
    let orders = store.other.orders(asked).await.unwrap();
    let ids = orders
        .iter()
        .map(|order| order.as_ref().map(|order| order.order_id));
    assert_eq!(
        ids.collect::<Vec<_>>(),
        [Some(id(2)), None, Some(id(1)), Some(id(2))]
    );
    let refused = orders[0].as_ref().unwrap();
    assert_eq!((refused.state, refused.reason), failed(Reason::Held));
    assert!(matches!(refused.batch, Some(BatchRef { position: 0, .. })));
}

pub async fn expired_tells_only_blocked_orders_longest_overdue_first(store: &Fixture<impl Store>) {
    store.seed([("A", 9)]).await;
    for number in [3, 1, 2] {
        store.order(number, [("A", 1)]).await;
        store.pass(Duration::from_secs(1)).await;
    }
    store.order(4, [("A", 100)]).await;
    let expired = async |limit| {
        let orders = store.port.expired(None, limit).await.unwrap();
        orders
            .iter()
            .map(|order| order.order_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(expired(10).await, []);
    store.pass(HOLD + Duration::from_secs(60)).await;
    assert_eq!(expired(10).await, [id(3), id(1), id(2)]);
    assert_eq!(expired(2).await, [id(3), id(1)]);
    store.settle(vec![(3, release(Reason::Expired))]).await;
    assert_eq!(expired(10).await, [id(1), id(2)]);
}

/// However few at a time, and although orders of one batch share the end of their hold.
pub async fn expired_goes_on_behind_an_order_and_leaves_none_out(store: &Fixture<impl Store>) {
    store.seed([("A", 99)]).await;
    store
        .reserve([4, 2, 3].map(|number| accepted(number, [("A", 1)])).into())
        .await;
    store.pass(Duration::from_secs(1)).await;
    store.order(1, [("A", 1)]).await;
    store.pass(HOLD + Duration::from_secs(60)).await;
    for limit in [1, 2, 3] {
        let (mut after, mut told) = (None, Vec::new());
        loop {
            let part = store.other.expired(after, limit).await.unwrap();
            assert!(part.len() <= limit);
            let Some(last) = part.last() else { break };
            after = Some(HoldEnd::from(last));
            told.extend(part.iter().map(|order| order.order_id));
        }
        assert_eq!(told, [id(2), id(3), id(4), id(1)], "{limit} at a time");
    }
    // What it goes on behind need not be there any more.
    let first = store.port.expired(None, 1).await.unwrap();
    store.settle(vec![(2, release(Reason::Expired))]).await;
    let rest = store.port.expired(Some(HoldEnd::from(&first[0])), 9).await;
    assert_eq!(rest.unwrap().len(), 3);
}

/// One test per case, over one adapter.
macro_rules! reads_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            reads over $($adapter)+;
            stock_answers_in_the_order_asked_and_none_for_unknown_items,
            the_earliest_hold_on_an_item_is_told_if_asked_for,
            orders_are_told_in_the_order_asked,
            expired_tells_only_blocked_orders_longest_overdue_first,
            expired_goes_on_behind_an_order_and_leaves_none_out,
        }
    };
}
pub(crate) use reads_suite;
