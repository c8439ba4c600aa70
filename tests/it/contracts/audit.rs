//! What [`Auditing`] promises.

use std::time::Duration;

use futures::future::join_all;
use oms::domain::{GatewayId, OrderId, OrderState, Reason, Timestamp};
use oms::inventory::{
    AuditReport, AuditRequest, Auditing, Check, CheckedOrder, Coverage, GatewayBinding,
    GatewayRecord, OrderSink, SettleAction,
};
use uuid::Uuid;

use super::Fixture;
use super::damage::Tamper;
use super::store::{HOLD, Store, release};
use crate::make::{PRICE, accepted, id, money};

const GRACE: Duration = Duration::from_secs(60);

impl<I: Store + Auditing> Fixture<I> {
    /// Of a store without checkpoints, where every audit reads everything.
    async fn report(&self) -> AuditReport {
        let report = self.full().await;
        assert_eq!(report, self.incremental().await);
        report
    }

    async fn full(&self) -> AuditReport {
        self.audited(AuditRequest::full(GRACE)).await
    }

    async fn incremental(&self) -> AuditReport {
        self.audited(AuditRequest::incremental(GRACE)).await
    }

    async fn audited(&self, request: AuditRequest) -> AuditReport {
        self.other.audit(request, OrderSink::none()).await.unwrap()
    }

    /// What an audit reads, and what it hands over.
    async fn handed_over(&self, request: AuditRequest) -> (AuditReport, Vec<CheckedOrder>) {
        let (sink, mut pages) = OrderSink::channel();
        let taking = async {
            let mut orders = Vec::new();
            while let Some(page) = pages.next().await {
                orders.extend(page);
            }
            orders
        };
        let (report, orders) = tokio::join!(self.other.audit(request, sink), taking);
        (report.unwrap(), orders)
    }

    /// Covers what an audit has found right.
    async fn cover(&self, coverage: Option<Coverage>) -> u64 {
        let coverage = coverage.expect("nothing can be covered");
        let number = coverage.number;
        let audited_at = Timestamp::from_millis(1_000 + number.cast_signed());
        assert!(self.port.cover(coverage, audited_at).await.unwrap());
        let last = self.other.checkpoint().await.unwrap().unwrap();
        assert_eq!((last.number, last.audited_at), (number, audited_at));
        last.orders
    }

    /// Places an order of one unit of an item, in a batch of its own.
    async fn place(&self, number: u64, name: &str) {
        self.order(number, [(name, 1)]).await;
        self.settle(vec![(number, confirm())]).await;
    }

    async fn checks(&self) -> Vec<(Check, String)> {
        let findings = self.report().await.findings;
        let named = findings
            .into_iter()
            .map(|finding| (finding.check, finding.subject));
        named.collect()
    }
}

