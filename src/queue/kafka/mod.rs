//! The log in Kafka: a topic, a consumer group, and a topic for dead letters beside it.
//!
//! # Who runs where
//!
//! librdkafka's calls block, and some may hang; no executor thread makes them, except handing messages over, which
//! never waits. Each of these has a thread of its own, and answers through a channel with a deadline:
//!
//! - The **producer** (`producer`): librdkafka's reports of one call are counted down together and wake it once.
//! - Each **member** of the group (`consumer`, `member`): a `BaseConsumer` that is asked for a batch at a time. The
//!   channel is crossed once a batch, not once a message, and librdkafka fetches ahead by itself. A stream polled by
//!   the executor would copy thousands of messages there, and serve rebalances, which wait, as well. It is asked
//!   rather than running ahead, because librdkafka takes partitions away only during a poll: when all that was given
//!   before is committed.
//!   On two cores, one member reads 750,000 messages of 150 bytes a second in committed batches of 4,000.
//! - The **observer** (`observer`): a consumer that never joins; it reads ends and committed offsets, in one reading
//!   for all who ask meanwhile.
//!
//! - A **replay** (`replay`) is a consumer of its own that is given partitions and offsets, and joins nothing.
//!
//! # What holds
//!
//! - A message counts as published when all replicas in sync have it, once even if it was sent again. One whose time ran
//!   out may still be stored: its outcome is unknown.
//! - Offsets are committed by the worker only, never backwards, and never for a partition that was taken away meanwhile.
//! - Brokers that were away need no restart here: librdkafka connects again, and a producer that has failed for good is
//!   replaced.
//! - A password is shown by nothing. What librdkafka logs goes to `tracing`.

mod assignment;
mod check;
mod consumer;
mod failure;
mod member;
mod observer;
mod oldest;
mod options;
mod probe;
mod producer;
mod replay;
mod report;
mod settings;
#[cfg(test)]
mod tests;
mod thread;
mod topics;
mod url;

use std::fmt;
use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use tokio::runtime::Handle;

pub use check::{KafkaCheck, PartitionLag};
pub use consumer::KafkaConsumer;
pub use replay::KafkaReplay;
pub use url::{KafkaUrl, UrlError};

use super::{DeadLetter, Lag, Mark, Message, Oldest, Position, Queue, Replayable};
use crate::domain::Timestamp;
use crate::ports::Error;
use observer::Observer;
use producer::{Producer, Record};

/// The longest that making or checking topics may take: several answers, each with its own bound.
const ADMIN_WAIT_MAX: Duration = Duration::from_secs(60);

/// The most characters of a reason in a dead letter's header.
const REASON_CHARS_MAX: usize = 1_000;

/// The queue in Kafka.
pub struct KafkaQueue {
    url: KafkaUrl,
    dead_letter_topic: String,
    producer: Producer,
    observer: Observer,
}

impl KafkaQueue {
    /// Connects, within 5 s.
    ///
    /// # Errors
    /// When no broker answers, or the topic is not there: `oms migrate` makes it.
    pub async fn connect(url: KafkaUrl) -> Result<Self, Error> {
        Ok(Self {
            observer: Observer::connect(&url).await?,
            producer: Producer::new(&url).await?,
            dead_letter_topic: url.dead_letter_topic(),
            url,
        })
    }

    /// Makes the topic and that of the dead letters, unless they are there. Any number of processes may do so at once.
    ///
    /// # Errors
    /// When no broker answers, or one says no.
    pub async fn migrate(url: &KafkaUrl) -> Result<(), Error> {
        let (url, runtime) = (url.clone(), Handle::current());
        let migrate = move || topics::migrate(&url, &runtime);
        thread::blocking(migrate, ADMIN_WAIT_MAX, |cause| {
            Error::outcome_unknown("make the Kafka topics").because(cause)
        })
        .await
    }

    /// How the topic is, and what should be otherwise.
    ///
    /// # Errors
    /// When no broker answers, or the topic is not there.
    pub async fn check(url: &KafkaUrl) -> Result<KafkaCheck, Error> {
        let (url, runtime) = (url.clone(), Handle::current());
        let check = move || check::check(&url, &runtime);
        thread::blocking(check, ADMIN_WAIT_MAX, |cause| {
            Error::unavailable("check the Kafka topic").because(cause)
        })
        .await
    }
}

impl Queue for KafkaQueue {
    type Consumer = KafkaConsumer;

    async fn publish(&self, messages: Vec<Message>) -> Result<Vec<Position>, Error> {
        let records = messages.into_iter().map(|message| Record {
            message,
            headers: None,
        });
        self.producer
            .append(self.url.topic(), records.collect())
            .await
    }

    async fn subscribe(&self) -> Result<KafkaConsumer, Error> {
        KafkaConsumer::subscribe(&self.url).await
    }

    /// Key and payload are byte for byte those of the message; the headers say why and from where.
    /// Those of one that was cut say so.
    async fn dead_letter(&self, letters: Vec<DeadLetter>) -> Result<(), Error> {
        let records = letters
            .into_iter()
            .map(|letter| record(letter, self.topic()));
        self.producer
            .append_any_size(&self.dead_letter_topic, records.collect())
            .await?;
        Ok(())
    }

    async fn end(&self) -> Result<Mark, Error> {
        self.observer.end().await
    }

    async fn consumed(&self, mark: &Mark) -> Result<bool, Error> {
        self.observer.consumed(mark).await
    }

    async fn lag(&self) -> Result<Vec<Lag>, Error> {
        self.observer.lag().await
    }

    async fn oldest(&self) -> Result<Option<Oldest>, Error> {
        let url = self.url.clone();
        thread::blocking(
            move || oldest::read(&url),
            ADMIN_WAIT_MAX,
            |cause| Error::unavailable("read the oldest undecided message").because(cause),
        )
        .await
    }

    fn topic(&self) -> &str {
        self.url.topic()
    }
}

impl Replayable for KafkaQueue {
    type Replay = KafkaReplay;

    async fn replay(&self, since: Timestamp) -> Result<KafkaReplay, Error> {
        KafkaReplay::open(&self.url, since).await
    }
}

fn record(letter: DeadLetter, topic: &str) -> Record {
    let DeadLetter {
        delivery,
        reason,
        original,
    } = letter;
    let Position { partition, offset } = delivery.position;
    // A broker takes a message only up to a size, headers included.
    let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
    let mut headers = OwnedHeaders::new_with_capacity(6);
    for (key, value) in [
        ("reason", reason.as_str()),
        ("source-topic", topic),
        ("source-partition", &partition.to_string()),
        ("source-offset", &offset.to_string()),
    ] {
        let value = Some(value);
        headers = headers.insert(Header { key, value });
    }
    if let Some(original) = original {
        let bytes = original.bytes.to_string();
        for (key, value) in [
            ("original-bytes", bytes.as_str()),
            ("original-sha256", &original.sha256),
        ] {
            let value = Some(value);
            headers = headers.insert(Header { key, value });
        }
    }
    Record {
        message: Message {
            key: delivery.key,
            payload: delivery.payload,
        },
        headers: Some(headers),
    }
}

impl fmt::Debug for KafkaQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaQueue")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
