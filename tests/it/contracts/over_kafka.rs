//! The contract of the queue over Kafka, where `OMS_TEST_KAFKA_BROKERS` (`host:port,…`) says that it is.
//!
//! Every case has a topic and a group of its own, which are deleted at the end.

mod own;
mod secured;

use std::time::{Duration, Instant};

use oms::queue::kafka::{KafkaQueue, KafkaUrl};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use uuid::Uuid;

use super::{Fixture, Opened};
use crate::model::ManualClock;

/// How long members that were dropped may take to leave the group, before it is left behind.
const EMPTY_WAIT_MAX: Duration = Duration::from_secs(8);

/// Brokers for tests, if there are any.
pub fn brokers() -> Result<String, String> {
    std::env::var("OMS_TEST_KAFKA_BROKERS").map_err(|_| "OMS_TEST_KAFKA_BROKERS is not set".into())
}

/// A topic and a group of its own, deleted with it.
pub struct TestTopic {
    pub url: KafkaUrl,
}

impl TestTopic {
    /// A name that nobody has. Nothing is made.
    pub fn named(parameters: &str) -> Result<Self, String> {
        let (brokers, id) = (brokers()?, Uuid::new_v4().simple().to_string());
        let text = format!("kafka://{brokers}/oms-test-{id}?group=oms-test-{id}&{parameters}");
        let url = KafkaUrl::parse(&text).map_err(|error| error.to_string())?;
        Ok(Self { url })
    }

    pub async fn make(partitions: u32) -> Result<Self, String> {
        let topic = Self::named(&format!("partitions={partitions}&replication=1"))?;
        KafkaQueue::migrate(&topic.url).await.unwrap();
        Ok(topic)
    }

    pub async fn open(&self) -> KafkaQueue {
        KafkaQueue::connect(self.url.clone()).await.unwrap()
    }
}

impl Drop for TestTopic {
    fn drop(&mut self) {
        let url = self.url.clone();
        // A runtime cannot be waited for inside another.
        let cleaned = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.unwrap().block_on(delete(&url));
        });
        cleaned.join().unwrap();
    }
}

async fn delete(url: &KafkaUrl) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", url.brokers())
        .create()
        .unwrap();
    let options = AdminOptions::new().request_timeout(Some(EMPTY_WAIT_MAX));
    let letters = url.dead_letter_topic();
    // What was never made cannot be deleted either.
    let _ = admin
        .delete_topics(&[url.topic(), &letters], &options)
        .await;
    let deadline = Instant::now() + EMPTY_WAIT_MAX;
    while Instant::now() < deadline {
        let deleted = admin.delete_groups(&[url.group()], &options).await;
        let has_members = |(_, code)| code == RDKafkaErrorCode::NonEmptyGroup;
        match deleted.unwrap_or_default().pop() {
            Some(Err(error)) if has_members(error.clone()) => {
                std::thread::sleep(Duration::from_millis(50));
            }
            _ => return,
        }
    }
}

async fn open(partitions: u32) -> Opened<KafkaQueue> {
    let topic = TestTopic::make(partitions).await?;
    let (port, other) = (topic.open().await, topic.open().await);
    Ok(Fixture::new(port, other, ManualClock::default(), topic))
}

async fn open_one() -> Opened<KafkaQueue> {
    open(1).await
}

async fn open_three() -> Opened<KafkaQueue> {
    open(3).await
}

mod queue {
    crate::contracts::queue::queue_suite!("kafka", #[tokio::test], super::open_one);
}

mod queue_of_three_partitions {
    crate::contracts::queue::queue_suite!("kafka with three partitions", #[tokio::test], super::open_three);
}