fn confirm() -> SettleAction {
    SettleAction::Confirm {
        captured: money(PRICE),
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

pub async fn what_a_checkpoint_covers_is_read_by_full_audits_only(
    store: &Fixture<impl Store + Auditing>,
) {
    store.seed([("A", 9), ("B", 9)]).await;
    assert_eq!(store.port.checkpoint().await.unwrap(), None);
    let carts = [accepted(1, [("A", 1)]), accepted(2, [("A", 1)])];
    store.reserve(carts.to_vec()).await;
    store
        .settle(vec![(1, confirm()), (2, release(Reason::Declined))])
        .await;
    store.place(3, "B").await;
    let report = store.incremental().await;
    assert_eq!((report.orders, report.units_sold), (3, 2));
    assert_eq!(store.cover(report.coverage).await, 3);
    let report = store.incremental().await;
    assert_eq!(report.findings, []);
    assert_eq!((report.orders, report.units_sold), (0, 2));
    assert_eq!(report.coverage, None, "nothing is left to cover");
    // The sums of checkpoint after checkpoint add up.
    for number in 4..7 {
        store.place(number, "B").await;
        let report = store.incremental().await;
        assert_eq!(report.findings, []);
        assert_eq!((report.orders, report.units_sold), (1, number - 1));
        assert_eq!(store.cover(report.coverage).await, number);
        let report = store.full().await;
        assert_eq!(report.findings, []);
        assert_eq!((report.orders, report.units_sold), (number, number - 1));
        assert_eq!(report.coverage, None);
    }
}

pub async fn a_batch_is_covered_once_all_of_its_orders_have_ended(
    store: &Fixture<impl Store + Auditing>,
) {
    store.seed([("A", 9)]).await;
    let carts = [accepted(1, [("A", 1)]), accepted(2, [("A", 1)])];
    store.reserve(carts.to_vec()).await;
    store.settle(vec![(1, confirm())]).await;
    let report = store.incremental().await;
    assert_eq!((report.findings, report.coverage), (Vec::new(), None));
    store.place(3, "A").await;
    let report = store.incremental().await;
    assert_eq!(report.orders, 3);
    assert_eq!(
        store.cover(report.coverage).await,
        1,
        "only the later batch"
    );
    assert_eq!(
        store.incremental().await.orders,
        2,
        "the other is read again"
    );
    assert_eq!(store.full().await.findings, []);
    store.settle(vec![(2, confirm())]).await;
    let report = store.full().await;
    assert_eq!(report.findings, []);
    assert_eq!(store.cover(report.coverage).await, 3);
    let report = store.incremental().await;
    assert_eq!((report.orders, report.units_sold), (0, 3));
    assert_eq!(store.full().await.findings, []);
}

pub async fn a_refund_that_is_due_keeps_its_batch_open(store: &Fixture<impl Store + Auditing>) {
    store.seed([("A", 9)]).await;
    store.order(1, [("A", 1)]).await;
    store.settle(vec![(1, release(Reason::Expired))]).await;
    store.settle(vec![(1, confirm())]).await;
    let report = store.incremental().await;
    assert_eq!((report.findings, report.coverage), (Vec::new(), None));
    store.port.refunded(vec![id(1)]).await.unwrap();
    assert_eq!(store.cover(store.incremental().await.coverage).await, 1);
}

pub async fn a_covered_order_that_changed_is_found_by_a_full_audit(
    store: &Fixture<impl Store + Auditing>,
) {
    store.seed([("A", 9)]).await;
    store.place(1, "A").await;
    store.place(2, "A").await;
    store.cover(store.incremental().await.coverage).await;
    store.place(3, "A").await;
    store.tamper(Tamper::Customer(2)).await;
    let report = store.incremental().await;
    assert_eq!((report.orders, report.findings), (1, Vec::new()));
    let report = store.full().await;
    let found: Vec<_> = (report.findings.iter())
        .map(|found| (found.check, found.subject.as_str()))
        .collect();
    assert_eq!(found, [(Check::Conservation, "checkpoint 1")]);
    assert_eq!(report.coverage, None);
}

pub async fn nothing_is_covered_while_an_item_is_broken(store: &Fixture<impl Store + Auditing>) {
    store.seed([("A", 9), ("B", 9)]).await;
    store.place(1, "A").await;
    store.place(2, "B").await;
    store.tamper(Tamper::Blocked("A", 4)).await;
    let report = store.incremental().await;
    assert!(!report.findings.is_empty());
    assert_eq!(report.coverage, None);
}

pub async fn orders_at_fault_are_not_covered_and_others_are(
    store: &Fixture<impl Store + Auditing>,
) {
    store.seed([("A", 9)]).await;
    for number in 1..=3 {
        store.place(number, "A").await;
    }
    let request = AuditRequest {
        at_fault: vec![id(2)],
        ..AuditRequest::incremental(GRACE)
    };
    let report = store.audited(request).await;
    assert_eq!(store.cover(report.coverage).await, 2);
    let (report, orders) = store.handed_over(AuditRequest::incremental(GRACE)).await;
    assert_eq!(orders.len(), 1);
    assert_eq!(orders[0].order_id, id(2));
    assert_eq!(store.cover(report.coverage).await, 3);
    assert_eq!(store.full().await.findings, []);
}

pub async fn of_two_audits_at_once_one_writes_the_checkpoint(
    store: &Fixture<impl Store + Auditing>,
) {
    store.seed([("A", 9)]).await;
    store.place(1, "A").await;
    let audit = || AuditRequest::incremental(GRACE);
    let (one, other) = tokio::join!(
        store.port.audit(audit(), OrderSink::none()),
        store.other.audit(audit(), OrderSink::none())
    );
    let at = Timestamp::from_millis;
    let (one, other) = tokio::join!(
        store.port.cover(one.unwrap().coverage.unwrap(), at(1)),
        store.other.cover(other.unwrap().coverage.unwrap(), at(2))
    );
    assert_ne!(one.unwrap(), other.unwrap(), "one of them");
    let last = store.port.checkpoint().await.unwrap().unwrap();
    assert_eq!((last.number, last.orders), (1, 1));
    let report = store.full().await;
    assert_eq!((report.findings, report.coverage), (Vec::new(), None));
    assert_eq!(store.incremental().await.orders, 0);
}

pub async fn every_audit_reads_tombstones(store: &Fixture<impl Store + Auditing>) {
    store.seed([("A", 9)]).await;
    store.place(1, "A").await;
    let abandon = SettleAction::Abandon {
        reason: Reason::GaveUp,
        customer: None,
        cart_hash: None,
    };
    store.settle(vec![(2, abandon)]).await;
    let report = store.incremental().await;
    assert_eq!(report.orders, 2);
    assert_eq!(store.cover(report.coverage).await, 1);
    let (report, orders) = store.handed_over(AuditRequest::incremental(GRACE)).await;
    assert_eq!((report.orders, report.findings), (1, Vec::new()));
    assert_eq!(orders[0].order_id, id(2));
    assert!(!orders[0].is_decided);
    assert_eq!(store.full().await.findings, []);
}

pub async fn an_audit_hands_over_the_orders_that_it_reads(store: &Fixture<impl Store + Auditing>) {
    store.seed([("A", 2)]).await;
    let carts = [3, 1, 2].map(|number| accepted(number, [("A", 1)]));
    store.reserve(carts.to_vec()).await;
    store.settle(vec![(1, confirm())]).await;
    for request in [AuditRequest::full(GRACE), AuditRequest::incremental(GRACE)] {
        let (report, orders) = store.handed_over(request).await;
        assert_eq!(report.orders, 3);
        let stored = store.port.orders(vec![id(1), id(2), id(3)]).await.unwrap();
        let stored = stored.iter().map(|order| order.as_ref().unwrap().into());
        assert_eq!(orders, stored.collect::<Vec<CheckedOrder>>());
        let states: Vec<_> = orders.iter().map(|order| order.state).collect();
        assert_eq!(
            states,
            [OrderState::Placed, OrderState::Failed, OrderState::Blocked]
        );
        assert_eq!(orders[0].amount, money(PRICE));
    }
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
            what_a_checkpoint_covers_is_read_by_full_audits_only,
            a_batch_is_covered_once_all_of_its_orders_have_ended,
            a_refund_that_is_due_keeps_its_batch_open,
            a_covered_order_that_changed_is_found_by_a_full_audit,
            nothing_is_covered_while_an_item_is_broken,
            orders_at_fault_are_not_covered_and_others_are,
            of_two_audits_at_once_one_writes_the_checkpoint,
            every_audit_reads_tombstones,
            an_audit_hands_over_the_orders_that_it_reads,
            every_check_that_is_a_query_can_be_run_by_hand,
            the_first_gateway_stays_on_record,
            ten_first_starts_at_once_agree_on_one_gateway,
            a_gateway_is_replaced_only_by_who_names_the_present_one,
        }
    };
}
pub(crate) use audit_suite;
