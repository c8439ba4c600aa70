//! What the contract suite of the port cannot see: the durable ledger, the order of draws, latency.

use tokio::time::Instant;

use super::*;
use crate::domain::Customer;
use crate::ports::ErrorKind;
use crate::sqlite::Scope;
use crate::sqlite::testing::{ManualClock, TestFile, soon};

struct Bench {
    clock: ManualClock,
    file: TestFile,
}

impl Bench {
    fn new() -> Self {
        Self {
            clock: ManualClock::default(),
            file: TestFile::new(Scope::Payments),
        }
    }

    /// A process of its own on the same ledger.
    fn open(&self, query: &str) -> Simulated<ManualClock> {
        let profile = Profile::parse(&format!("simulated:?{query}")).unwrap();
        Simulated::open(self.file.open(), profile, self.clock.clone()).unwrap()
    }
}

fn id(number: u8) -> OrderId {
    OrderId::from_bytes([number; 16])
}

fn money(minor: i64) -> Money {
    Money::new(minor).unwrap()
}

fn charge(number: u8) -> Charge {
    Charge {
        order_id: id(number),
        customer: Customer::new("c1").unwrap(),
        amount: money(1_000),
    }
}

fn captured() -> Verdict {
    Verdict::Captured {
        amount: money(1_000),
    }
}

async fn words(gateway: &Simulated<ManualClock>, number: u8) -> Vec<String> {
    let attempts = gateway.attempts(id(number)).await.unwrap();
    attempts.into_iter().map(|one| one.outcome).collect()
}

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn the_ledger_outlives_the_process_and_one_key_is_one_charge() {
    let bench = Bench::new();
    let gateway = bench.open("success=1");
    assert_eq!(gateway.charge(charge(1)).await.unwrap(), captured());
    drop(gateway);
    // From now on everything would be declined, but the key has its verdict.
    let gateway = bench.open("success=0");
    assert_eq!(gateway.charge(charge(1)).await.unwrap(), captured());
    assert_eq!(gateway.lookup(id(1)).await.unwrap(), Some(captured()));
    let entries = gateway
        .ledger(LedgerQuery::after(None, 10))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((entries.len(), entries[0].captures), (1, 1));
    assert_eq!(words(&gateway, 1).await, ["captured"]);
}

#[tokio::test]
async fn a_lost_answer_is_found_by_looking_it_up_and_a_charge_that_timed_out_can_be_tried_again() {
    let bench = Bench::new();
    let losing = bench.open("unknown=1");
    assert_eq!(
        kind(losing.charge(charge(1)).await),
        ErrorKind::OutcomeUnknown
    );
    assert_eq!(losing.lookup(id(1)).await.unwrap(), Some(captured()));
    assert_eq!(losing.charge(charge(1)).await.unwrap(), captured());
    assert_eq!(words(&losing, 1).await, ["captured, answer lost"]);

    let silent = bench.open("timeout=1");
    for _ in 0..2 {
        assert_eq!(
            kind(silent.charge(charge(2)).await),
            ErrorKind::OutcomeUnknown
        );
        assert_eq!(silent.lookup(id(2)).await.unwrap(), None);
    }
    let gateway = bench.open("success=1");
    assert_eq!(gateway.charge(charge(2)).await.unwrap(), captured());
    assert_eq!(
        words(&gateway, 2).await,
        ["timed out", "timed out", "captured"]
    );
}

#[tokio::test]
async fn the_draws_of_a_customer_do_not_depend_on_time_order_ids_or_restarts() {
    let verdicts = |first: u8, hours: u64| async move {
        let bench = Bench::new();
        let mut verdicts = Vec::new();
        for number in 0..40 {
            // A process of its own for every charge.
            let gateway = bench.open("success=0.4&timeout=0.2&unknown=0.2&seed=3");
            bench.clock.advance(Duration::from_secs(3_600 * hours));
            let verdict = gateway.charge(charge(first.wrapping_add(number))).await;
            verdicts.push(verdict.map_err(|error| error.kind()));
            verdicts.push(
                gateway
                    .lookup(id(first.wrapping_add(number)))
                    .await
                    .map(|verdict| verdict.unwrap_or(Verdict::Pending))
                    .map_err(|error| error.kind()),
            );
        }
        verdicts
    };
    let first = verdicts(0, 0).await;
    assert_eq!(first, verdicts(100, 5).await);
    assert!(first.iter().any(|verdict| *verdict != first[0]));
}

#[tokio::test]
async fn a_fenced_key_is_declined_whether_it_was_seen_before_or_not() {
    let bench = Bench::new();
    let silent = bench.open("timeout=1");
    assert!(silent.charge(charge(1)).await.is_err());
    let gateway = bench.open("success=1");
    for number in [1, 2] {
        for _ in 0..2 {
            assert_eq!(gateway.cancel(id(number)).await.unwrap(), Cancelled::Fenced);
        }
        let late = gateway.charge(charge(number)).await.unwrap();
        assert_eq!(late, ledger::declined("cancelled"));
        assert_eq!(gateway.lookup(id(number)).await.unwrap(), Some(late));
    }
    assert_eq!(words(&gateway, 1).await, ["timed out", "fenced"]);
    assert_eq!(words(&gateway, 2).await, ["fenced"]);
    gateway.charge(charge(3)).await.unwrap();
    assert_eq!(
        gateway.cancel(id(3)).await.unwrap(),
        Cancelled::Captured {
            amount: money(1_000)
        }
    );
    let declining = bench.open("success=0");
    let declined = declining.charge(charge(4)).await.unwrap();
    assert_eq!(declining.cancel(id(4)).await.unwrap(), Cancelled::Fenced);
    assert_eq!(declining.lookup(id(4)).await.unwrap(), Some(declined));
}

