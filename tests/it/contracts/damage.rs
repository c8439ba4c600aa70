//! Rule 18: what somebody has changed past the program stops the orders it is about, and no other.

use std::time::Duration;

use oms::domain::{OrderState, Reason};
use oms::inventory::decide::Damage;
use oms::inventory::{
    AuditRequest, Auditing, Check, HoldEnd, OrderFilter, OrderSink, Settle, SettleAction,
    SettleOutcome,
};

use super::Fixture;
use super::store::{BLOCKED, HOLD, Store, release};
use crate::make::{PRICE, id, money, sku};

/// Something that is done to a store past its adapter.
#[derive(Debug, Clone, Copy)]
pub enum Tamper {
    /// So many units of an item are blocked.
    Blocked(&'static str, i64),
    /// An item is gone.
    NoItem(&'static str),
    /// The cart of an order cannot be read.
    Cart(u64),
    /// An order that does not exist is settled as placed.
    Settlement(u64),
    /// An order belongs to somebody else.
    Customer(u64),
}

impl Tamper {
    /// The statement that does it.
    pub fn sql(self) -> String {
        match self {
            Self::Blocked(name, units) => {
                format!("UPDATE items SET blocked = {units} WHERE sku = '{name}'")
            }
            Self::NoItem(name) => format!("DELETE FROM items WHERE sku = '{name}'"),
            Self::Customer(number) => {
                let id = id(number).to_string().replace('-', "");
                format!("UPDATE orders SET customer = 'somebody else' WHERE order_id = X'{id}'")
            }
            Self::Cart(number) => {
                let id = id(number).to_string().replace('-', "");
                format!("UPDATE orders SET body = '[[' WHERE order_id = X'{id}'")
            }
            Self::Settlement(number) => {
                let id = id(number).to_string().replace('-', "");
                format!(
                    "INSERT INTO settlements (order_id, state, settled_at) VALUES (X'{id}', 2, 1)"
                )
            }
        }
    }
}

fn confirm(units: i64) -> SettleAction {
    SettleAction::Confirm {
        captured: money(units * PRICE),
    }
}

fn damage(outcome: &SettleOutcome) -> Option<&Damage> {
    outcome.damage.as_ref()
}

pub async fn an_order_whose_blocked_units_are_gone_waits_for_their_repair_and_the_others_do_not(
    store: &Fixture<impl Store>,
) {
    store.seed([("A", 5), ("B", 5)]).await;
    store.order(1, [("A", 2)]).await;
    store.order(2, [("A", 1), ("B", 1)]).await;
    store.order(3, [("B", 1)]).await;
    store.order(4, [("B", 2)]).await;
    store.tamper(Tamper::Blocked("A", 0)).await;
    let all = || {
        vec![
            (1, confirm(2)),
            (3, confirm(1)),
            (2, release(Reason::Expired)),
            (4, release(Reason::Declined)),
        ]
    };
    for round in 0..2 {
        let outcomes = store.settle(all()).await;
        let few = |units| Damage::TooFewBlocked {
            sku: sku("A"),
            blocked: 0,
            units,
        };
        assert_eq!(damage(&outcomes[0]), Some(&few(2)));
        assert_eq!(damage(&outcomes[2]), Some(&few(1)));
        assert!(!outcomes[0].applied && !outcomes[2].applied);
        let told = outcomes[0].order.as_ref().map(|order| order.state);
        assert_eq!(told, Some(OrderState::Blocked));
        for sound in [1, 3] {
            assert_eq!(damage(&outcomes[sound]), None);
            assert_eq!(outcomes[sound].applied, round == 0);
        }
        for number in [1, 2] {
            assert_eq!(store.state(number).await, Some(BLOCKED), "not touched");
        }
        assert_eq!(store.counters("A").await, (2, 0, 0));
        assert_eq!(store.counters("B").await, (3, 1, 1));
    }
    // Whoever reserves goes on, too.
    store.order(5, [("A", 1)]).await;
    store.settle(vec![(5, confirm(1))]).await;
    assert_eq!(store.counters("A").await, (1, 0, 1));
    store.tamper(Tamper::Blocked("A", 3)).await;
    let outcomes = store.settle(all()).await;
    assert!(outcomes[0].applied && outcomes[2].applied);
    assert_eq!(store.counters("A").await, (2, 0, 3));
    store.assert_conserved().await;
}

pub async fn an_order_of_an_item_that_is_gone_stays_blocked_and_the_others_do_not(
    store: &Fixture<impl Store>,
) {
    store.seed([("A", 5), ("B", 5)]).await;
    store.order(1, [("A", 2), ("B", 1)]).await;
    store.order(2, [("B", 1)]).await;
    store.tamper(Tamper::NoItem("A")).await;
    for action in [confirm(3), release(Reason::Expired)] {
        let outcomes = store.settle(vec![(1, action), (2, confirm(1))]).await;
        let gone = Damage::MissingItem {
            sku: sku("A"),
            units: 2,
        };
        assert_eq!(damage(&outcomes[0]), Some(&gone));
        assert_eq!(damage(&outcomes[1]), None);
        assert_eq!(store.state(1).await, Some(BLOCKED));
        assert_eq!(store.counters("B").await, (3, 1, 1));
        assert_eq!(store.port.refunds_due(None, 9).await.unwrap(), []);
    }
}

/// One test per case, over one adapter.
macro_rules! damage_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            damage over $($adapter)+;
            an_order_whose_blocked_units_are_gone_waits_for_their_repair_and_the_others_do_not,
            an_order_of_an_item_that_is_gone_stays_blocked_and_the_others_do_not,
        }
    };
}
pub(crate) use damage_suite;

