//! What [`Administration`] promises: catalogue, corrections, order search.

use std::time::Duration;

use oms::domain::{OrderState, Reason};
use oms::inventory::{Adjusted, Adjustment, Item, NewItem, OrderFilter, PutOutcome, SettleAction};
use uuid::Uuid;

use super::Fixture;
use super::store::{Store, release};
use crate::make::{PRICE, accepted, customer, id, item, money, sku};

fn adjustment(number: u128, name: &str, by: i64) -> Adjustment {
    Adjustment {
        id: Uuid::from_u128(number),
        sku: sku(name),
        by,
        reason: "recount".to_owned(),
    }
}

fn names(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.level.sku.as_str()).collect()
}

impl<I: Store> Fixture<I> {
    async fn corrected(&self, adjustment: Adjustment) -> Adjusted {
        let mut adjusted = self.port.adjust(vec![adjustment]).await.unwrap();
        adjusted.remove(0)
    }

    async fn found(&self, filter: OrderFilter) -> Vec<u64> {
        let limit = if filter.limit == 0 { 100 } else { filter.limit };
        let filter = OrderFilter { limit, ..filter };
        let orders = self.other.find_orders(filter).await.unwrap();
        let number = |order: &oms::domain::Order| (1..=9).find(|n| id(*n) == order.order_id);
        orders.iter().filter_map(number).collect()
    }
}

pub async fn an_item_is_created_once_and_only_name_and_price_change(store: &Fixture<impl Store>) {
    let put = async |item: NewItem| store.port.put_items(vec![item]).await.unwrap()[0];
    assert_eq!(put(item("A", 5)).await, PutOutcome::Created);
    assert_eq!(put(item("A", 5)).await, PutOutcome::Unchanged);
    assert_eq!(put(item("A", 99)).await, PutOutcome::Unchanged);
    let dearer = NewItem {
        price: money(999),
        ..item("A", 99)
    };
    assert_eq!(put(dearer.clone()).await, PutOutcome::Changed);
    let renamed = NewItem {
        name: "Ä".to_owned(),
        ..dearer
    };
    assert_eq!(put(renamed).await, PutOutcome::Changed);
    let items = store.other.items(None, 10).await.unwrap();
    let kept = &items[0];
    assert_eq!(
        (kept.name.as_str(), kept.price, kept.initial),
        ("Ä", money(999), 5)
    );
    assert_eq!(kept.level.available, 5);
    store.assert_conserved().await;
}

pub async fn an_item_twice_in_one_list_is_put_twice(store: &Fixture<impl Store>) {
    let dearer = NewItem {
        price: money(999),
        ..item("A", 7)
    };
    let outcomes = store
        .port
        .put_items(vec![item("A", 5), dearer, item("B", 1)])
        .await
        .unwrap();
    assert_eq!(
        outcomes,
        [
            PutOutcome::Created,
            PutOutcome::Changed,
            PutOutcome::Created
        ]
    );
    assert_eq!(store.counters("A").await, (5, 0, 0));
}

pub async fn a_new_price_holds_for_later_orders_only(store: &Fixture<impl Store>) {
    store.seed([("A", 5)]).await;
    assert_eq!(store.order(1, [("A", 2)]).await.amount, money(2 * PRICE));
    let dearer = NewItem {
        price: money(999),
        ..item("A", 0)
    };
    store.port.put_items(vec![dearer]).await.unwrap();
    assert_eq!(store.order(2, [("A", 1)]).await.amount, money(999));
    let redelivered = store.order(1, [("A", 2)]).await;
    assert_eq!(redelivered.amount, money(2 * PRICE));
}

pub async fn items_come_bytewise_and_page_by_page(store: &Fixture<impl Store>) {
    store
        .seed([
            ("b", 1),
            ("B", 1),
            ("a", 1),
            ("A", 1),
            ("ä", 1),
            ("10", 1),
            ("9", 1),
        ])
        .await;
    let all = store.port.items(None, 100).await.unwrap();
    assert_eq!(names(&all), ["10", "9", "A", "B", "a", "b", "ä"]);
    let page = store.port.items(Some(sku("9")), 3).await.unwrap();
    assert_eq!(names(&page), ["A", "B", "a"]);
    let last = store.port.items(Some(sku("Z")), 100).await.unwrap();
    assert_eq!(
        names(&last),
        ["a", "b", "ä"],
        "after an item that is not there"
    );
    assert_eq!(store.port.items(None, 0).await.unwrap(), []);
}

