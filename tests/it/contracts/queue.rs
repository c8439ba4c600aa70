//! What [`Queue`] and [`Consumer`] promise.

use std::time::Duration;

use futures::future::join_all;
use oms::domain::Timestamp;
use oms::queue::{Consumer, DeadLetter, Delivery, Message, Queue, Replay, Replayable};
use tokio::time::{Instant, sleep, timeout};

use super::Fixture;

/// How long a member that is gone may keep its messages from another.
const TAKEOVER_MAX: Duration = Duration::from_secs(10);

const SOON: Duration = Duration::from_secs(5);
const AT_ONCE: Duration = Duration::ZERO;

fn message(key: &str, payload: &str) -> Message {
    Message {
        key: key.as_bytes().to_vec(),
        payload: payload.as_bytes().to_vec(),
    }
}

fn texts(deliveries: &[Delivery]) -> Vec<String> {
    let text = |delivery: &Delivery| String::from_utf8(delivery.payload.clone()).unwrap();
    deliveries.iter().map(text).collect()
}

fn numbered(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    let numbers = numbers.into_iter();
    numbers.map(|number| format!("{number:04}")).collect()
}

impl<Q: Queue> Fixture<Q> {
    /// Publishes numbers under one key.
    async fn publish(&self, numbers: impl IntoIterator<Item = u32>) {
        let messages = numbered(numbers)
            .into_iter()
            .map(|text| message("A", &text));
        let messages: Vec<_> = messages.collect();
        let count = messages.len();
        let positions = self.port.publish(messages).await.unwrap();
        assert_eq!(positions.len(), count);
    }

    async fn backlog(&self) -> u64 {
        self.other.backlog().await.unwrap()
    }
}

async fn commit_last<C: Consumer>(consumer: &mut C, deliveries: &[Delivery]) {
    let last = deliveries.last().unwrap().position;
    consumer.commit(vec![last]).await.unwrap();
}

