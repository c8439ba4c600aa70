//! What the contract of the port cannot see: topics, headers, rebalances.

use std::time::{Duration, Instant};

use futures::future::join_all;
use oms::clock::SystemClock;
use oms::domain::Timestamp;
use oms::ports::{Clock as _, ErrorKind};
use oms::queue::kafka::{KafkaConsumer, KafkaQueue};
use oms::queue::{
    Consumer, DeadLetter, Delivery, Message, Position, Queue, Replay as _, Replayable as _,
};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers, Message as _, OwnedMessage};

use super::TestTopic;
use crate::contracts::coverage;

/// How long anything may take that is waited for.
const SOON: Duration = Duration::from_secs(20);

/// How many tests are here.
const CASES: usize = 12;

const SUITE: &str = "topics, headers and rebalances";

/// Counts a test that could run, and one that could not.
async fn with_topic<F: Future<Output = ()>>(
    topic: Result<TestTopic, String>,
    test: impl FnOnce(TestTopic) -> F,
) {
    match topic {
        Ok(topic) => {
            test(topic).await;
            coverage::ran(SUITE, "kafka", CASES);
        }
        Err(why) => coverage::skipped(SUITE, "kafka", CASES, &why),
    }
}

fn messages(keys: &[&str], count: usize) -> Vec<Message> {
    let message = |n: usize| Message {
        key: keys[n % keys.len()].as_bytes().to_vec(),
        payload: format!("{n:04}").into_bytes(),
    };
    (0..count).map(message).collect()
}

async fn poll_until(consumer: &mut KafkaConsumer, count: usize) -> Vec<Delivery> {
    let deadline = Instant::now() + SOON;
    let mut got = Vec::new();
    while got.len() < count {
        assert!(Instant::now() < deadline, "only {} came", got.len());
        got.extend(
            consumer
                .poll(1_000, Duration::from_millis(100))
                .await
                .unwrap(),
        );
    }
    got
}

/// Everything in a topic of one partition, as another program reads it.
fn read(topic: &TestTopic, name: &str, count: usize) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", topic.url.brokers())
        .set("group.id", topic.url.group())
        .create()
        .unwrap();
    let mut from = rdkafka::TopicPartitionList::new();
    from.add_partition_offset(name, 0, rdkafka::Offset::Beginning)
        .unwrap();
    consumer.assign(&from).unwrap();
    let deadline = Instant::now() + SOON;
    let mut got = Vec::new();
    while got.len() < count {
        assert!(Instant::now() < deadline, "only {} came", got.len());
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            got.push(message.unwrap().detach());
        }
    }
    got
}

#[tokio::test]
async fn a_dead_letter_says_why_and_from_where_and_keeps_every_byte() {
    with_topic(TestTopic::make(1).await, async |topic| {
        let letter = DeadLetter {
            delivery: Delivery {
                position: Position {
                    partition: 2,
                    offset: 71,
                },
                key: vec![0, 255, b'\n'],
                payload: vec![254, 0, b'{'],
            },
            reason: "poison: kein JSON, äöü".to_owned(),
            original: None,
        };
        topic.open().await.dead_letter(vec![letter]).await.unwrap();
        let got = read(&topic, &topic.url.dead_letter_topic(), 1);
        assert_eq!(got[0].key(), Some(&[0, 255, b'\n'][..]));
        assert_eq!(got[0].payload(), Some(&[254, 0, b'{'][..]));
        let headers = got[0].headers().unwrap();
        let header = |name: &str| {
            let found = headers.iter().find(|header| header.key == name).unwrap();
            String::from_utf8(found.value.unwrap().to_vec()).unwrap()
        };
        assert_eq!(header("reason"), "poison: kein JSON, äöü");
        assert_eq!(header("source-topic"), topic.url.topic());
        assert_eq!(header("source-partition"), "2");
        assert_eq!(header("source-offset"), "71");
    })
    .await;
}

