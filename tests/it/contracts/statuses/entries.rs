//! What is promised of the status of an order, and of its history.

use std::collections::BTreeMap;
use std::time::Duration;

use oms::domain::{CartHash, Reason, Status, StatusSet};
use oms::statuses::{ScanStatuses, StatusEntry, Statuses, Transition, Transitioned};

use super::{AN_HOUR, Fixture};
use crate::make::id;

const HASH: CartHash = CartHash::from_bytes([9; 16]);

pub async fn an_unknown_order_has_no_status(store: &Fixture<impl Statuses>) {
    assert_eq!(
        store.other.get(vec![id(1), id(2)]).await.unwrap(),
        [None, None]
    );
    assert_eq!(store.other.get(Vec::new()).await.unwrap(), []);
    assert_eq!(store.other.history(id(1)).await.unwrap(), []);
    assert_eq!(store.port.transition(Vec::new()).await.unwrap(), []);
}

pub async fn a_status_is_kept_as_written(store: &Fixture<impl Statuses>) {
    let written = Transition {
        reason: Some(Reason::NegativeInventory),
        cart_hash: Some(HASH),
        ..store.to(1, Status::Failed)
    };
    assert_eq!(store.write(written).await, Transitioned::Applied);
    let expected = StatusEntry {
        status: Status::Failed,
        reason: Some(Reason::NegativeInventory),
        cart_hash: Some(HASH),
        at: written.at,
    };
    assert_eq!(store.entry(1).await, Some(expected));
    let asked = vec![id(2), id(1), id(1)];
    let got = store.other.get(asked).await.unwrap();
    assert_eq!(got, [None, Some(expected), Some(expected)]);
}

pub async fn only_a_higher_rank_overwrites(store: &Fixture<impl Statuses>) {
    let order = [
        Status::Init,
        Status::Block,
        Status::PaymentPending,
        Status::PaymentSuccess,
        Status::Placed,
    ];
    for (step, status) in order.into_iter().enumerate() {
        assert_eq!(
            store.write(store.to(1, status)).await,
            Transitioned::Applied
        );
        for lower in &order[..=step] {
            let Transitioned::Refused(present) = store.write(store.to(1, *lower)).await else {
                panic!("{lower} overwrote {status}");
            };
            assert_eq!(present.map(|entry| entry.status), Some(status));
        }
    }
    assert!(matches!(
        store.write(store.to(1, Status::Failed)).await,
        Transitioned::Refused(_)
    ));
    assert_eq!(store.status(1).await, Some(Status::Placed));
}

pub async fn a_status_is_set_only_from_those_named(store: &Fixture<impl Statuses>) {
    let only_block = StatusSet::only(Status::Block);
    let pending = Transition {
        from: only_block,
        ..store.to(1, Status::PaymentPending)
    };
    assert_eq!(store.write(pending).await, Transitioned::Refused(None));
    store.write(store.to(1, Status::Init)).await;
    assert!(matches!(
        store.write(pending).await,
        Transitioned::Refused(Some(_))
    ));
    store.write(store.to(1, Status::Block)).await;
    assert_eq!(store.write(pending).await, Transitioned::Applied);
    let missing_only = Transition {
        from: StatusSet::MISSING,
        ..store.to(1, Status::Placed)
    };
    assert!(matches!(
        store.write(missing_only).await,
        Transitioned::Refused(Some(_))
    ));
    assert_eq!(store.status(1).await, Some(Status::PaymentPending));
}

pub async fn each_transition_of_a_batch_stands_on_its_own(store: &Fixture<impl Statuses>) {
    store.write(store.to(2, Status::Placed)).await;
    let batch = vec![
        store.to(1, Status::Init),
        store.to(2, Status::Block),
        store.to(1, Status::Block),
        store.to(3, Status::Init),
        store.to(1, Status::Init),
    ];
    let results = store.port.transition(batch).await.unwrap();
    let applied: Vec<bool> = results
        .iter()
        .map(|result| *result == Transitioned::Applied)
        .collect();
    assert_eq!(applied, [true, false, true, true, false]);
    assert_eq!(store.status(1).await, Some(Status::Block));
    assert_eq!(store.status(2).await, Some(Status::Placed));
}

pub async fn thousands_are_set_and_read_at_once(store: &Fixture<impl Statuses>) {
    let batch: Vec<_> = (0..3_000)
        .map(|number| store.to(number, Status::Init))
        .collect();
    let results = store.port.transition(batch).await.unwrap();
    assert!(
        results
            .iter()
            .all(|result| *result == Transitioned::Applied)
    );
    let got = store.other.get((0..3_000).map(id).collect()).await.unwrap();
    assert!(got.iter().all(Option::is_some));
}

