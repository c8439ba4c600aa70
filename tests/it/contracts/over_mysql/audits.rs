//! What the audit finds in a damaged database, and that it sees one moment of a busy one.

use std::time::Duration;

use mysql_async::Row;
use mysql_async::prelude::Queryable;
use oms::domain::{Reason, Timestamp};
use oms::inventory::{AuditReport, AuditRequest, Auditing, Check, OrderSink, SettleAction};

use super::OnDatabase;
use crate::contracts::store::release;
use crate::make::{PRICE, accepted, id, money};

const GRACE: Duration = Duration::from_secs(60);

impl OnDatabase {
    /// Two items, one order of each state, a refund and two corrections.
    async fn busy(&self) {
        let store = &self.store;
        store.seed([("A", 9), ("a\"\\π", 9)]).await;
        let carts = (1..=4).map(|number| accepted(number, [("A", 1), ("a\"\\π", 2)]));
        store.reserve(carts.collect()).await;
        let captured = money(3 * PRICE);
        let confirm = SettleAction::Confirm { captured };
        store
            .settle(vec![
                (1, confirm.clone()),
                (2, release(Reason::Declined)),
                (3, confirm),
            ])
            .await;
        store
            .settle(vec![(2, SettleAction::Confirm { captured })])
            .await;
        store.adjust("A", -2).await;
        store.adjust("A", 1).await;
    }

    async fn found(&self) -> Vec<(Check, String)> {
        let report = self.report(AuditRequest::full(GRACE)).await;
        let findings = report.findings.into_iter();
        findings.map(|found| (found.check, found.subject)).collect()
    }

    async fn report(&self, request: AuditRequest) -> AuditReport {
        let audit = self.store.other.audit(request, OrderSink::none());
        audit.await.unwrap()
    }
}

pub async fn every_kind_of_damage_is_found_and_named(on: &OnDatabase) {
    on.busy().await;
    assert_eq!(on.found().await, []);
    let (placed, declined) = (id(1).to_string(), id(2).to_string());
    let hex = |number| id(number).uuid().simple().to_string();
    let (one, two) = (hex(1), hex(2));
    for (damage, repair, expected) in [
        (
            "UPDATE items SET sold = sold + 100 WHERE sku = 'A'".to_owned(),
            "UPDATE items SET sold = sold - 100 WHERE sku = 'A'".to_owned(),
            vec![
                (Check::Oversold, "A"),
                (Check::Conservation, "A"),
                (Check::Conservation, "A"),
            ],
        ),
        (
            "UPDATE items SET available = available - 20, blocked = blocked + 20 WHERE sku = 'A'"
                .to_owned(),
            "UPDATE items SET available = available + 20, blocked = blocked - 20 WHERE sku = 'A'"
                .to_owned(),
            vec![
                (Check::Oversold, "A"),
                (Check::Oversold, "A"),
                (Check::Conservation, "A"),
            ],
        ),
        (
            "UPDATE adjustments SET units = units + 5 WHERE units > 0".to_owned(),
            "UPDATE adjustments SET units = units - 5 WHERE units > 0".to_owned(),
            vec![(Check::Conservation, "A")],
        ),
        (
            format!(
                "UPDATE orders SET body = REPLACE(body, '\"A\"', '\"B\"') WHERE order_id = X'{one}'"
            ),
            format!(
                "UPDATE orders SET body = REPLACE(body, '\"B\"', '\"A\"') WHERE order_id = X'{one}'"
            ),
            vec![(Check::Conservation, "A"), (Check::Conservation, "B")],
        ),
        (
            format!("UPDATE settlements SET state = 2, reason = NULL WHERE order_id = X'{two}'"),
            format!(
                "UPDATE settlements SET state = 3, reason = 'declined' WHERE order_id = X'{two}'"
            ),
            vec![
                (Check::Conservation, "A"),
                (Check::Conservation, "a\"\\π"),
                (Check::Uniqueness, declined.as_str()),
            ],
        ),
        (
            format!("UPDATE orders SET body = CONCAT('[', body) WHERE order_id = X'{one}'"),
            format!("UPDATE orders SET body = SUBSTRING(body, 2) WHERE order_id = X'{one}'"),
            vec![
                (Check::Conservation, placed.as_str()),
                (Check::Conservation, "A"),
                (Check::Conservation, "a\"\\π"),
            ],
        ),
        (
            format!("UPDATE settlements SET settled_at = NULL WHERE order_id = X'{one}'"),
            format!("UPDATE settlements SET settled_at = 1 WHERE order_id = X'{one}'"),
            vec![(Check::Unpaid, placed.as_str())],
        ),
        (
            "UPDATE refunds SET recorded_at = 1000".to_owned(),
            "UPDATE refunds SET executed_at = 1001".to_owned(),
            vec![(Check::Unrefunded, declined.as_str())],
        ),
    ] {
        on.database.run(&damage).await;
        let mut found = on.found().await;
        found.sort();
        let mut expected: Vec<_> = expected
            .into_iter()
            .map(|(check, subject)| (check, subject.to_owned()))
            .collect();
        expected.sort();
        assert_eq!(found, expected, "{damage}");
        let incremental = on.report(AuditRequest::incremental(GRACE)).await;
        assert_eq!(incremental.findings.len(), found.len(), "{damage}");
        on.database.run(&repair).await;
        assert_eq!(on.found().await, [], "{repair}");
    }
}