/// Another producer may send as much as the broker takes: then the headers of a dead letter no longer fit.
#[tokio::test]
async fn a_dead_letter_of_any_size_is_kept_whole_or_refused_for_good_and_then_fits_cut() {
    with_topic(TestTopic::make(1).await, async |topic| {
        let queue = topic.open().await;
        let letter = |bytes: usize| DeadLetter {
            delivery: Delivery {
                position: Position {
                    partition: 0,
                    offset: bytes as u64,
                },
                key: vec![b'k'; 10],
                payload: vec![b'x'; bytes],
            },
            reason: "poison: ".to_owned() + &"ä".repeat(2_000),
            original: None,
        };
        let sizes = [1_000_000, 1_040_000, 1_048_510, 5_000_000];
        for bytes in sizes {
            queue.dead_letter(vec![letter(bytes)]).await.unwrap();
        }
        let got = read(&topic, &topic.url.dead_letter_topic(), sizes.len());
        let kept: Vec<usize> = got.iter().map(|m| m.payload().unwrap().len()).collect();
        assert_eq!(kept, sizes);
        let huge = letter(20_000_000);
        let error = queue.dead_letter(vec![huge.clone()]).await.unwrap_err();
        assert!(!error.is_transient(), "{}", error.chain());
        queue.dead_letter(vec![huge.cut()]).await.unwrap();
        let got = read(&topic, &topic.url.dead_letter_topic(), sizes.len() + 1);
        let headers = got[sizes.len()].headers().unwrap();
        let bytes = headers.iter().find(|header| header.key == "original-bytes");
        assert_eq!(bytes.unwrap().value, Some(&b"20000000"[..]));
    })
    .await;
}

/// Nothing larger than before is published, though.
#[tokio::test]
async fn a_message_over_the_bound_is_refused_before_it_is_sent() {
    with_topic(TestTopic::make(1).await, async |topic| {
        let queue = topic.open().await;
        let message = |bytes: usize| Message {
            key: vec![b'k'; 10],
            payload: vec![b'x'; bytes],
        };
        queue.publish(vec![message(999_990)]).await.unwrap();
        let error = queue.publish(vec![message(999_991)]).await.unwrap_err();
        assert!(!error.is_transient());
        let text = error.chain();
        assert!(text.contains("at most 1000000 are allowed"), "{text}");
    })
    .await;
}