pub async fn a_catalogue_of_thousands_is_put_at_once(store: &Fixture<impl Store>) {
    let items: Vec<_> = (0..5_000).map(|n| item(&format!("S{n:04}"), 1)).collect();
    let outcomes = store.port.put_items(items).await.unwrap();
    assert_eq!(outcomes, vec![PutOutcome::Created; 5_000]);
    assert_eq!(store.port.items(None, 10_000).await.unwrap().len(), 5_000);
}

pub async fn a_repeated_correction_is_no_second_one(store: &Fixture<impl Store>) {
    store.seed([("A", 5), ("B", 5)]).await;
    let once = adjustment(1, "A", -2);
    let Adjusted::Applied(level) = store.corrected(once.clone()).await else {
        panic!("the first must be applied");
    };
    assert_eq!(level.available, 3);
    let again = store
        .port
        .adjust(vec![once.clone(), once.clone()])
        .await
        .unwrap();
    for repeat in again {
        let Adjusted::Repeated(level) = repeat else {
            panic!("{repeat:?}")
        };
        assert_eq!(level.available, 3);
    }
    let other = Adjustment {
        by: -3,
        ..once.clone()
    };
    assert_eq!(store.corrected(other).await, Adjusted::IdConflict);
    let elsewhere = Adjustment {
        sku: sku("B"),
        ..once
    };
    assert_eq!(store.corrected(elsewhere).await, Adjusted::IdConflict);
    assert_eq!(store.port.adjustments(sku("A"), 10).await.unwrap().len(), 1);
    assert_eq!(store.counters("B").await, (5, 0, 0));
    store.assert_conserved().await;
}

pub async fn a_correction_twice_in_one_list_is_applied_once(store: &Fixture<impl Store>) {
    store.seed([("A", 5)]).await;
    let twice = vec![adjustment(1, "A", 4); 2];
    let adjusted = store.port.adjust(twice).await.unwrap();
    assert!(matches!(
        adjusted[..],
        [Adjusted::Applied(_), Adjusted::Repeated(_)]
    ));
    assert_eq!(store.counters("A").await, (9, 0, 0));
    store.assert_conserved().await;
}

pub async fn corrections_may_go_below_zero_but_not_out_of_range(store: &Fixture<impl Store>) {
    store.seed([("A", 5)]).await;
    let version = store.level("A").await.version;
    let outcomes = store
        .port
        .adjust(vec![
            adjustment(1, "A", -7),
            adjustment(2, "nowhere", 1),
            adjustment(3, "A", 1_000_000_000_003),
            adjustment(4, "A", i64::MAX),
            adjustment(5, "A", i64::MIN),
        ])
        .await
        .unwrap();
    let Adjusted::Applied(level) = &outcomes[0] else {
        panic!("{outcomes:?}")
    };
    assert_eq!((level.available, level.version), (-2, version + 1));
    assert_eq!(outcomes[1], Adjusted::UnknownSku);
    assert_eq!(outcomes[2..], vec![Adjusted::OutOfRange; 3]);
    assert_eq!(store.counters("A").await, (-2, 0, 0));
    // Of an item with nothing available the sum does not overflow, and its absolute value would.
    store.seed([("B", 0)]).await;
    for (number, by) in [(6, i64::MIN), (7, i64::MIN + 1), (8, -1_000_000_000_001)] {
        let outcome = store.corrected(adjustment(number, "B", by)).await;
        assert_eq!(outcome, Adjusted::OutOfRange, "{by}");
    }
    let refused = store.port.adjust(vec![adjustment(9, "B", 0)]).await;
    assert!(refused.is_err_and(|error| !error.is_transient()));
    let outcome = store
        .corrected(adjustment(10, "B", -1_000_000_000_000))
        .await;
    assert!(matches!(outcome, Adjusted::Applied(level) if level.available == -1_000_000_000_000));
    store.assert_conserved().await;
}