pub async fn a_row_without_its_order_is_found_by_a_full_audit(on: &OnDatabase) {
    on.busy().await;
    let hex = id(2).uuid().simple().to_string();
    let delete = format!("DELETE FROM orders WHERE order_id = X'{hex}'");
    on.database.run(&delete).await;
    let subject = id(2).to_string();
    let lost = (Check::Uniqueness, subject);
    assert_eq!(on.found().await, [lost.clone(), lost]);
}

/// A full audit reads settlements in ranges of 20,000.
pub async fn orders_of_every_range_meet_their_settlements_and_refunds(on: &OnDatabase) {
    let numbers = "SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d AS n \
         FROM digits AS a, digits AS b, digits AS c, digits AS e, digits AS f";
    let key = "UNHEX(LPAD(HEX(n), 32, '0'))";
    for statement in [
        "CREATE TABLE digits (d BIGINT)".to_owned(),
        "INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)".to_owned(),
        format!(
            "INSERT INTO orders (order_id, body, hold_until) \
             SELECT {key}, '[null,1,1,null,[]]', 1000 FROM ({numbers}) AS numbers WHERE n < 50000"
        ),
        // None of the last ones, and one in a hundred before.
        format!(
            "INSERT INTO settlements (order_id, state, reason) \
             SELECT {key}, 3, 'gave_up' FROM ({numbers}) AS numbers WHERE n < 45000 AND n % 100 <> 7"
        ),
        format!(
            "INSERT INTO refunds SELECT order_id, 1, reason, 1000, 1001 FROM settlements \
             WHERE order_id <= (SELECT {key} FROM (SELECT 30000 AS n) AS numbers)"
        ),
    ] {
        on.database.run(&statement).await;
    }
    let (sink, mut pages) = OrderSink::channel();
    let audit = on.store.port.audit(AuditRequest::full(GRACE), sink);
    let reading = async {
        let mut ids = Vec::new();
        while let Some(page) = pages.next().await {
            ids.extend(page.into_iter().map(|order| order.order_id));
        }
        ids
    };
    let (report, ids) = tokio::join!(audit, reading);
    let report = report.unwrap();
    assert_eq!(report.findings, []);
    assert_eq!((report.orders, report.overdue.len()), (50_000, 5_450));
    assert_eq!(ids.len(), 50_000);
    assert!(ids.is_sorted());
}

