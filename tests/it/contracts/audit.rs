//! What [`Auditing`] promises.

use std::time::Duration;

use futures::future::join_all;
use oms::domain::{GatewayId, OrderId, Reason, Timestamp};
use oms::inventory::{AuditReport, Auditing, Check, GatewayBinding, GatewayRecord, SettleAction};
use uuid::Uuid;

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

fn gateway(number: u128) -> GatewayId {
    GatewayId::simulated(Uuid::from_u128(number))
}

fn recorded(number: u128, since: i64) -> GatewayRecord {
    GatewayRecord {
        id: gateway(number),
        location: format!("/folder of {number} 'ä'/payments.db"),
        since: Timestamp::from_millis(since),
    }
}

pub async fn the_first_gateway_stays_on_record(store: &Fixture<impl Store + GatewayBinding>) {
    assert_eq!(store.other.gateway().await.unwrap(), None);
    let first = recorded(1, i64::MIN);
    let bound = store.port.bind_gateway(first.clone(), None).await.unwrap();
    assert_eq!(bound, first);
    // Neither another one nor the same, found elsewhere, changes the record.
    let moved = GatewayRecord {
        location: "/elsewhere/payments.db".to_owned(),
        ..first.clone()
    };
    for later in [recorded(2, 5), moved] {
        let bound = store.other.bind_gateway(later, None).await.unwrap();
        assert_eq!(bound, first);
    }
    assert_eq!(store.port.gateway().await.unwrap(), Some(first));
}

pub async fn ten_first_starts_at_once_agree_on_one_gateway(
    store: &Fixture<impl Store + GatewayBinding>,
) {
    let starts = (0..10).map(|number| {
        let port = if number % 2 == 0 {
            &store.port
        } else {
            &store.other
        };
        port.bind_gateway(recorded(number, 0), None)
    });
    let told = join_all(starts).await;
    let on_record = store.port.gateway().await.unwrap().unwrap();
    for record in told {
        assert_eq!(record.unwrap(), on_record);
    }
}

pub async fn a_gateway_is_replaced_only_by_who_names_the_present_one(
    store: &Fixture<impl Store + GatewayBinding>,
) {
    let (first, second) = (recorded(1, i64::MIN), recorded(2, 1_700_000_000_000));
    store.port.bind_gateway(first.clone(), None).await.unwrap();
    let replace = async |record: &GatewayRecord, replaces| {
        let bound = store.other.bind_gateway(record.clone(), Some(replaces));
        bound.await.unwrap()
    };
    assert_eq!(replace(&second, gateway(9)).await, first);
    assert_eq!(replace(&second, gateway(1)).await, second);
    assert_eq!(replace(&recorded(3, 0), gateway(1)).await, second);
    assert_eq!(store.port.gateway().await.unwrap(), Some(second));
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
            the_first_gateway_stays_on_record,
            ten_first_starts_at_once_agree_on_one_gateway,
            a_gateway_is_replaced_only_by_who_names_the_present_one,
        }
    };
}
pub(crate) use audit_suite;