#[tokio::test]
async fn a_key_stands_for_one_customer_and_one_amount() {
    let bench = Bench::new();
    let gateway = bench.open("success=1");
    gateway.charge(charge(1)).await.unwrap();
    let mut dearer = charge(1);
    dearer.amount = money(1_001);
    let mut stranger = charge(1);
    stranger.customer = Customer::new("c2").unwrap();
    for other in [dearer, stranger] {
        assert_eq!(kind(gateway.charge(other).await), ErrorKind::Permanent);
    }
    assert_eq!(gateway.lookup(id(1)).await.unwrap(), Some(captured()));
}

#[tokio::test]
async fn a_refund_is_made_once_and_never_of_more_than_was_captured() {
    let bench = Bench::new();
    let gateway = bench.open("success=1");
    gateway.charge(charge(1)).await.unwrap();
    gateway.cancel(id(2)).await.unwrap();
    for (number, minor) in [(1, 1_001), (2, 1), (3, 1)] {
        assert_eq!(
            kind(gateway.refund(id(number), money(minor)).await),
            ErrorKind::Permanent
        );
    }
    for _ in 0..2 {
        gateway.refund(id(1), money(1_000)).await.unwrap();
    }
    assert_eq!(
        kind(gateway.refund(id(1), money(999)).await),
        ErrorKind::Permanent
    );
    let entry = gateway
        .ledger(LedgerQuery::after(None, 1))
        .await
        .unwrap()
        .unwrap()
        .remove(0);
    assert_eq!((entry.refunded, entry.refunds), (money(1_000), 1));
    assert_eq!(words(&gateway, 1).await, ["captured", "refunded"]);
}

#[tokio::test]
async fn the_ledger_is_listed_in_pages_by_key() {
    let bench = Bench::new();
    let gateway = bench.open("success=1");
    for number in [5, 3, 9, 0, 200] {
        gateway.charge(charge(number)).await.unwrap();
    }
    gateway.cancel(id(4)).await.unwrap();
    let mut keys = Vec::new();
    let mut after = None;
    loop {
        let page = gateway
            .ledger(LedgerQuery::after(after, 2))
            .await
            .unwrap()
            .unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.order_id);
        keys.extend(page.iter().map(|entry| (entry.order_id, entry.captures)));
    }
    let expected = [(0, 1), (3, 1), (4, 0), (5, 1), (9, 1), (200, 1)];
    assert_eq!(
        keys,
        expected.map(|(number, captures)| (id(number), captures))
    );
}

#[tokio::test]
async fn charges_of_many_buyers_at_once_all_get_their_own_verdict() {
    let bench = Bench::new();
    let gateway = bench.open("success=0.5&seed=1");
    let gateway = &gateway;
    let charges = (0..=255).map(|number| async move {
        let mut charge = charge(number);
        charge.customer = Customer::new(&format!("c{number}")).unwrap();
        let verdict = gateway.charge(charge).await.unwrap();
        assert_eq!(gateway.lookup(id(number)).await.unwrap().unwrap(), verdict);
        verdict
    });
    let verdicts = soon(futures::future::join_all(charges)).await;
    let expected = (0..=255_u8).map(|number| {
        let customer = Customer::new(&format!("c{number}")).unwrap();
        draw::draw(&gateway.profile, &customer, 1).outcome == Outcome::Captured
    });
    assert!(expected.eq(verdicts.into_iter().map(|verdict| verdict == captured())));
}

#[tokio::test]
async fn a_charge_takes_its_latency_and_a_known_verdict_none() {
    let bench = Bench::new();
    let gateway = bench.open("success=1&latency=30ms..60ms");
    let latency = draw::draw(&gateway.profile, &charge(1).customer, 1).latency;
    let started = Instant::now();
    gateway.charge(charge(1)).await.unwrap();
    assert!(started.elapsed() >= latency);
    // Half of it passes before the charge arrives: whoever gives up earlier has charged nothing.
    let gave_up = tokio::time::timeout(Duration::from_millis(5), gateway.charge(charge(2))).await;
    assert!(gave_up.is_err());
    assert_eq!(gateway.lookup(id(2)).await.unwrap(), None);
    assert_eq!(gateway.time_to_arrive(&charge(1)).unwrap(), Duration::ZERO);
}

#[tokio::test]
async fn during_an_outage_nothing_is_answered_and_nothing_done() {
    let bench = Bench::new();
    let (gateway, other) = (bench.open("outage=0s..1h"), bench.open("success=1"));
    assert_eq!(other.charge(charge(1)).await.unwrap(), captured());
    let away = ErrorKind::Unavailable;
    assert_eq!(kind(gateway.charge(charge(2)).await), away);
    assert_eq!(kind(gateway.lookup(id(1)).await), away);
    assert_eq!(kind(gateway.cancel(id(1)).await), away);
    assert_eq!(kind(gateway.refund(id(1), money(1_000)).await), away);
    assert_eq!(other.lookup(id(2)).await.unwrap(), None);
    assert_eq!(other.lookup(id(1)).await.unwrap(), Some(captured()));
    // Whoever looks into its books is no customer.
    assert_eq!(
        gateway
            .ledger(LedgerQuery::after(None, 10))
            .await
            .unwrap()
            .unwrap()
            .len(),
        1
    );
}
