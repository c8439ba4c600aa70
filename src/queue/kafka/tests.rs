//! What a real broker does not do on demand, over librdkafka's cluster in memory.

use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::super::{Consumer, Delivery, Message, Queue};
use super::*;
use crate::ports::ErrorKind;

/// How long anything may take that is waited for.
const SOON: Duration = Duration::from_secs(20);

/// A cluster of one broker, and a queue in it.
struct Mocked {
    cluster: MockCluster<'static, DefaultProducerContext>,
    queue: KafkaQueue,
}

impl Mocked {
    async fn with(parameters: &str) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        for topic in ["carts", "carts.dead-letters"] {
            cluster.create_topic(topic, 1, 1).unwrap();
        }
        let brokers = cluster.bootstrap_servers();
        let url = KafkaUrl::parse(&format!("kafka://{brokers}/carts?{parameters}")).unwrap();
        let queue = KafkaQueue::connect(url).await.unwrap();
        Self { cluster, queue }
    }

    async fn publish(&self, text: &str) -> Result<Vec<Position>, Error> {
        let message = Message {
            key: b"A".to_vec(),
            payload: text.as_bytes().to_vec(),
        };
        self.queue.publish(vec![message]).await
    }
}

/// Polls until something comes; errors meanwhile are what a worker only waits after.
async fn poll_some(consumer: &mut KafkaConsumer) -> Vec<Delivery> {
    let deadline = Instant::now() + SOON;
    loop {
        let polled = consumer.poll(10, Duration::from_millis(200)).await;
        match polled {
            Ok(got) if !got.is_empty() => return got,
            _ => assert!(Instant::now() < deadline, "nothing came: {polled:?}"),
        }
    }
}

fn texts(deliveries: &[Delivery]) -> Vec<&str> {
    let payloads = deliveries.iter().map(|delivery| &delivery.payload);
    payloads
        .map(|bytes| std::str::from_utf8(bytes).unwrap())
        .collect()
}

#[tokio::test]
async fn a_producer_that_failed_for_good_is_replaced() {
    let cluster = MockCluster::new(1).unwrap();
    for topic in ["carts", "carts.dead-letters"] {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    cluster.request_errors(RDKafkaApiKey::InitProducerId, &[denied]);
    let url = format!(
        "kafka://{}/carts?message.timeout.ms=5000",
        cluster.bootstrap_servers()
    );
    let queue = KafkaQueue::connect(KafkaUrl::parse(&url).unwrap())
        .await
        .unwrap();
    let mocked = Mocked { cluster, queue };
    let deadline = Instant::now() + SOON;
    let mut failures = 0;
    while let Err(error) = mocked.publish("one").await {
        assert!(Instant::now() < deadline, "{error:?}");
        failures += 1;
    }
    assert!(failures <= 1, "{failures} failures");
    assert!(mocked.publish("two").await.is_ok());
}

#[tokio::test]
async fn a_message_whose_time_ran_out_may_be_stored() {
    let mocked = Mocked::with("message.timeout.ms=4000").await;
    mocked.publish("one").await.unwrap();
    let slow = Duration::from_secs(8);
    mocked.cluster.broker_round_trip_time(1, slow).unwrap();
    let error = mocked.publish("two").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error:?}");
    let at_once = Duration::ZERO;
    mocked.cluster.broker_round_trip_time(1, at_once).unwrap();
    let mut consumer = mocked.queue.subscribe().await.unwrap();
    let mut got = poll_some(&mut consumer).await;
    while got.len() < 2 {
        got.extend(poll_some(&mut consumer).await);
    }
    assert_eq!(texts(&got), ["one", "two"]);
}

