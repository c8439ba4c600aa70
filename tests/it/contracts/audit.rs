//! What [`Auditing`] promises.

use std::time::Duration;

use oms::domain::{OrderId, Reason};
use oms::inventory::{AuditReport, Auditing, Check, SettleAction};

use super::Fixture;
use super::store::{HOLD, Store, release};
use crate::make::{PRICE, accepted, id, money};

const GRACE: Duration = Duration::from_secs(60);

impl<I: Store + Auditing> Fixture<I> {
    async fn report(&self) -> AuditReport {
        self.other.audit(GRACE).await.unwrap()
    }

    async fn checks(&self) -> Vec<(Check, String)> {
        let findings = self.report().await.findings;
        let named = findings
            .into_iter()
            .map(|finding| (finding.check, finding.subject));
        named.collect()
    }
}

pub async fn one_store_has_one_id(store: &Fixture<impl Store + Auditing>) {
    let one = store.port.store_id().await.unwrap();
    assert_eq!(one, store.other.store_id().await.unwrap());
    assert!(!one.is_nil());
}

pub async fn an_empty_store_is_clean(store: &Fixture<impl Store + Auditing>) {
    assert_eq!(store.report().await, AuditReport::default());
}

pub async fn a_busy_store_is_clean_and_counted(store: &Fixture<impl Store + Auditing>) {
    store.seed([("A", 5), ("a", 5), ("B", 0)]).await;
    let carts = [
        accepted(1, [("A", 2), ("a", 1)]),
        accepted(2, [("A", 1)]),
        accepted(3, [("A", 1), ("a", 2)]),
        accepted(4, [("B", 1)]),
        accepted(5, [("nowhere", 1)]),
    ];
    store.reserve(carts.to_vec()).await;
    let captured = money(3 * PRICE);
    store
        .settle(vec![
            (1, SettleAction::Confirm { captured }),
            (2, release(Reason::Declined)),
            (9, SettleAction::Confirm { captured }),
        ])
        .await;
    store.adjust("A", -9).await;
    store.adjust("B", 3).await;
    let report = store.report().await;
    assert_eq!(report.findings, []);
    assert_eq!((report.skus, report.orders, report.units_sold), (3, 6, 3));
    assert_eq!(report.overdue, Vec::<OrderId>::new());
}

pub async fn an_overdue_hold_is_told_after_the_grace(store: &Fixture<impl Store + Auditing>) {
    store.seed([("A", 5)]).await;
    store.order(1, [("A", 1)]).await;
    store.pass(HOLD + GRACE / 2).await;
    assert_eq!(store.report().await.overdue, Vec::<OrderId>::new());
    store.pass(GRACE).await;
    assert_eq!(store.report().await.overdue, [id(1)]);
    store.settle(vec![(1, release(Reason::Expired))]).await;
    assert_eq!(store.report().await.overdue, Vec::<OrderId>::new());
}

pub async fn a_refund_not_executed_is_found_after_the_grace(
    store: &Fixture<impl Store + Auditing>,
) {
    let captured = money(PRICE);
    store
        .settle(vec![(1, SettleAction::Confirm { captured })])
        .await;
    store.pass(GRACE / 2).await;
    assert_eq!(store.checks().await, []);
    store.pass(GRACE).await;
    assert_eq!(
        store.checks().await,
        [(Check::Unrefunded, id(1).to_string())]
    );
    store.port.refunded(vec![id(1)]).await.unwrap();
    assert_eq!(store.checks().await, []);
}

pub async fn every_check_that_is_a_query_can_be_run_by_hand(
    store: &Fixture<impl Store + Auditing>,
) {
    let queries = store.port.audit_sql();
    for (check, sql) in &queries {
        assert!(!sql.trim().is_empty(), "{check:?}");
        assert!(sql.to_uppercase().contains("SELECT"), "{check:?}: {sql}");
    }
}

/// One test per case, over one adapter.
macro_rules! audit_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            audit over $($adapter)+;
            one_store_has_one_id,
            an_empty_store_is_clean,
            a_busy_store_is_clean_and_counted,
            an_overdue_hold_is_told_after_the_grace,
            a_refund_not_executed_is_found_after_the_grace,
            every_check_that_is_a_query_can_be_run_by_hand,
        }
    };
}
pub(crate) use audit_suite;
