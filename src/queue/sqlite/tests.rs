//! What the contract suite of the port cannot see: leases, fencing, several processes, trimming.

use std::time::Duration;

use super::super::{Consumer, DeadLetter, Delivery, Message, Position, Queue};
use super::*;
use crate::clock::SystemClock;
use crate::ports::ErrorKind;
use crate::sqlite::Scope;
use crate::sqlite::testing::{ManualClock, TestFile, soon};

const NOW: Duration = Duration::ZERO;
const HOUR: Duration = Duration::from_secs(3_600);

/// Two processes on one file, with one clock.
struct Pair {
    clock: ManualClock,
    one: SqliteQueue<ManualClock>,
    other: SqliteQueue<ManualClock>,
    _file: TestFile,
}

impl Pair {
    fn new() -> Self {
        let file = TestFile::new(Scope::Queue);
        let clock = ManualClock::default();
        let open = || SqliteQueue::open(file.open(), clock.clone()).unwrap();
        Self {
            one: open(),
            other: open(),
            clock,
            _file: file,
        }
    }
}

fn messages(texts: &[&str]) -> Vec<Message> {
    texts
        .iter()
        .map(|text| Message {
            key: b"key".to_vec(),
            payload: text.as_bytes().to_vec(),
        })
        .collect()
}

fn offsets(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|d| d.position.offset).collect()
}

fn at(offset: u64) -> Vec<Position> {
    vec![Position {
        partition: 0,
        offset,
    }]
}

async fn polled(consumer: &mut SqliteConsumer<impl Clock>) -> Vec<u64> {
    offsets(&consumer.poll(10, NOW).await.unwrap())
}

#[tokio::test]
async fn the_batch_of_a_member_that_is_gone_goes_to_another_when_the_lease_runs_out() {
    let pair = Pair::new();
    pair.one.publish(messages(&["a", "b", "c"])).await.unwrap();
    let mut gone = pair.one.subscribe().await.unwrap();
    let mut next = pair.other.subscribe().await.unwrap();
    assert_eq!(polled(&mut gone).await, [0, 1, 2]);
    gone.commit(at(0)).await.unwrap();
    drop(gone);
    assert_eq!(polled(&mut next).await, [0; 0]);
    pair.clock.advance(Duration::from_millis(2_999));
    assert_eq!(polled(&mut next).await, [0; 0]);
    pair.clock.advance(Duration::from_millis(1));
    assert_eq!(polled(&mut next).await, [1, 2]);
}

#[tokio::test]
async fn a_member_that_waits_takes_over_within_5_s_by_itself() {
    let file = TestFile::new(Scope::Queue);
    let one = SqliteQueue::open(file.open(), SystemClock).unwrap();
    let other = SqliteQueue::open(file.open(), SystemClock).unwrap();
    one.publish(messages(&["a"])).await.unwrap();
    let mut gone = one.subscribe().await.unwrap();
    assert_eq!(polled(&mut gone).await, [0]);
    drop((gone, one));
    let mut next = other.subscribe().await.unwrap();
    let deliveries = next.poll(10, Duration::from_secs(5)).await.unwrap();
    assert_eq!(offsets(&deliveries), [0]);
}

#[tokio::test]
async fn a_member_that_lost_its_lease_moves_no_offset_and_begins_again_where_the_group_is() {
    let pair = Pair::new();
    pair.one
        .publish(messages(&["a", "b", "c", "d"]))
        .await
        .unwrap();
    let mut zombie = pair.one.subscribe().await.unwrap();
    let mut next = pair.other.subscribe().await.unwrap();
    assert_eq!(polled(&mut zombie).await, [0, 1, 2, 3]);
    pair.clock.advance(lease::LEASE);
    assert_eq!(polled(&mut next).await, [0, 1, 2, 3]);
    next.commit(at(1)).await.unwrap();
    zombie.commit(at(3)).await.unwrap();
    assert_eq!(pair.one.backlog().await.unwrap(), 2);
    assert_eq!(polled(&mut zombie).await, [0; 0]);
    next.close().await;
    assert_eq!(polled(&mut zombie).await, [2, 3]);
    zombie.commit(at(3)).await.unwrap();
    assert_eq!(pair.one.backlog().await.unwrap(), 0);
}