/// A static member that a replacement has fenced must not take its place back.
#[tokio::test]
async fn a_fenced_member_is_told_so_and_never_reads_again() {
    let topic = TestTopic::named("group.instance.id=worker-7");
    with_topic(topic, async |topic| {
        KafkaQueue::migrate(&topic.url).await.unwrap();
        let (one, two) = (topic.open().await, topic.open().await);
        one.publish(messages(&["A"], 3)).await.unwrap();
        let mut fenced = one.subscribe().await.unwrap();
        let deadline = Instant::now() + SOON;
        while fenced
            .poll(1, Duration::from_millis(200))
            .await
            .unwrap()
            .is_empty()
        {
            assert!(Instant::now() < deadline, "nothing came");
        }
        let mut heir = two.subscribe().await.unwrap();
        let error = loop {
            assert!(Instant::now() < deadline, "it was not fenced");
            // The replacement has to poll to join.
            let _ = heir.poll(1, Duration::from_millis(200)).await;
            if let Err(error) = fenced.poll(1, Duration::from_millis(200)).await
                && !error.is_transient()
            {
                break error;
            }
        };
        let text = error.chain();
        assert!(text.contains("group.instance.id"), "{text}");
        let again = fenced.poll(1, Duration::from_millis(200)).await;
        assert!(again.is_err_and(|error| !error.is_transient()));
        assert_eq!(fenced.still_owned(vec![]).await.unwrap(), []);
        // The replacement works.
        while heir
            .poll(1, Duration::from_millis(200))
            .await
            .unwrap()
            .is_empty()
        {
            assert!(
                Instant::now() < deadline + SOON,
                "the replacement got nothing"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn migrating_twice_and_at_once_makes_one_topic() {
    let topic = TestTopic::named("partitions=4&replication=1");
    with_topic(topic, async |topic| {
        for migrated in join_all((0..4).map(|_| KafkaQueue::migrate(&topic.url))).await {
            migrated.unwrap();
        }
        topic
            .open()
            .await
            .publish(messages(&["A"], 3))
            .await
            .unwrap();
        KafkaQueue::migrate(&topic.url).await.unwrap();
        let queue = topic.open().await;
        assert_eq!(queue.end().await.unwrap().0.len(), 4);
        assert_eq!(queue.backlog().await.unwrap(), 3, "nothing was lost");
    })
    .await;
}

#[tokio::test]
async fn a_missing_topic_is_not_made_by_connecting() {
    with_topic(TestTopic::named(""), async |topic| {
        for _ in 0..2 {
            let error = KafkaQueue::connect(topic.url.clone()).await.unwrap_err();
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains("oms migrate"), "{error}: {source}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_check_tells_lag_and_what_should_be_otherwise() {
    with_topic(TestTopic::make(3).await, async |topic| {
        let queue = topic.open().await;
        queue
            .publish(messages(&["A", "B", "C", "D"], 40))
            .await
            .unwrap();
        let mut consumer = queue.subscribe().await.unwrap();
        let got = poll_until(&mut consumer, 40).await;
        consumer.commit(vec![got[0].position]).await.unwrap();
        let check = KafkaQueue::check(&topic.url).await.unwrap();
        assert_eq!((check.lag.len(), check.replication), (3, 1));
        assert_eq!(check.min_insync_replicas, Some(1));
        assert_eq!(check.retention, Some(Duration::from_secs(7 * 86_400)));
        assert_eq!(check.lag.iter().map(|part| part.lag).sum::<u64>(), 39);
        assert_eq!(check.warnings.len(), 1, "{:?}", check.warnings);
        assert!(check.warnings[0].contains("replication is 1"));
    })
    .await;
}

#[tokio::test]
async fn too_many_replicas_are_refused_with_what_to_write() {
    let topic = TestTopic::named("replication=99");
    with_topic(topic, async |topic| {
        let error = KafkaQueue::migrate(&topic.url).await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("write replication="), "{error}: {source}");
        assert_eq!(error.kind(), ErrorKind::Permanent);
    })
    .await;
}

#[tokio::test]
async fn a_partition_that_was_taken_away_cannot_be_committed_and_comes_again_elsewhere() {
    with_topic(TestTopic::make(3).await, async |topic| {
        let queue = topic.open().await;
        let keys = ["A", "B", "C", "D", "E", "F", "G", "H"];
        queue.publish(messages(&keys, 80)).await.unwrap();
        let mut first = queue.subscribe().await.unwrap();
        let got = poll_until(&mut first, 80).await;
        let mut second = queue.subscribe().await.unwrap();
        // The second one joins while both poll; what the first one has read is not committed.
        let deadline = Instant::now() + SOON;
        let mut moved = Vec::new();
        while moved.is_empty() {
            assert!(Instant::now() < deadline, "no partition moved");
            first.poll(100, Duration::from_millis(20)).await.unwrap();
            moved = second.poll(100, Duration::from_millis(20)).await.unwrap();
        }
        let lost = moved[0].position.partition;
        let of = |is_lost: bool| {
            let deliveries = got.iter().rev();
            deliveries
                .map(|delivery| delivery.position)
                .find(|position| (position.partition == lost) == is_lost)
                .unwrap()
        };
        let error = first.commit(vec![of(true)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        first.commit(vec![of(false)]).await.unwrap();
        let first_of_lost = got
            .iter()
            .find(|delivery| delivery.position.partition == lost);
        assert_eq!(Some(&moved[0]), first_of_lost, "from the beginning");
    })
    .await;
}

#[tokio::test]
async fn what_was_read_is_committed_before_a_partition_moves() {
    with_topic(TestTopic::make(3).await, async |topic| {
        let queue = topic.open().await;
        let mut members = vec![queue.subscribe().await.unwrap()];
        let mut got = Vec::new();
        for round in 0..60 {
            queue
                .publish(messages(&["A", "B", "C", "D", "E"], 20))
                .await
                .unwrap();
            if round == 5 || round == 20 {
                members.push(queue.subscribe().await.unwrap());
            }
            if round == 40 {
                members.remove(0).close().await;
            }
            for member in &mut members {
                let part = member.poll(1_000, Duration::from_millis(20)).await.unwrap();
                let positions: Vec<_> = part.iter().map(|delivery| delivery.position).collect();
                member.commit(positions.clone()).await.unwrap();
                got.extend(positions);
            }
        }
        let deadline = Instant::now() + SOON;
        while queue.backlog().await.unwrap() > 0 {
            assert!(Instant::now() < deadline, "{} came", got.len());
            for member in &mut members {
                let part = member.poll(1_000, Duration::from_millis(20)).await.unwrap();
                let positions: Vec<_> = part.iter().map(|delivery| delivery.position).collect();
                member.commit(positions.clone()).await.unwrap();
                got.extend(positions);
            }
        }
        let count = got.len();
        got.sort();
        got.dedup();
        assert_eq!((got.len(), count), (1_200, 1_200), "each came once");
    })
    .await;
}

#[tokio::test]
async fn a_member_that_no_longer_polls_is_replaced_and_may_come_back() {
    let parameters = "partitions=1&replication=1&max.poll.interval.ms=6000";
    with_topic(TestTopic::named(parameters), async |topic| {
        KafkaQueue::migrate(&topic.url).await.unwrap();
        let queue = topic.open().await;
        queue.publish(messages(&["A"], 3)).await.unwrap();
        let mut stuck = queue.subscribe().await.unwrap();
        let got = poll_until(&mut stuck, 3).await;
        let mut heir = queue.subscribe().await.unwrap();
        let again = poll_until(&mut heir, 3).await;
        assert_eq!(again, got);
        heir.commit(vec![again[2].position]).await.unwrap();
        let error = stuck.commit(vec![got[0].position]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert_eq!(queue.backlog().await.unwrap(), 0, "never back");
        heir.close().await;
        queue.publish(messages(&["A"], 1)).await.unwrap();
        // It may read on for as long as it does not know that it was replaced; then it joins again.
        let deadline = Instant::now() + SOON;
        loop {
            let new = poll_until(&mut stuck, 1).await;
            assert_eq!(new[0].position.offset, 3);
            match stuck.commit(vec![new[0].position]).await {
                Ok(()) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
            }
            assert!(Instant::now() < deadline, "it never came back");
        }
        assert_eq!(queue.backlog().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_reading_begins_at_the_first_message_of_its_time_in_every_partition() {
    with_topic(TestTopic::make(3).await, async |topic| {
        let queue = topic.open().await;
        let keys = ["A", "B", "C", "D", "E", "F"];
        queue.publish(messages(&keys, 60)).await.unwrap();
        // By the broker's clock, which is this machine's.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let since = SystemClock.now();
        queue.publish(messages(&keys[..1], 7)).await.unwrap();
        let mut reading = queue.replay(since).await.unwrap();
        let mut all = Vec::new();
        loop {
            let batch = reading.next(5).await.unwrap();
            if batch.is_empty() {
                break;
            }
            all.extend(batch);
        }
        assert_eq!(all.len(), 7);
        assert!(all.iter().all(|delivery| delivery.key == b"A"));
        let mut all = 0;
        let mut reading = queue.replay(Timestamp::from_millis(0)).await.unwrap();
        loop {
            let batch = reading.next(1_000).await.unwrap().len();
            if batch == 0 {
                break;
            }
            all += batch;
        }
        assert_eq!(all, 67);
    })
    .await;
}
