//! What is promised to those who wait for a status.

use std::time::Duration;

use oms::domain::Status;
use oms::statuses::Statuses;
use tokio::time::{Instant, sleep};

use super::{AN_HOUR, Fixture};
use crate::make::id;

const SOON: Duration = Duration::from_secs(5);

pub async fn a_waiter_is_answered_at_once_if_it_is_already_so(store: &Fixture<impl Statuses>) {
    store.write(store.to(1, Status::Block)).await;
    let started = Instant::now();
    let above = Status::Init.rank();
    let entry = store
        .other
        .wait(id(1), above, started + AN_HOUR)
        .await
        .unwrap();
    assert_eq!(entry.map(|entry| entry.status), Some(Status::Block));
    assert!(started.elapsed() < SOON);
}

pub async fn a_waiter_is_woken_by_a_higher_rank_only(store: &Fixture<impl Statuses>) {
    let started = Instant::now();
    let above = Status::Init.rank();
    let (entry, ()) = tokio::join!(store.port.wait(id(1), above, started + AN_HOUR), async {
        sleep(Duration::from_millis(100)).await;
        store.write(store.to(1, Status::Init)).await;
        sleep(Duration::from_millis(200)).await;
        store.write(store.to(2, Status::Placed)).await;
        store.write(store.to(1, Status::PaymentPending)).await;
    });
    let status = entry.unwrap().map(|entry| entry.status);
    assert_eq!(status, Some(Status::PaymentPending));
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(started.elapsed() < SOON);
}

pub async fn a_waiter_in_another_process_is_woken(store: &Fixture<impl Statuses>) {
    let started = Instant::now();
    let waiting = (0..20).map(|number| store.other.wait(id(number), 0, started + AN_HOUR));
    let (entries, ()) = tokio::join!(futures::future::join_all(waiting), async {
        sleep(Duration::from_millis(100)).await;
        let batch = (0..20).map(|number| store.to(number, Status::Block));
        store.port.transition(batch.collect()).await.unwrap();
    });
    for entry in entries {
        assert_eq!(
            entry.unwrap().map(|entry| entry.status),
            Some(Status::Block)
        );
    }
    assert!(started.elapsed() < SOON);
}

pub async fn a_waiter_ends_at_its_deadline_with_what_is_there(store: &Fixture<impl Statuses>) {
    store.write(store.to(1, Status::Init)).await;
    let started = Instant::now();
    let wait = Duration::from_millis(300);
    let above = Status::Init.rank();
    let (known, unknown) = tokio::join!(
        store.port.wait(id(1), above, started + wait),
        store.port.wait(id(2), 0, started + wait),
    );
    assert_eq!(known.unwrap().map(|entry| entry.status), Some(Status::Init));
    assert_eq!(unknown.unwrap(), None);
    assert!(started.elapsed() >= wait);
    assert!(started.elapsed() < SOON);
}
