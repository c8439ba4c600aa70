//! What [`Payments`] promises, over a gateway that takes every charge, and over one that declines every charge.

use std::time::Duration;

use futures::future::join_all;
use oms::domain::Money;
use oms::payments::{
    Cancelled, CaptureCursor, Charge, LedgerEntry, LedgerQuery, Payments, Verdict,
};

use super::Fixture;
use crate::make::{customer, id, money};

fn charge(number: u64, minor: i64) -> Charge {
    Charge {
        order_id: id(number),
        customer: customer("payer"),
        amount: money(minor),
    }
}

fn captured(minor: i64) -> Verdict {
    Verdict::Captured {
        amount: money(minor),
    }
}

impl<P: Payments> Fixture<P> {
    async fn lookup(&self, number: u64) -> Option<Verdict> {
        self.other.lookup(id(number)).await.unwrap()
    }

    async fn ledger(&self) -> Vec<LedgerEntry> {
        let query = LedgerQuery::after(None, 1_000);
        let ledger = self.other.ledger(query).await.unwrap();
        ledger.expect("this gateway can be listed")
    }

    async fn booked(&self, number: u64) -> LedgerEntry {
        let mut entries = self.ledger().await.into_iter();
        entries
            .find(|entry| entry.order_id == id(number))
            .expect("the key is in the ledger")
    }
}

pub async fn a_charge_is_captured_once_however_often_it_is_sent(gateway: &Fixture<impl Payments>) {
    assert_eq!(gateway.lookup(1).await, None);
    for _ in 0..3 {
        let verdict = gateway.port.charge(charge(1, 500)).await.unwrap();
        assert_eq!(verdict, captured(500));
    }
    assert_eq!(
        gateway.other.charge(charge(1, 500)).await.unwrap(),
        captured(500)
    );
    assert_eq!(gateway.lookup(1).await, Some(captured(500)));
    let entry = gateway.booked(1).await;
    assert_eq!((entry.captured, entry.captures), (money(500), 1));
    assert_eq!((entry.refunded, entry.refunds), (Money::ZERO, 0));
}

pub async fn ten_charges_at_once_capture_once(gateway: &Fixture<impl Payments>) {
    let charges = (0..10).map(|n: u32| {
        let port = if n.is_multiple_of(2) {
            &gateway.port
        } else {
            &gateway.other
        };
        port.charge(charge(1, 500))
    });
    for verdict in join_all(charges).await {
        assert_eq!(verdict.unwrap(), captured(500));
    }
    assert_eq!(gateway.booked(1).await.captures, 1);
}

pub async fn a_declined_key_stays_declined(gateway: &Fixture<impl Payments>) {
    for _ in 0..2 {
        let verdict = gateway.port.charge(charge(1, 500)).await.unwrap();
        assert!(matches!(verdict, Verdict::Declined { .. }), "{verdict:?}");
    }
    assert!(matches!(
        gateway.lookup(1).await,
        Some(Verdict::Declined { .. })
    ));
    assert_eq!(gateway.port.cancel(id(1)).await.unwrap(), Cancelled::Fenced);
    let ledger = gateway.ledger().await;
    assert!(ledger.iter().all(|entry| entry.captures == 0));
}

pub async fn a_cancelled_key_is_never_charged(gateway: &Fixture<impl Payments>) {
    // A key never seen is fenced as well: the charge may still be on its way.
    assert_eq!(gateway.port.cancel(id(1)).await.unwrap(), Cancelled::Fenced);
    assert_eq!(
        gateway.other.cancel(id(1)).await.unwrap(),
        Cancelled::Fenced
    );
    let late = gateway.other.charge(charge(1, 500)).await.unwrap();
    assert!(matches!(late, Verdict::Declined { .. }), "{late:?}");
    assert!(matches!(
        gateway.lookup(1).await,
        Some(Verdict::Declined { .. })
    ));
    let ledger = gateway.ledger().await;
    assert!(ledger.iter().all(|entry| entry.captures == 0));
}

pub async fn cancelling_a_captured_charge_tells_so_and_takes_nothing_back(
    gateway: &Fixture<impl Payments>,
) {
    gateway.port.charge(charge(1, 500)).await.unwrap();
    let amount = money(500);
    for _ in 0..2 {
        let cancelled = gateway.other.cancel(id(1)).await.unwrap();
        assert_eq!(cancelled, Cancelled::Captured { amount });
    }
    assert_eq!(gateway.lookup(1).await, Some(captured(500)));
    assert_eq!(gateway.booked(1).await.refunds, 0);
}

pub async fn cancel_and_charge_at_once_agree(gateway: &Fixture<impl Payments>) {
    let races = (0..20).map(async |number| {
        let (charged, cancelled) = tokio::join!(
            gateway.port.charge(charge(number, 500)),
            gateway.other.cancel(id(number)),
        );
        let taken = charged.unwrap() == captured(500);
        let amount = money(500);
        let told = cancelled.unwrap() == Cancelled::Captured { amount };
        assert_eq!(taken, told);
    });
    join_all(races).await;
}

pub async fn a_refund_is_executed_once_however_often_it_is_sent(gateway: &Fixture<impl Payments>) {
    gateway.port.charge(charge(1, 500)).await.unwrap();
    for port in [&gateway.port, &gateway.other, &gateway.port] {
        port.refund(id(1), money(500)).await.unwrap();
    }
    let entry = gateway.booked(1).await;
    assert_eq!((entry.captures, entry.refunds), (1, 1));
    assert_eq!((entry.captured, entry.refunded), (money(500), money(500)));
}