pub async fn the_cart_hash_stays_unless_another_is_written(store: &Fixture<impl Statuses>) {
    let init = Transition {
        cart_hash: Some(HASH),
        ..store.to(1, Status::Init)
    };
    store.write(init).await;
    store.write(store.to(1, Status::Block)).await;
    assert_eq!(store.entry(1).await.unwrap().cart_hash, Some(HASH));
    let other = CartHash::from_bytes([1; 16]);
    let failed = Transition {
        cart_hash: Some(other),
        ..store.to(1, Status::Failed)
    };
    store.write(failed).await;
    assert_eq!(store.entry(1).await.unwrap().cart_hash, Some(other));
}

pub async fn an_order_replaces_the_init_of_another_cart(store: &Fixture<impl Statuses>) {
    // The store lost its entries, and another cart was accepted under the id of a decided order.
    let (refused, decided) = (HASH, CartHash::from_bytes([1; 16]));
    for (number, row) in [(1, Status::Block), (2, Status::Failed), (3, Status::Placed)] {
        let init = Transition {
            from: StatusSet::MISSING,
            cart_hash: Some(refused),
            ..store.to(number, Status::Init)
        };
        assert_eq!(store.write(init).await, Transitioned::Applied);
        let of_row = Transition {
            from: StatusSet::yields_to(row),
            cart_hash: Some(decided),
            ..store.to(number, row)
        };
        assert_eq!(store.write(of_row).await, Transitioned::Applied);
        let entry = store.entry(number).await.unwrap();
        assert_eq!((entry.status, entry.cart_hash), (row, Some(decided)));
        // An INIT that comes late changes nothing.
        assert!(matches!(
            store.write(init).await,
            Transitioned::Refused(Some(_))
        ));
        assert_eq!(store.entry(number).await, Some(entry));
    }
}

pub async fn an_expired_status_is_unknown(store: &Fixture<impl Statuses>) {
    store.write(store.to(1, Status::Block)).await;
    store.clock.forward(AN_HOUR / 2);
    // A later status lives as long as it says, whatever the one before said.
    store.write(store.to(2, Status::Init)).await;
    store.write(store.to(1, Status::PaymentPending)).await;
    store.clock.forward(AN_HOUR / 2 + Duration::from_secs(1));
    assert_eq!(store.status(1).await, Some(Status::PaymentPending));
    store.clock.forward(AN_HOUR / 2 + Duration::from_secs(1));
    assert_eq!(store.status(1).await, None);
    assert_eq!(store.other.history(id(1)).await.unwrap(), []);
    let init = Transition {
        from: StatusSet::MISSING,
        ..store.to(1, Status::Init)
    };
    assert_eq!(store.write(init).await, Transitioned::Applied);
    assert_eq!(store.entry(1).await.unwrap().reason, None);
}

pub async fn the_history_names_every_status_in_turn(store: &Fixture<impl Statuses>) {
    let order = [Status::Init, Status::Block, Status::Failed];
    let mut written = Vec::new();
    for status in order {
        let transition = store.to(1, status);
        written.push((status, transition.at));
        store.write(transition).await;
        store.write(store.to(1, Status::Init)).await;
        store.clock.forward(Duration::from_secs(1));
    }
    let history = store.other.history(id(1)).await.unwrap();
    let told: Vec<_> = history.iter().map(|step| (step.status, step.at)).collect();
    assert_eq!(told, written);
}

pub async fn of_many_writers_one_wins(store: &Fixture<impl Statuses>) {
    let writers = (0..10).map(|writer: u32| {
        let port = if writer.is_multiple_of(2) {
            &store.port
        } else {
            &store.other
        };
        port.transition(vec![store.to(1, Status::PaymentPending)])
    });
    let results = futures::future::join_all(writers).await;
    let applied = results
        .into_iter()
        .filter(|result| result.as_ref().unwrap()[0] == Transitioned::Applied);
    assert_eq!(applied.count(), 1);
}

pub async fn every_status_is_found_by_reading_through_the_store(
    store: &Fixture<impl Statuses + ScanStatuses>,
) {
    let all: Vec<_> = (0..250)
        .map(|number| store.to(number, Status::Block))
        .collect();
    store.port.transition(all).await.unwrap();
    store.write(store.to(7, Status::Placed)).await;
    let mut gone = store.to(300, Status::Block);
    gone.expires_at = gone.at.plus(Duration::from_secs(1));
    store.write(gone).await;
    store.clock.forward(Duration::from_secs(2));
    let (mut found, mut cursor) = (BTreeMap::new(), None);
    loop {
        let (entries, next) = store.other.scan(cursor, 100).await.unwrap();
        found.extend(entries.into_iter().map(|(id, entry)| (id, entry.status)));
        match next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let placed = found
        .iter()
        .filter(|(_, status)| **status == Status::Placed);
    assert_eq!(placed.map(|(id, _)| *id).collect::<Vec<_>>(), [id(7)]);
    assert!(found.keys().copied().eq((0..250).map(id)));
}
