//! What is large, and what is too large.

use oms::domain::Reason;
use oms::inventory::{Administration, DeadLetterIndex, DeadLetterRow, DeadLetterState, NewItem};
use oms::ports::ErrorKind;

use super::OnDatabase;
use crate::contracts::store::{BLOCKED, release, states};
use crate::make::{accepted, item};

pub async fn five_thousand_carts_are_one_batch(on: &OnDatabase) {
    let store = &on.store;
    let names: Vec<String> = (0..2_000).map(|n| format!("S{n:04}")).collect();
    let items = names.iter().map(|name| item(name, 6)).collect();
    store.port.put_items(items).await.unwrap();
    let carts = |from: u64| {
        let cart = |n: u64| {
            let at = |shift| names[usize::try_from((n * 7 + shift) % 2_000).unwrap()].as_str();
            accepted(n, [(at(0), 1), (at(3), 1)])
        };
        (from..from + 5_000).map(cart).collect::<Vec<_>>()
    };
    let outcomes = store.reserve(carts(0)).await;
    let blocked = states(&outcomes)
        .iter()
        .filter(|state| **state == BLOCKED)
        .count();
    assert_eq!(blocked, 5_000, "no item is on more than six lines");
    assert_eq!(store.reserve(carts(0)).await, outcomes);
    let actions = (0..5_000).map(|number| (number, release(Reason::Expired)));
    let settled = store.settle(actions.collect()).await;
    assert!(settled.iter().all(|outcome| outcome.applied));
    store.assert_conserved().await;
    assert_eq!(store.counters("S0000").await, (6, 0, 0));
}

/// 12 MiB of SQL: more than a statement may have.
pub async fn a_batch_too_large_for_one_statement_is_one_batch(on: &OnDatabase) {
    let store = &on.store;
    let names: Vec<String> = (0..1_000)
        .map(|n| format!("{n:04}-{}", "x".repeat(32)))
        .collect();
    let items = names.iter().map(|name| item(name, 80)).collect();
    store.port.put_items(items).await.unwrap();
    let carts = (0..90).map(|n| accepted(n, names.iter().map(|name| (name.as_str(), 1))));
    let outcomes = store.reserve(carts.collect()).await;
    let states = states(&outcomes);
    assert!(states[..80].iter().all(|state| *state == BLOCKED));
    assert!(
        states[80..]
            .iter()
            .all(|state| state.1 == Some(Reason::Held))
    );
    assert_eq!(store.counters(&names[999]).await, (0, 80, 0));
    store.assert_conserved().await;
}

pub async fn a_poison_message_of_ten_megabytes_is_kept(on: &OnDatabase) {
    let letter = DeadLetterRow {
        id: 0,
        topic: "carts".to_owned(),
        partition: 0,
        offset: 1,
        order_id: None,
        reason: Reason::Poison,
        detail: "too large".to_owned(),
        key: Vec::new(),
        payload: vec![b'\''; 10 << 20],
        original: None,
        at: oms::domain::Timestamp::default(),
        state: DeadLetterState::Pending,
    };
    on.store.port.record(vec![letter.clone()]).await.unwrap();
    let kept = on.store.other.letters(0, 10).await.unwrap();
    assert!(kept[0].payload == letter.payload);
}

/// Strict mode: what does not fit is an error, and nothing of its batch is kept.
pub async fn what_does_not_fit_is_refused_and_never_cut_short(on: &OnDatabase) {
    let store = &on.store;
    let named = |sku: &str, name: String| NewItem {
        name,
        ..item(sku, 1)
    };
    let widest = "𝄞".repeat(200);
    store
        .port
        .put_items(vec![named("A", widest.clone())])
        .await
        .unwrap();
    let too_long = vec![item("B", 1), named("C", "x".repeat(201))];
    let error = store.port.put_items(too_long).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permanent);
    let items = store.other.items(None, 10).await.unwrap();
    assert_eq!((items.len(), &items[0].name), (1, &widest));
    let renamed = vec![named("A", "x".repeat(201))];
    let error = store.port.put_items(renamed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permanent);
}

/// One test per case, over one server.
macro_rules! limits_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            mysql_limits over $($adapter)+;
            five_thousand_carts_are_one_batch,
            a_batch_too_large_for_one_statement_is_one_batch,
            a_poison_message_of_ten_megabytes_is_kept,
            what_does_not_fit_is_refused_and_never_cut_short,
        }
    };
}
pub(crate) use limits_suite;