pub async fn the_sums_of_a_checkpoint_are_checked(on: &OnDatabase) {
    let store = &on.store;
    store.seed([("A", 9), ("B", 9)]).await;
    for (number, name) in [(1, "A"), (2, "B"), (3, "A")] {
        store.order(number, [(name, 1)]).await;
        let captured = money(PRICE);
        store
            .settle(vec![(number, SettleAction::Confirm { captured })])
            .await;
    }
    let coverage = on.report(AuditRequest::full(GRACE)).await.coverage.unwrap();
    let at = Timestamp::from_millis(1);
    assert!(store.port.cover(coverage, at).await.unwrap());
    for (damage, repair, subject) in [
        (
            "UPDATE covered_sales SET units = units + 1 WHERE sku = 'A'",
            "UPDATE covered_sales SET units = units - 1 WHERE sku = 'A'",
            "A",
        ),
        (
            "UPDATE checkpoints SET checksum = checksum ^ 1",
            "UPDATE checkpoints SET checksum = checksum ^ 1",
            "checkpoint 1",
        ),
        (
            "UPDATE settlements SET settled_at = settled_at + 1",
            "UPDATE settlements SET settled_at = settled_at - 1",
            "checkpoint 1",
        ),
    ] {
        on.database.run(damage).await;
        let expected = (Check::Conservation, subject.to_owned());
        assert_eq!(on.found().await, [expected], "{damage}");
        on.database.run(repair).await;
        assert_eq!(on.found().await, [], "{repair}");
    }
    // Where covered orders are not read, their sums stand for them.
    on.database
        .run("UPDATE items SET sold = sold + 1, available = available - 1 WHERE sku = 'A'")
        .await;
    let incremental = on.report(AuditRequest::incremental(GRACE)).await;
    assert_eq!((incremental.orders, incremental.findings.len()), (0, 1));
    assert_eq!(incremental.findings[0].subject, "A");
}

pub async fn an_audit_sees_one_moment_of_a_busy_store(on: &OnDatabase) {
    let store = &on.store;
    store.seed([("A", 1_000), ("B", 1_000)]).await;
    let selling = async {
        for round in 0..20 {
            let numbers = round * 20..(round + 1) * 20;
            let carts = numbers.clone().map(|n| accepted(n, [("A", 1), ("B", 2)]));
            store.reserve(carts.collect()).await;
            let captured = money(3 * PRICE);
            let actions = numbers.map(|n| (n, SettleAction::Confirm { captured }));
            store.settle(actions.collect()).await;
        }
    };
    let auditing = async {
        loop {
            let report = on.report(AuditRequest::full(GRACE)).await;
            assert_eq!(report.findings, []);
            if report.orders == 400 {
                break report.units_sold;
            }
        }
    };
    let ((), units) = tokio::join!(selling, auditing);
    assert!(units <= 1_200);
    let report = on.report(AuditRequest::full(GRACE)).await;
    assert_eq!((report.skus, report.units_sold), (2, 1_200));
}

pub async fn every_query_can_be_run_by_hand(on: &OnDatabase) {
    on.busy().await;
    on.store.pass(Duration::from_secs(3_600)).await;
    let mut client = on.database.client().await;
    let mut found = Vec::new();
    for (check, sql) in on.store.port.audit_sql() {
        let rows: Vec<Row> = client.query(sql).await.unwrap();
        found.extend(rows.iter().map(|_| check));
    }
    assert_eq!(found, [Check::Unrefunded, Check::Stuck]);
}

/// One test per case, over one server.
macro_rules! audits_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            mysql_audits over $($adapter)+;
            every_kind_of_damage_is_found_and_named,
            a_row_without_its_order_is_found_by_a_full_audit,
            orders_of_every_range_meet_their_settlements_and_refunds,
            the_sums_of_a_checkpoint_are_checked,
            an_audit_sees_one_moment_of_a_busy_store,
            every_query_can_be_run_by_hand,
        }
    };
}
pub(crate) use audits_suite;