pub async fn an_order_that_cannot_be_read_is_an_error_of_its_own_and_the_audit_shows_it(
    store: &Fixture<impl Store + Auditing>,
) {
    store.seed([("A", 9)]).await;
    for number in 1..=4 {
        store.order(number, [("A", 1)]).await;
    }
    store.tamper(Tamper::Cart(2)).await;
    store.pass(HOLD + Duration::from_secs(1)).await;
    // The other process has read none of them before.
    let other = &store.other;
    let overdue = other.expired(None, 9).await.unwrap();
    let ids: Vec<_> = overdue.iter().map(|order| order.order_id).collect();
    assert_eq!(ids, [id(1), id(3), id(4)], "the sweep passes over it");
    let first = other.expired(None, 1).await.unwrap();
    let after = Some(HoldEnd::from(&first[0]));
    let second = other.expired(after, 1).await.unwrap();
    assert_eq!(
        second[0].order_id,
        id(3),
        "a page of it alone ends no round"
    );
    let filter = |after| OrderFilter {
        after,
        limit: 2,
        ..OrderFilter::default()
    };
    let page = other.find_orders(filter(None)).await.unwrap();
    let ids: Vec<_> = page.iter().map(|order| order.order_id).collect();
    assert_eq!(ids, [id(1), id(3)], "a page is full unless it is the last");
    let stock = other.stock(vec![sku("A")], true).await.unwrap();
    let level = stock.levels[0].as_ref().unwrap();
    assert!(level.earliest_hold.is_some(), "buyers are still told");
    let error = other.orders(vec![id(1), id(2)]).await.unwrap_err();
    assert!(!error.is_transient(), "halving finds it: {error}");
    let settle = |numbers: &[u64]| {
        let one = |number: &u64| Settle {
            order_id: id(*number),
            action: release(Reason::Expired),
        };
        other.settle(numbers.iter().map(one).collect())
    };
    let error = settle(&[1, 2]).await.unwrap_err();
    assert!(!error.is_transient(), "halving finds it: {error}");
    let settled = settle(&[1, 3]).await.unwrap();
    assert!(settled.outcomes.iter().all(|outcome| outcome.applied));
    let report = other
        .audit(AuditRequest::full(Duration::ZERO), OrderSink::none())
        .await
        .unwrap();
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.check, finding.subject.clone()))
        .collect();
    assert!(
        found.contains(&(Check::Conservation, id(2).to_string())),
        "{found:?}"
    );
}

pub async fn a_settlement_without_an_order_is_an_error_of_its_own_and_the_audit_shows_it(
    store: &Fixture<impl Store + Auditing>,
) {
    store.seed([("A", 9)]).await;
    store.order(1, [("A", 1)]).await;
    store.tamper(Tamper::Settlement(2)).await;
    let abandon = || SettleAction::Abandon {
        reason: Reason::Expired,
        customer: None,
        cart_hash: None,
    };
    for action in [abandon(), confirm(1)] {
        let settles = vec![(1, confirm(1)), (2, action)];
        let settles = settles.into_iter().map(|(number, action)| Settle {
            order_id: id(number),
            action,
        });
        let error = store.port.settle(settles.collect()).await.unwrap_err();
        assert!(!error.is_transient(), "halving finds it: {error}");
    }
    store.settle(vec![(1, confirm(1))]).await;
    assert_eq!(store.counters("A").await, (8, 0, 1));
    let report = store
        .other
        .audit(AuditRequest::full(Duration::ZERO), OrderSink::none())
        .await
        .unwrap();
    let found: Vec<_> = (report.findings.iter())
        .map(|finding| (finding.check, finding.subject.clone()))
        .collect();
    assert_eq!(found, [(Check::Uniqueness, id(2).to_string())]);
}

/// One test per case, over one adapter.
macro_rules! unreadable_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            damage over $($adapter)+;
            an_order_that_cannot_be_read_is_an_error_of_its_own_and_the_audit_shows_it,
            a_settlement_without_an_order_is_an_error_of_its_own_and_the_audit_shows_it,
        }
    };
}
pub(crate) use unreadable_suite;