#[tokio::test]
async fn a_broker_that_was_away_needs_no_restart() {
    let mocked = Mocked::with("message.timeout.ms=4000").await;
    let mut consumer = mocked.queue.subscribe().await.unwrap();
    mocked.publish("one").await.unwrap();
    let got = poll_some(&mut consumer).await;
    assert_eq!(texts(&got), ["one"]);
    consumer.commit(vec![got[0].position]).await.unwrap();
    mocked.cluster.broker_down(1).unwrap();
    let error = mocked.publish("lost").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error:?}");
    let error = mocked.queue.end().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    mocked.cluster.broker_up(1).unwrap();
    let deadline = Instant::now() + SOON;
    while let Err(error) = mocked.publish("two").await {
        assert!(Instant::now() < deadline, "{error:?}");
    }
    let got = poll_some(&mut consumer).await;
    assert_eq!(texts(&got).last(), Some(&"two"));
    let deadline = Instant::now() + SOON;
    while let Err(error) = mocked.queue.end().await {
        assert!(Instant::now() < deadline, "{error:?}");
    }
}

#[tokio::test]
async fn a_member_reports_that_all_brokers_are_away() {
    let mocked = Mocked::with("").await;
    let mut consumer = mocked.queue.subscribe().await.unwrap();
    mocked.publish("one").await.unwrap();
    poll_some(&mut consumer).await;
    mocked.cluster.broker_down(1).unwrap();
    let deadline = Instant::now() + SOON;
    let error = loop {
        match consumer.poll(10, Duration::from_millis(200)).await {
            Ok(got) => assert_eq!(got, []),
            Err(error) => break error,
        }
        assert!(Instant::now() < deadline, "no error");
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn one_message_that_is_too_large_is_refused_before_any_is_sent() {
    let mocked = Mocked::with("message.max.bytes=2000").await;
    let message = |bytes| Message {
        key: b"A".to_vec(),
        payload: vec![7; bytes],
    };
    let messages = vec![message(10), message(2_000), message(10)];
    let error = mocked.queue.publish(messages).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permanent, "{error:?}");
    assert_eq!(mocked.queue.backlog().await.unwrap(), 0);
}

#[tokio::test]
async fn a_dead_port_is_reported_in_time_with_who_was_asked_and_why() {
    // Nobody listens on a port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let broker = listener.local_addr().unwrap().to_string();
    drop(listener);
    let secret = "security.protocol=SASL_PLAINTEXT&sasl.mechanism=PLAIN&sasl.username=u&sasl.password=hunter2";
    let url = KafkaUrl::parse(&format!("kafka://{broker}/carts?{secret}")).unwrap();
    let started = Instant::now();
    let (connected, migrated, checked) = tokio::join!(
        KafkaQueue::connect(url.clone()),
        KafkaQueue::migrate(&url),
        KafkaQueue::check(&url)
    );
    assert!(started.elapsed() < Duration::from_secs(10));
    let errors = [
        connected.unwrap_err(),
        migrated.unwrap_err(),
        checked.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(error.to_string().contains(&broker), "{error}: {source}");
        assert!(source.contains("refused"), "{error}: {source}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[cfg(feature = "kafka-tls")]
#[tokio::test]
async fn a_setting_that_librdkafka_cannot_use_is_reported_without_secrets() {
    let options = "security.protocol=SSL&ssl.ca.location=/nowhere/ca.pem&ssl.key.password=hunter2";
    let url = KafkaUrl::parse(&format!("kafka://127.0.0.1:1/carts?{options}")).unwrap();
    let error = KafkaQueue::connect(url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permanent, "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("ssl.ca.location"), "{source}");
    assert!(
        !format!("{error:?} {error}").contains("hunter2"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_missing_topic_is_reported_with_what_to_do() {
    let cluster = MockCluster::new(1).unwrap();
    let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    cluster.topic_error("carts", unknown).unwrap();
    let brokers = cluster.bootstrap_servers();
    let url = KafkaUrl::parse(&format!("kafka://{brokers}/carts")).unwrap();
    let error = KafkaQueue::connect(url).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("oms migrate"), "{error}: {source}");
    assert_eq!(error.kind(), ErrorKind::Permanent);
}