#[tokio::test]
async fn a_lease_that_ran_out_and_that_nobody_took_still_commits_and_reads_on() {
    let pair = Pair::new();
    pair.one.publish(messages(&["a", "b"])).await.unwrap();
    let mut slow = pair.one.subscribe().await.unwrap();
    assert_eq!(slow.poll(1, NOW).await.unwrap().len(), 1);
    pair.clock.advance(HOUR);
    assert_eq!(polled(&mut slow).await, [1]);
    pair.clock.advance(HOUR);
    slow.commit(at(1)).await.unwrap();
    assert_eq!(pair.one.backlog().await.unwrap(), 0);
}

#[tokio::test]
async fn the_offset_never_goes_back_and_never_beyond_the_end() {
    let pair = Pair::new();
    pair.one.publish(messages(&["a", "b", "c"])).await.unwrap();
    let mut consumer = pair.one.subscribe().await.unwrap();
    assert_eq!(polled(&mut consumer).await, [0, 1, 2]);
    consumer.commit(at(1)).await.unwrap();
    consumer.commit(at(0)).await.unwrap();
    assert_eq!(pair.one.backlog().await.unwrap(), 1);
    let error = consumer.commit(at(3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permanent);
    assert_eq!(pair.one.backlog().await.unwrap(), 1);
}

#[tokio::test]
async fn a_clock_that_steps_back_an_hour_stops_nobody() {
    let pair = Pair::new();
    pair.one.publish(messages(&["a", "b"])).await.unwrap();
    let mut gone = pair.one.subscribe().await.unwrap();
    let mut next = pair.other.subscribe().await.unwrap();
    assert_eq!(gone.poll(1, NOW).await.unwrap().len(), 1);
    pair.clock.turn_back(HOUR);
    // The owner goes on, and its lease is a true one again, so that the other member has to wait for it.
    assert_eq!(polled(&mut gone).await, [1]);
    assert_eq!(polled(&mut next).await, [0; 0]);
    drop(gone);
    pair.clock.turn_back(HOUR);
    assert_eq!(polled(&mut next).await, [0, 1]);
}

#[tokio::test]
async fn not_every_poll_writes_and_an_idle_member_keeps_its_lease() {
    let pair = Pair::new();
    let mut member = pair.one.subscribe().await.unwrap();
    let mut other = pair.other.subscribe().await.unwrap();
    let mut watch = ChangeWatch::open(&pair.other.0.store).unwrap();
    assert_eq!(polled(&mut member).await, [0; 0]);
    assert!(watch.look().unwrap());
    for _ in 0..9 {
        pair.clock.advance(Duration::from_millis(100));
        assert_eq!(polled(&mut member).await, [0; 0]);
        assert!(!watch.look().unwrap());
    }
    for _ in 0..4 {
        pair.clock.advance(Duration::from_secs(1));
        assert_eq!(polled(&mut member).await, [0; 0]);
        assert!(watch.look().unwrap());
    }
    pair.one.publish(messages(&["a"])).await.unwrap();
    assert_eq!(polled(&mut other).await, [0; 0]);
    assert_eq!(polled(&mut member).await, [0]);
}

#[tokio::test]
async fn messages_of_any_process_wake_a_member_that_waits() {
    let pair = Pair::new();
    let mut member = pair.one.subscribe().await.unwrap();
    for (queue, text) in [(&pair.one, "near"), (&pair.other, "far")] {
        let (deliveries, published) =
            soon(async { tokio::join!(member.poll(10, HOUR), queue.publish(messages(&[text]))) })
                .await;
        published.unwrap();
        assert_eq!(deliveries.unwrap()[0].payload, text.as_bytes());
    }
}

#[tokio::test]
async fn a_member_that_closes_is_followed_at_once() {
    let pair = Pair::new();
    pair.one.publish(messages(&["a"])).await.unwrap();
    let mut first = pair.one.subscribe().await.unwrap();
    let mut second = pair.other.subscribe().await.unwrap();
    assert_eq!(polled(&mut first).await, [0]);
    let (deliveries, ()) = soon(async { tokio::join!(second.poll(10, HOUR), first.close()) }).await;
    assert_eq!(offsets(&deliveries.unwrap()), [0]);
}

#[tokio::test]
async fn consumed_messages_are_trimmed_after_a_week_and_offsets_still_grow() {
    let pair = Pair::new();
    pair.one.publish(messages(&["a", "b", "c"])).await.unwrap();
    let mut consumer = pair.one.subscribe().await.unwrap();
    assert_eq!(polled(&mut consumer).await, [0, 1, 2]);
    consumer.commit(at(1)).await.unwrap();
    consumer.close().await;
    pair.clock
        .advance(log::RETENTION + Duration::from_millis(1));
    // A fresh member trims at its first commit, and keeps what was not consumed before.
    let mut consumer = pair.other.subscribe().await.unwrap();
    assert_eq!(polled(&mut consumer).await, [2]);
    consumer.commit(at(2)).await.unwrap();
    let left = pair.one.0.store.read("count", |connection| {
        connection.query_row("SELECT count(*) FROM queue_messages", [], |row| {
            row.get::<_, i64>(0)
        })
    });
    assert_eq!(left.unwrap(), 0);
    assert_eq!(pair.one.end().await.unwrap().0, at(3));
    let positions = pair.one.publish(messages(&["d"])).await.unwrap();
    assert_eq!(positions, at(3));
    assert_eq!(polled(&mut consumer).await, [3]);
}

#[tokio::test]
async fn what_is_not_consumed_is_kept_however_old_it_is_and_the_rest_for_a_week() {
    let pair = Pair::new();
    pair.one.publish(messages(&["a", "b", "c"])).await.unwrap();
    let kept = || {
        let count = pair.one.0.store.read("count", |connection| {
            connection.query_row("SELECT count(*) FROM queue_messages", [], |row| {
                row.get::<_, i64>(0)
            })
        });
        count.unwrap()
    };
    let mut consumer = pair.one.subscribe().await.unwrap();
    assert_eq!(polled(&mut consumer).await, [0, 1, 2]);
    consumer.commit(at(0)).await.unwrap();
    consumer.close().await;
    assert_eq!(kept(), 3, "what is consumed can be looked at for a week");
    // Nobody works for a month; the first commit after that trims.
    pair.clock.advance(30 * 24 * HOUR);
    let mut consumer = pair.other.subscribe().await.unwrap();
    assert_eq!(offsets(&consumer.poll(1, NOW).await.unwrap()), [1]);
    consumer.commit(at(1)).await.unwrap();
    assert_eq!(kept(), 1);
    consumer.close().await;
    let mut consumer = pair.one.subscribe().await.unwrap();
    assert_eq!(polled(&mut consumer).await, [2]);
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_with_its_whole_batch() {
    let pair = Pair::new();
    let mut batch = messages(&["a"]);
    batch.push(Message {
        key: vec![0; 1],
        payload: vec![0; MESSAGE_BYTES_MAX],
    });
    let error = pair.one.publish(batch.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permanent);
    assert_eq!(pair.one.backlog().await.unwrap(), 0);
    batch[1].key.clear();
    assert_eq!(pair.one.publish(batch).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_dead_letter_is_kept_once_with_its_coordinates() {
    let pair = Pair::new();
    pair.one.publish(messages(&["bad"])).await.unwrap();
    let mut consumer = pair.one.subscribe().await.unwrap();
    let delivery = consumer.poll(1, NOW).await.unwrap().remove(0);
    for reason in ["poison: no cart", "poison: again"] {
        let letter = DeadLetter {
            delivery: delivery.clone(),
            reason: reason.to_owned(),
            original: None,
        };
        pair.one.dead_letter(vec![letter]).await.unwrap();
    }
    let kept = pair.other.0.store.read("read", |connection| {
        connection
            .prepare(
                "SELECT source_partition, source_offset, reason, payload FROM queue_dead_letters",
            )?
            .query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect::<Result<Vec<(u32, i64, String, Vec<u8>)>, _>>()
    });
    let kept = kept.unwrap();
    assert_eq!(
        kept,
        [(0, 0, "poison: no cart".to_owned(), b"bad".to_vec())]
    );
}

#[tokio::test]
async fn a_mark_is_consumed_once_everything_before_it_is_committed() {
    let pair = Pair::new();
    assert!(
        pair.one
            .consumed(&pair.one.end().await.unwrap())
            .await
            .unwrap()
    );
    pair.one.publish(messages(&["a", "b"])).await.unwrap();
    let mark = pair.one.end().await.unwrap();
    pair.one.publish(messages(&["c"])).await.unwrap();
    let mut consumer = pair.other.subscribe().await.unwrap();
    assert_eq!(polled(&mut consumer).await, [0, 1, 2]);
    for (offset, consumed) in [(0, false), (1, true), (2, true)] {
        consumer.commit(at(offset)).await.unwrap();
        assert_eq!(pair.one.consumed(&mark).await.unwrap(), consumed);
    }
}