pub async fn the_record_of_a_key_tells_what_was_captured_and_what_was_returned(
    gateway: &Fixture<impl Payments>,
) {
    let record = async || gateway.other.record(id(1)).await.unwrap();
    assert_eq!(record().await, None);
    gateway.port.charge(charge(1, 500)).await.unwrap();
    let charged = record().await.unwrap();
    assert_eq!(charged.captured(), money(500));
    assert!(!charged.is_refunded());
    gateway.port.refund(id(1), money(500)).await.unwrap();
    let returned = record().await.unwrap();
    assert_eq!(returned.captured(), money(500));
    assert_eq!(returned.refunded, Some(money(500)));
    gateway.port.cancel(id(2)).await.unwrap();
    let fenced = gateway.other.record(id(2)).await.unwrap();
    assert_eq!(fenced.unwrap().captured(), Money::ZERO);
}

pub async fn nothing_is_returned_that_was_not_captured(gateway: &Fixture<impl Payments>) {
    gateway.port.cancel(id(1)).await.unwrap();
    let refunds = [
        gateway.port.refund(id(1), money(500)).await,
        gateway.port.refund(id(2), money(500)).await,
    ];
    for refused in refunds {
        assert!(!refused.unwrap_err().is_transient());
    }
    let ledger = gateway.ledger().await;
    assert!(ledger.iter().all(|entry| entry.refunds == 0));
}

pub async fn the_ledger_comes_by_key_and_page_by_page(gateway: &Fixture<impl Payments>) {
    for number in [3, 1, 2] {
        gateway.port.charge(charge(number, 100)).await.unwrap();
    }
    let page = async |after, limit| {
        let entries = gateway
            .other
            .ledger(LedgerQuery::after(after, limit))
            .await
            .unwrap()
            .unwrap();
        entries
            .iter()
            .map(|entry| entry.order_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, [id(1), id(2)]);
    assert_eq!(page(Some(id(2)), 2).await, [id(3)]);
    assert_eq!(page(Some(id(3)), 2).await, []);
}

pub async fn the_attempts_of_an_order_are_told_oldest_first(gateway: &Fixture<impl Payments>) {
    assert_eq!(gateway.other.attempts(id(1)).await.unwrap(), []);
    gateway.port.charge(charge(1, 500)).await.unwrap();
    gateway.clock.forward(Duration::from_secs(1));
    gateway.port.refund(id(1), money(500)).await.unwrap();
    let attempts = gateway.other.attempts(id(1)).await.unwrap();
    let told: Vec<&str> = attempts
        .iter()
        .map(|attempt| attempt.outcome.as_str())
        .collect();
    assert_eq!(told, ["captured", "refunded"]);
    assert!(attempts[0].at < attempts[1].at);
}

pub async fn entries_are_found_by_key_and_by_the_time_of_capture(gateway: &Fixture<impl Payments>) {
    for number in [3, 1, 2] {
        gateway.port.charge(charge(number, 100)).await.unwrap();
        gateway.clock.forward(Duration::from_millis(5));
    }
    gateway.port.cancel(id(9)).await.unwrap();
    let ids = async |query| {
        let entries = gateway.other.ledger(query).await.unwrap().unwrap();
        let ids = entries.iter().map(|entry| entry.order_id);
        (ids.collect::<Vec<_>>(), entries)
    };
    let keys = vec![id(9), id(3), id(7), id(1)];
    let (found, entries) = ids(LedgerQuery::Keys(keys)).await;
    assert_eq!(found, [id(1), id(3), id(9)], "ordered by key");
    let first = CaptureCursor::from(&entries[1]);
    let since = CaptureCursor::since(first.captured_at);
    let captured = async |after, limit| ids(LedgerQuery::Captured { after, limit }).await.0;
    assert_eq!(captured(since, 9).await, [id(3), id(1), id(2)]);
    assert_eq!(captured(since, 2).await, [id(3), id(1)]);
    assert_eq!(captured(first, 9).await, [id(1), id(2)]);
    let later = CaptureCursor::since(first.captured_at.plus(Duration::from_millis(1)));
    assert_eq!(captured(later, 9).await, [id(1), id(2)]);
}

/// One test per case, over one adapter.
macro_rules! payments_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            payments over $($adapter)+;
            a_charge_is_captured_once_however_often_it_is_sent,
            ten_charges_at_once_capture_once,
            a_cancelled_key_is_never_charged,
            cancelling_a_captured_charge_tells_so_and_takes_nothing_back,
            cancel_and_charge_at_once_agree,
            a_refund_is_executed_once_however_often_it_is_sent,
            the_record_of_a_key_tells_what_was_captured_and_what_was_returned,
            nothing_is_returned_that_was_not_captured,
            the_ledger_comes_by_key_and_page_by_page,
            entries_are_found_by_key_and_by_the_time_of_capture,
            the_attempts_of_an_order_are_told_oldest_first,
        }
    };
}
pub(crate) use payments_suite;

/// One test per case, over one adapter that declines.
macro_rules! declining_payments_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            payments over $($adapter)+;
            a_declined_key_stays_declined,
        }
    };
}
pub(crate) use declining_payments_suite;
