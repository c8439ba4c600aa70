//! Confirming appends and locks nothing; what was sold is folded into the items once.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use oms::domain::{OrderState, Reason};
use oms::inventory::{AuditRequest, Auditing, Check, Inventory, OrderSink, SettleAction};

use super::OnDatabase;
use crate::contracts::store::{BLOCKED, failed};
use crate::make::{PRICE, accepted, id, money};

/// Far below the time after which a lock is given up.
const AT_ONCE: Duration = Duration::from_secs(3);

const PLACED: (OrderState, Option<Reason>) = (OrderState::Placed, None);

fn confirm(units: i64) -> SettleAction {
    SettleAction::Confirm {
        captured: money(units * PRICE),
    }
}

impl OnDatabase {
    async fn number(&self, query: &str) -> i64 {
        let mut client = self.database.client().await;
        client.query_first(query).await.unwrap().unwrap()
    }

    /// Folds what was sold, as the sweep does after a second without a batch.
    async fn fold(&self) {
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        self.store.port.expired(None, 1).await.unwrap();
    }

    async fn sales(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM sales").await
    }
}

pub async fn confirming_waits_for_no_lock_of_an_item(on: &OnDatabase) {
    let store = &on.store;
    store.seed([("A", 5)]).await;
    store.order(1, [("A", 2)]).await;
    let mut rival = on.database.client().await;
    rival.query_drop("START TRANSACTION").await.unwrap();
    let locked = "SELECT version FROM items WHERE sku = 'A' FOR UPDATE";
    let version: Option<u64> = rival.query_first(locked).await.unwrap();
    let settled = tokio::time::timeout(AT_ONCE, store.settle(vec![(1, confirm(2))]));
    assert!(settled.await.unwrap()[0].applied);
    // Everybody sees it, although the item's row does not know yet.
    assert_eq!(store.counters("A").await, (3, 0, 2));
    assert!(store.level("A").await.version > version.unwrap());
    let raw = "SELECT blocked FROM items WHERE sku = 'A'";
    assert_eq!((on.number(raw).await, on.sales().await), (2, 1));
    drop(rival);
    on.fold().await;
    assert_eq!((on.number(raw).await, on.sales().await), (0, 0));
    assert_eq!(store.counters("A").await, (3, 0, 2));
    store.assert_conserved().await;
}

pub async fn what_two_workers_fold_at_once_is_folded_once(on: &OnDatabase) {
    let store = &on.store;
    store.seed([("A", 900), ("B", 900), ("C", 900)]).await;
    let mut sold = 0;
    for round in 0..30_u64 {
        let of = |part: u64| (round * 30 + part * 10)..(round * 30 + part * 10 + 10);
        let carts = |part: u64, name: &'static str| {
            let carts = of(part).map(move |n| accepted(n, [(name, 1), ("C", 1)]));
            store_batch(carts.collect())
        };
        let (one, other) = tokio::join!(
            store.port.reserve(carts(0, "A")),
            store.other.reserve(carts(1, "B")),
        );
        one.unwrap();
        other.unwrap();
        let numbers: Vec<u64> = of(0).chain(of(1)).collect();
        sold += 20;
        let confirms = numbers.into_iter().map(|n| (n, confirm(2)));
        let outcomes = store.settle(confirms.collect()).await;
        assert!(outcomes.iter().all(|outcome| outcome.applied));
        assert_eq!(store.counters("C").await, (900 - sold, 0, sold));
    }
    on.fold().await;
    assert_eq!(on.sales().await, 0);
    let raw = "SELECT CAST(SUM(sold) AS SIGNED) FROM items WHERE blocked = 0";
    assert_eq!(on.number(raw).await, 2 * sold);
    store.assert_conserved().await;
}

fn store_batch(carts: Vec<oms::domain::AcceptedCart>) -> oms::inventory::ReserveBatch {
    oms::inventory::ReserveBatch {
        carts,
        hold: crate::contracts::store::HOLD,
    }
}