pub async fn messages_of_a_key_come_in_order_and_once(queue: &Fixture<impl Queue>) {
    queue.publish(0..3).await;
    queue.publish(3..5).await;
    let mut consumer = queue.other.subscribe().await.unwrap();
    let mut got = consumer.poll(2, SOON).await.unwrap();
    assert_eq!(texts(&got), numbered(0..2), "at most what was asked for");
    while got.len() < 5 {
        let more = consumer.poll(100, SOON).await.unwrap();
        assert!(!more.is_empty(), "only {} came", got.len());
        got.extend(more);
    }
    assert_eq!(texts(&got), numbered(0..5));
    let offsets: Vec<_> = got.iter().map(|delivery| delivery.position).collect();
    assert!(offsets.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(consumer.poll(100, AT_ONCE).await.unwrap(), []);
}

pub async fn bytes_are_kept_as_they_are(queue: &Fixture<impl Queue>) {
    let awkward = Message {
        key: vec![0, 255, 10],
        payload: vec![255, 0, 254, b'\n', b'{'],
    };
    let large = Message {
        key: Vec::new(),
        payload: vec![7; 700_000],
    };
    queue.port.publish(vec![awkward.clone()]).await.unwrap();
    let mut consumer = queue.other.subscribe().await.unwrap();
    let got = consumer.poll(1, SOON).await.unwrap();
    assert_eq!(
        (&got[0].key, &got[0].payload),
        (&awkward.key, &awkward.payload)
    );
    queue.port.publish(vec![large.clone()]).await.unwrap();
    let got = consumer.poll(1, SOON).await.unwrap();
    assert_eq!((&got[0].key, &got[0].payload), (&large.key, &large.payload));
}

pub async fn publish_says_where_a_message_stands(queue: &Fixture<impl Queue>) {
    let messages = vec![message("A", "one"), message("A", "two")];
    let positions = queue.port.publish(messages).await.unwrap();
    let mut consumer = queue.port.subscribe().await.unwrap();
    let got = consumer.poll(10, SOON).await.unwrap();
    let read: Vec<_> = got.iter().map(|delivery| delivery.position).collect();
    assert_eq!(read, positions);
    assert_eq!(queue.port.publish(Vec::new()).await.unwrap(), []);
}

pub async fn what_is_committed_does_not_come_again_and_the_rest_does(queue: &Fixture<impl Queue>) {
    queue.publish(0..5).await;
    let mut first = queue.port.subscribe().await.unwrap();
    let got = first.poll(5, SOON).await.unwrap();
    commit_last(&mut first, &got[..3]).await;
    // An earlier position again takes nothing back.
    commit_last(&mut first, &got[..1]).await;
    assert_eq!(queue.backlog().await, 2);
    first.close().await;
    let mut second = queue.other.subscribe().await.unwrap();
    let again = second.poll(10, TAKEOVER_MAX).await.unwrap();
    assert_eq!(texts(&again), numbered(3..5));
    commit_last(&mut second, &again).await;
    assert_eq!(queue.backlog().await, 0);
}

pub async fn a_member_that_is_gone_is_taken_over_within_seconds(queue: &Fixture<impl Queue>) {
    queue.publish(0..3).await;
    let mut gone = queue.port.subscribe().await.unwrap();
    let got = gone.poll(10, SOON).await.unwrap();
    commit_last(&mut gone, &got[..1]).await;
    // No goodbye: what a killed process does.
    drop(gone);
    let started = Instant::now();
    let mut heir = queue.other.subscribe().await.unwrap();
    let again = poll_some(&mut heir).await;
    assert_eq!(texts(&again), numbered(1..3));
    assert!(started.elapsed() < TAKEOVER_MAX);
}

/// Polls until something comes.
async fn poll_some<C: Consumer>(consumer: &mut C) -> Vec<Delivery> {
    let deadline = Instant::now() + TAKEOVER_MAX;
    loop {
        let got = consumer.poll(100, Duration::from_secs(1)).await.unwrap();
        if !got.is_empty() {
            return got;
        }
        assert!(Instant::now() < deadline, "nothing came");
    }
}

pub async fn a_message_goes_to_one_member_at_a_time(queue: &Fixture<impl Queue>) {
    queue.publish(0..20).await;
    let mut one = queue.port.subscribe().await.unwrap();
    let mut other = queue.other.subscribe().await.unwrap();
    let mut got = Vec::new();
    let deadline = Instant::now() + TAKEOVER_MAX;
    while got.len() < 20 {
        assert!(Instant::now() < deadline, "only {} came", got.len());
        for consumer in [&mut one, &mut other] {
            let part = consumer.poll(3, Duration::from_millis(20)).await.unwrap();
            if !part.is_empty() {
                commit_last(consumer, &part).await;
            }
            got.extend(texts(&part));
        }
    }
    got.sort();
    assert_eq!(got, numbered(0..20));
    assert_eq!(queue.backlog().await, 0);
}

pub async fn a_poll_waits_for_the_first_message_and_no_longer(queue: &Fixture<impl Queue>) {
    let mut consumer = queue.other.subscribe().await.unwrap();
    let started = Instant::now();
    let wait = Duration::from_millis(300);
    assert_eq!(consumer.poll(10, wait).await.unwrap(), []);
    assert!(started.elapsed() >= wait, "waited {:?}", started.elapsed());
    assert!(started.elapsed() < SOON);
    let started = Instant::now();
    let (got, ()) = tokio::join!(consumer.poll(10, SOON * 12), async {
        sleep(Duration::from_millis(200)).await;
        queue.publish(0..1).await;
    });
    assert_eq!(texts(&got.unwrap()), numbered(0..1));
    assert!(
        started.elapsed() < SOON,
        "woken after {:?}",
        started.elapsed()
    );
}

pub async fn a_cancelled_poll_loses_no_message(queue: &Fixture<impl Queue>) {
    let mut consumer = queue.port.subscribe().await.unwrap();
    for _ in 0..3 {
        let poll = consumer.poll(10, SOON);
        assert!(timeout(Duration::from_millis(30), poll).await.is_err());
    }
    queue.publish(0..3).await;
    assert_eq!(texts(&poll_some(&mut consumer).await), numbered(0..3));
}

pub async fn a_mark_is_consumed_when_all_before_it_is_committed(queue: &Fixture<impl Queue>) {
    let empty = queue.port.end().await.unwrap();
    assert!(queue.other.consumed(&empty).await.unwrap());
    queue.publish(0..2).await;
    let mark = queue.port.end().await.unwrap();
    queue.publish(2..4).await;
    let mut consumer = queue.other.subscribe().await.unwrap();
    let got = consumer.poll(4, SOON).await.unwrap();
    assert!(
        !queue.port.consumed(&mark).await.unwrap(),
        "read is not committed"
    );
    commit_last(&mut consumer, &got[..1]).await;
    assert!(!queue.port.consumed(&mark).await.unwrap());
    commit_last(&mut consumer, &got[..2]).await;
    assert!(queue.port.consumed(&mark).await.unwrap());
    let end = queue.port.end().await.unwrap();
    assert!(!queue.port.consumed(&end).await.unwrap());
    commit_last(&mut consumer, &got).await;
    assert!(queue.port.consumed(&end).await.unwrap());
}

pub async fn the_backlog_counts_what_is_not_committed(queue: &Fixture<impl Queue>) {
    assert_eq!(queue.backlog().await, 0);
    queue.publish(0..7).await;
    assert_eq!(queue.backlog().await, 7);
    let mut consumer = queue.port.subscribe().await.unwrap();
    let got = consumer.poll(4, SOON).await.unwrap();
    assert_eq!(queue.backlog().await, 7);
    commit_last(&mut consumer, &got).await;
    assert_eq!(queue.backlog().await, 3);
    let lag = queue.other.lag().await.unwrap();
    let behind = lag.iter().filter(|lag| lag.messages > 0);
    // All have one key, and so one partition.
    assert_eq!(behind.map(|lag| lag.messages).collect::<Vec<_>>(), [3]);
    let partition = got[0].position.partition;
    assert!(
        lag.iter()
            .any(|lag| (lag.partition, lag.messages) == (partition, 3))
    );
}

pub async fn keys_keep_their_order_among_many(queue: &Fixture<impl Queue>) {
    let keys = ["A", "B", "C", "D", "E", "F", "G"];
    let messages =
        (0..70).map(|n: usize| message(keys[n % 7], &format!("{} {:04}", keys[n % 7], n)));
    queue.port.publish(messages.collect()).await.unwrap();
    let mut consumer = queue.other.subscribe().await.unwrap();
    let mut got = Vec::new();
    while got.len() < 70 {
        let part = poll_some(&mut consumer).await;
        let positions = part.iter().map(|delivery| delivery.position).collect();
        consumer.commit(positions).await.unwrap();
        got.extend(texts(&part));
    }
    for key in keys {
        let of_key: Vec<_> = got.iter().filter(|text| text.starts_with(key)).collect();
        assert_eq!(of_key.len(), 10);
        assert!(of_key.is_sorted(), "{of_key:?}");
    }
    assert_eq!(queue.backlog().await, 0);
}

pub async fn publishers_in_two_processes_lose_nothing(queue: &Fixture<impl Queue>) {
    let publishers = [(0, &queue.port), (10, &queue.other)].map(async |(from, port)| {
        for text in numbered(from..from + 10) {
            port.publish(vec![message("A", &text)]).await.unwrap();
        }
    });
    join_all(publishers).await;
    let mut consumer = queue.port.subscribe().await.unwrap();
    let mut got = Vec::new();
    while got.len() < 20 {
        got.extend(texts(&poll_some(&mut consumer).await));
    }
    assert!(
        got.iter()
            .filter(|text| *text < &"0010".to_owned())
            .is_sorted()
    );
    got.sort();
    assert_eq!(got, numbered(0..20));
}

pub async fn dead_letters_are_kept_apart_from_the_log(queue: &Fixture<impl Queue>) {
    queue.publish(0..2).await;
    let mut consumer = queue.port.subscribe().await.unwrap();
    let got = consumer.poll(2, SOON).await.unwrap();
    let letter = DeadLetter {
        delivery: got[0].clone(),
        reason: "poison: not JSON".to_owned(),
        original: None,
    };
    // A second time, as after a crash before the commit.
    queue.port.dead_letter(vec![letter.clone()]).await.unwrap();
    queue.other.dead_letter(vec![letter]).await.unwrap();
    assert_eq!(queue.backlog().await, 2);
    commit_last(&mut consumer, &got).await;
    assert_eq!(queue.backlog().await, 0);
    assert_eq!(consumer.poll(10, AT_ONCE).await.unwrap(), []);
    assert!(!queue.port.topic().is_empty());
    assert_eq!(queue.port.topic(), queue.other.topic());
}

/// All that a reading gives, a few at a time.
async fn replayed<Q: Replayable>(queue: &Q, since: i64) -> Vec<Delivery> {
    let since = Timestamp::from_millis(since);
    let mut reading = queue.replay(since).await.unwrap();
    let mut all = Vec::new();
    loop {
        let batch = reading.next(3).await.unwrap();
        if batch.is_empty() {
            return all;
        }
        assert!(batch.len() <= 3);
        all.extend(batch);
    }
}

pub async fn the_log_is_read_again_beside_the_group(queue: &Fixture<impl Queue + Replayable>) {
    queue.publish(0..8).await;
    let mut consumer = queue.port.subscribe().await.unwrap();
    let mut got = Vec::new();
    while got.len() < 8 {
        got.extend(consumer.poll(100, SOON).await.unwrap());
    }
    commit_last(&mut consumer, &got[..5]).await;
    for _ in 0..2 {
        let again = replayed(&queue.other, 0).await;
        assert_eq!(texts(&again), numbered(0..8));
        assert_eq!(again, got);
    }
    // Nothing is committed by it, and nobody is disturbed.
    assert_eq!(queue.backlog().await, 3);
    commit_last(&mut consumer, &got).await;
    queue.publish(8..9).await;
    let more = consumer.poll(100, SOON).await.unwrap();
    assert_eq!(texts(&more), numbered(8..9));
}

pub async fn a_reading_ends_where_the_log_ended_when_it_began(
    queue: &Fixture<impl Queue + Replayable>,
) {
    assert_eq!(replayed(&queue.port, 0).await, []);
    queue.publish(0..4).await;
    let mut reading = queue.port.replay(Timestamp::from_millis(0)).await.unwrap();
    queue.publish(4..9).await;
    let mut all = Vec::new();
    loop {
        let batch = reading.next(100).await.unwrap();
        if batch.is_empty() {
            break;
        }
        all.extend(batch);
    }
    assert_eq!(texts(&all), numbered(0..4));
    assert_eq!(reading.next(100).await.unwrap(), []);
    // Nothing was appended in the future.
    assert_eq!(replayed(&queue.port, 4_000_000_000_000).await, []);
}

pub async fn messages_are_owned_until_another_member_has_them(queue: &Fixture<impl Queue>) {
    queue.publish(0..3).await;
    let mut first = queue.port.subscribe().await.unwrap();
    let got = poll_some(&mut first).await;
    let positions: Vec<_> = got.iter().map(|delivery| delivery.position).collect();
    let owned = first.still_owned(positions.clone()).await.unwrap();
    assert_eq!(owned, positions);
    assert_eq!(first.still_owned(Vec::new()).await.unwrap(), []);
    first.close().await;
    // A member that was given none of them owns none, until it is.
    let mut second = queue.other.subscribe().await.unwrap();
    let owned = second.still_owned(positions.clone()).await.unwrap();
    assert_eq!(owned, []);
    let again = poll_some(&mut second).await;
    assert_eq!(again[0].position, positions[0]);
    let owned = second.still_owned(vec![positions[0]]).await.unwrap();
    assert_eq!(owned, [positions[0]]);
}

pub async fn the_oldest_message_that_is_not_committed_is_named(queue: &Fixture<impl Queue>) {
    assert_eq!(queue.other.oldest().await.unwrap(), None);
    queue.publish(0..2).await;
    let first = queue.other.oldest().await.unwrap().unwrap();
    let mut consumer = queue.port.subscribe().await.unwrap();
    let mut got = Vec::new();
    while got.len() < 2 {
        got.extend(poll_some(&mut consumer).await);
    }
    assert_eq!(first.position, got[0].position);
    assert!(first.published_at > Timestamp::from_millis(0), "{first:?}");
    commit_last(&mut consumer, &got[..1]).await;
    let second = queue.other.oldest().await.unwrap().unwrap();
    assert_eq!(second.position, got[1].position);
    assert!(second.published_at >= first.published_at);
    commit_last(&mut consumer, &got).await;
    assert_eq!(queue.other.oldest().await.unwrap(), None);
}

/// One test per case, over one adapter.
macro_rules! queue_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            queue over $($adapter)+;
            messages_of_a_key_come_in_order_and_once,
            bytes_are_kept_as_they_are,
            publish_says_where_a_message_stands,
            what_is_committed_does_not_come_again_and_the_rest_does,
            a_member_that_is_gone_is_taken_over_within_seconds,
            a_message_goes_to_one_member_at_a_time,
            a_poll_waits_for_the_first_message_and_no_longer,
            a_cancelled_poll_loses_no_message,
            a_mark_is_consumed_when_all_before_it_is_committed,
            the_backlog_counts_what_is_not_committed,
            keys_keep_their_order_among_many,
            publishers_in_two_processes_lose_nothing,
            dead_letters_are_kept_apart_from_the_log,
            the_log_is_read_again_beside_the_group,
            a_reading_ends_where_the_log_ended_when_it_began,
            messages_are_owned_until_another_member_has_them,
            the_oldest_message_that_is_not_committed_is_named,
        }
    };
}
pub(crate) use queue_suite;