pub async fn the_corrections_of_an_item_are_told_latest_first(store: &Fixture<impl Store>) {
    store.seed([("A", 5), ("B", 5)]).await;
    for (number, by) in [(9, 1), (3, -4), (5, 10)] {
        store.corrected(adjustment(number, "A", by)).await;
        store.pass(Duration::from_secs(1)).await;
    }
    store.corrected(adjustment(6, "B", 1)).await;
    let rows = store.other.adjustments(sku("A"), 2).await.unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.by, row.available_after))
        .collect();
    assert_eq!(told, [(10, 12), (-4, 2)]);
    assert_eq!(rows[0].id, Uuid::from_u128(5));
    assert_eq!(
        (rows[0].sku.clone(), rows[0].reason.as_str()),
        (sku("A"), "recount")
    );
    assert!(rows[1].at < rows[0].at);
    let item = &store.port.items(None, 1).await.unwrap()[0];
    assert_eq!((item.initial, item.adjusted), (5, 7));
}

pub async fn orders_are_found_by_state_reason_customer_and_page(store: &Fixture<impl Store>) {
    store.seed([("A", 3)]).await;
    let carts = [3, 1, 2, 4, 5].map(|number| accepted(number, [("A", 1)]));
    store.reserve(carts.to_vec()).await;
    let captured = money(PRICE);
    store
        .settle(vec![
            (1, SettleAction::Confirm { captured }),
            (2, release(Reason::Declined)),
        ])
        .await;
    let all = OrderFilter::default;
    assert_eq!(store.found(all()).await, [1, 2, 3, 4, 5]);
    let failed = OrderFilter {
        state: Some(OrderState::Failed),
        ..all()
    };
    assert_eq!(store.found(failed.clone()).await, [2, 4, 5]);
    let blocked = OrderFilter {
        state: Some(OrderState::Blocked),
        ..all()
    };
    assert_eq!(store.found(blocked).await, [3]);
    let held = OrderFilter {
        reason: Some(Reason::Held),
        ..failed.clone()
    };
    assert_eq!(store.found(held).await, [4, 5]);
    let of_customer = OrderFilter {
        customer: Some(customer("c4")),
        ..all()
    };
    assert_eq!(store.found(of_customer).await, [4]);
    let page = OrderFilter {
        after: Some(id(2)),
        limit: 1,
        ..failed
    };
    assert_eq!(store.found(page).await, [4]);
}

pub async fn the_story_of_an_order_names_its_batch_and_refund(store: &Fixture<impl Store>) {
    store.seed([("A", 2)]).await;
    assert_eq!(store.other.story(id(1)).await.unwrap(), None);
    let carts = (1..=3).map(|number| accepted(number, [("A", 1)]));
    store.reserve(carts.collect()).await;
    // A redelivery is no batch of its own.
    store.order(3, [("A", 1)]).await;
    let story = store.other.story(id(3)).await.unwrap().unwrap();
    let batch = story.batch.unwrap();
    assert_eq!((batch.orders, batch.blocked), (3, 2));
    assert_eq!(story.order.batch.map(|batch| batch.id), Some(batch.id));
    assert_eq!(batch.decided_at, story.order.decided_at);
    assert_eq!(story.refund, None);
    let captured = money(PRICE);
    store
        .settle(vec![
            (3, SettleAction::Confirm { captured }),
            (7, SettleAction::Confirm { captured }),
        ])
        .await;
    let refused = store.port.story(id(3)).await.unwrap().unwrap();
    assert_eq!(refused.refund.map(|refund| refund.amount), Some(captured));
    let missing = store.port.story(id(7)).await.unwrap().unwrap();
    assert_eq!(missing.batch, None);
    assert_eq!(
        missing.refund.map(|refund| refund.reason),
        Some(Reason::MissingOrder)
    );
    let later = store.order(4, [("A", 9)]).await;
    assert_ne!(later.batch.unwrap().id, batch.id);
}

/// One test per case, over one adapter.
macro_rules! administration_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            administration over $($adapter)+;
            an_item_is_created_once_and_only_name_and_price_change,
            an_item_twice_in_one_list_is_put_twice,
            a_new_price_holds_for_later_orders_only,
            items_come_bytewise_and_page_by_page,
            a_catalogue_of_thousands_is_put_at_once,
            a_repeated_correction_is_no_second_one,
            a_correction_twice_in_one_list_is_applied_once,
            corrections_may_go_below_zero_but_not_out_of_range,
            the_corrections_of_an_item_are_told_latest_first,
            orders_are_found_by_state_reason_customer_and_page,
            the_story_of_an_order_names_its_batch_and_refund,
        }
    };
}
pub(crate) use administration_suite;