pub async fn what_cannot_be_folded_waits_for_a_repair(on: &OnDatabase) {
    let store = &on.store;
    store.seed([("A", 5), ("B", 5)]).await;
    store.order(1, [("A", 2), ("B", 1)]).await;
    on.database
        .run("UPDATE items SET blocked = 1 WHERE sku = 'A'")
        .await;
    // Paid for and blocked for it: it is placed, and the audit finds the item.
    assert!(store.settle(vec![(1, confirm(3))]).await[0].applied);
    store.order(2, [("A", 1), ("B", 1)]).await;
    assert_eq!(on.sales().await, 1, "B's is folded");
    assert_eq!(store.counters("B").await, (3, 1, 1));
    let found = store
        .port
        .audit(
            AuditRequest::full(Duration::from_secs(60)),
            OrderSink::none(),
        )
        .await
        .unwrap();
    let found: Vec<_> = found
        .findings
        .iter()
        .map(|finding| (finding.check, finding.subject.as_str()))
        .collect();
    assert!(found.contains(&(Check::Conservation, "A")), "{found:?}");
    on.database
        .run("UPDATE items SET blocked = blocked + 1 WHERE sku = 'A'")
        .await;
    store.order(3, [("A", 1)]).await;
    assert_eq!(on.sales().await, 0);
    assert_eq!(store.counters("A").await, (1, 2, 2));
    store.assert_conserved().await;
}

pub async fn an_order_that_is_not_what_it_was_is_confirmed_by_its_row(on: &OnDatabase) {
    let store = &on.store;
    store.seed([("A", 9)]).await;
    // From now on this process keeps what it reserves.
    store.order(1, [("A", 1)]).await;
    store.settle(vec![(1, confirm(1))]).await;
    for number in 2..=4 {
        store.order(number, [("A", 1)]).await;
    }
    let hex = |number| id(number).uuid().simple().to_string();
    // The database has lost its last commits: one was decided again at another price, and one is not there any more.
    for statement in [
        format!(
            "UPDATE orders SET body = REPLACE(body, ',{PRICE},', ',7,') WHERE order_id = X'{}'",
            hex(2)
        ),
        format!("DELETE FROM orders WHERE order_id = X'{}'", hex(3)),
        "UPDATE items SET available = available + 1, blocked = blocked - 1 WHERE sku = 'A'"
            .to_owned(),
    ] {
        on.database.run(&statement).await;
    }
    let confirms = (2..=4).map(|number| (number, confirm(1)));
    let outcomes = store.settle(confirms.collect()).await;
    assert!(outcomes.iter().all(|outcome| outcome.applied));
    assert_eq!(
        store.state(2).await,
        Some(failed(Reason::AmountMismatch)),
        "another amount was captured than it costs"
    );
    assert_eq!(store.state(3).await, Some(failed(Reason::MissingOrder)));
    assert_eq!(store.state(4).await, Some(PLACED));
    let owed = store.port.refunds_due(None, 9).await.unwrap();
    let owed: Vec<_> = owed.iter().map(|refund| refund.order_id).collect();
    assert_eq!(owed, [id(2), id(3)]);
    assert_eq!(store.counters("A").await, (7, 0, 2));
    store.assert_conserved().await;
}

pub async fn batches_whose_orders_have_ended_are_closed_by_the_sweep(on: &OnDatabase) {
    let store = &on.store;
    store.seed([("A", 9)]).await;
    for number in 1..=3 {
        store.order(number, [("A", 1)]).await;
    }
    store.settle(vec![(1, confirm(1)), (3, confirm(1))]).await;
    store
        .pass(crate::contracts::store::HOLD + Duration::from_secs(1))
        .await;
    let open = "SELECT COUNT(*) FROM batches WHERE closed = 0";
    assert_eq!(on.number(open).await, 3);
    let overdue = store.port.expired(None, 9).await.unwrap();
    let overdue: Vec<_> = overdue.iter().map(|order| order.order_id).collect();
    assert_eq!(overdue, [id(2)]);
    assert_eq!(on.number(open).await, 1);
    assert_eq!(store.state(2).await, Some(BLOCKED));
    let released = vec![(2, crate::contracts::store::release(Reason::Expired))];
    assert!(store.settle(released).await[0].applied);
    assert!(store.port.expired(None, 9).await.unwrap().is_empty());
    assert_eq!(on.number(open).await, 0);
    store.assert_conserved().await;
}

/// One test per case, over one server.
macro_rules! sales_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            mysql_sales over $($adapter)+;
            confirming_waits_for_no_lock_of_an_item,
            what_two_workers_fold_at_once_is_folded_once,
            what_cannot_be_folded_waits_for_a_repair,
            an_order_that_is_not_what_it_was_is_confirmed_by_its_row,
            batches_whose_orders_have_ended_are_closed_by_the_sweep,
        }
    };
}
pub(crate) use sales_suite;
