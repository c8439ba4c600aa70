//! What [`DeadLetterIndex`] promises.

use oms::domain::{Original, Reason, Timestamp};
use oms::inventory::{DeadLetterIndex, DeadLetterRow, DeadLetterState, LETTER_DETAIL_BYTES_MAX};

use super::Fixture;
use crate::make::id;

fn letter(partition: u32, offset: u64) -> DeadLetterRow {
    DeadLetterRow {
        id: 0,
        topic: "carts".to_owned(),
        partition,
        offset,
        order_id: Some(id(offset)),
        reason: Reason::Poison,
        detail: "not JSON: expected a value".to_owned(),
        key: b"A\0\xff".to_vec(),
        payload: vec![0, 255, b'{'],
        original: None,
        at: Timestamp::from_millis(1_700_000_000_000),
        state: DeadLetterState::Pending,
    }
}

impl<I: DeadLetterIndex> Fixture<I> {
    async fn letters(&self) -> Vec<DeadLetterRow> {
        self.other.letters(0, 100).await.unwrap()
    }
}

pub async fn a_letter_is_kept_byte_for_byte(store: &Fixture<impl DeadLetterIndex>) {
    let unreadable = DeadLetterRow {
        order_id: None,
        ..letter(0, 2)
    };
    let conflict = DeadLetterRow {
        reason: Reason::IdConflict,
        ..letter(0, 1)
    };
    let written = [letter(0, 7), unreadable, conflict];
    store.port.record(written.to_vec()).await.unwrap();
    let kept = store.letters().await;
    assert!(kept.iter().all(|row| row.id > 0));
    assert!(kept.windows(2).all(|pair| pair[0].id < pair[1].id));
    let without_ids: Vec<_> = kept
        .into_iter()
        .map(|row| DeadLetterRow { id: 0, ..row })
        .collect();
    assert_eq!(without_ids, written, "oldest first");
}

pub async fn the_same_place_in_the_log_is_recorded_once(store: &Fixture<impl DeadLetterIndex>) {
    let again = DeadLetterRow {
        detail: "something else".to_owned(),
        ..letter(0, 1)
    };
    store
        .port
        .record(vec![letter(0, 1), again.clone()])
        .await
        .unwrap();
    store.other.record(vec![again, letter(1, 1)]).await.unwrap();
    let elsewhere = DeadLetterRow {
        topic: "others".to_owned(),
        ..letter(0, 1)
    };
    store
        .port
        .record(vec![elsewhere, letter(0, 2)])
        .await
        .unwrap();
    let kept = store.letters().await;
    let places: Vec<_> = kept
        .iter()
        .map(|row| (row.topic.as_str(), row.partition, row.offset))
        .collect();
    assert_eq!(
        places,
        [
            ("carts", 0, 1),
            ("carts", 1, 1),
            ("others", 0, 1),
            ("carts", 0, 2)
        ]
    );
    assert_eq!(
        kept[0].detail,
        letter(0, 1).detail,
        "the first is left alone"
    );
}

pub async fn letters_come_page_by_page(store: &Fixture<impl DeadLetterIndex>) {
    let all = (0..5).map(|offset| letter(0, offset)).collect();
    store.port.record(all).await.unwrap();
    let first = store.port.letters(0, 2).await.unwrap();
    let second = store.port.letters(first[1].id, 2).await.unwrap();
    let offsets: Vec<_> = first.iter().chain(&second).map(|row| row.offset).collect();
    assert_eq!(offsets, [0, 1, 2, 3]);
}

pub async fn only_pending_letters_are_marked(store: &Fixture<impl DeadLetterIndex>) {
    let three = (0..3).map(|offset| letter(0, offset)).collect();
    store.port.record(three).await.unwrap();
    let ids: Vec<u64> = store.letters().await.iter().map(|row| row.id).collect();
    let mark = async |ids: &[u64], state| store.port.mark(ids.to_vec(), state).await.unwrap();
    assert_eq!(mark(&ids[..2], DeadLetterState::Replayed).await, 2);
    assert_eq!(mark(&ids, DeadLetterState::Dropped).await, 1);
    assert_eq!(mark(&[ids[2] + 100], DeadLetterState::Dropped).await, 0);
    assert_eq!(mark(&[], DeadLetterState::Dropped).await, 0);
    let states: Vec<_> = store.letters().await.iter().map(|row| row.state).collect();
    let replayed = DeadLetterState::Replayed;
    assert_eq!(states, [replayed, replayed, DeadLetterState::Dropped]);
    // A redelivered poison message does not bring a replayed one back.
    store.port.record(vec![letter(0, 0)]).await.unwrap();
    assert_eq!(store.letters().await[0].state, replayed);
}

/// A MySQL `TEXT` has 65,535 bytes; an error may quote a whole message.
pub async fn a_detail_of_any_length_is_recorded_and_a_long_one_is_cut(
    store: &Fixture<impl DeadLetterIndex>,
) {
    let long = DeadLetterRow {
        detail: "é€".repeat(100_000),
        ..letter(0, 1)
    };
    store.port.record(vec![long, letter(0, 2)]).await.unwrap();
    let kept = store.letters().await;
    let detail = &kept[0].detail;
    assert!(detail.len() <= LETTER_DETAIL_BYTES_MAX);
    assert!(detail.starts_with("é€é€"), "{detail}");
    assert!(detail.ends_with("(cut: 500000 bytes)"), "{detail}");
    assert_eq!(kept[1].detail, letter(0, 2).detail);
}

pub async fn a_message_that_was_cut_is_known_by_its_length_and_hash(
    store: &Fixture<impl DeadLetterIndex>,
) {
    let large = DeadLetterRow {
        payload: vec![7; 100_000],
        ..letter(0, 1)
    };
    let cut = large.clone().cut();
    assert_eq!(cut.original, Some(Original::of(&large.payload)));
    assert!(cut.payload.len() < 10_000 && large.payload.starts_with(&cut.payload));
    store.port.record(vec![cut.clone()]).await.unwrap();
    let kept = store.letters().await.remove(0);
    assert_eq!(DeadLetterRow { id: 0, ..kept }, cut);
}

/// One test per case, over one adapter.
macro_rules! dead_letters_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            dead_letters over $($adapter)+;
            a_letter_is_kept_byte_for_byte,
            the_same_place_in_the_log_is_recorded_once,
            letters_come_page_by_page,
            only_pending_letters_are_marked,
            a_detail_of_any_length_is_recorded_and_a_long_one_is_cut,
            a_message_that_was_cut_is_known_by_its_length_and_hash,
        }
    };
}
pub(crate) use dead_letters_suite;
