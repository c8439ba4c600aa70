//! Asks the brokers about the topic and the group, on the thread of the caller, which may block.
//!
//! It is a consumer with the group's name that never joins it. Offsets of all partitions are read in one request per
//! broker, by asking for the offsets of the two times that stand for the ends of a log (-1 and -2 in `ListOffsets`).

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::{Offset, TopicPartitionList};

use super::super::Position;
use super::failure::{self, Cause};
use super::report::Report;
use super::settings;
use super::url::KafkaUrl;
use crate::domain::Timestamp;
use crate::ports::Error;

/// The longest that one answer may take.
pub(super) const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long a new topic may take to be known to every broker.
const SPREADING_WAIT_MAX: Duration = Duration::from_secs(3);

/// How often a topic is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The longest wait for the cause of a failure.
const CAUSE_WAIT_MAX: Duration = Duration::from_millis(100);

/// How long events are served at a time.
const SERVE: Duration = Duration::from_millis(1);

/// Offsets of a partition, as of one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offsets {
    pub(super) partition: u32,
    /// Of the first message that is kept.
    pub(super) low: u64,
    /// That the next message gets.
    pub(super) high: u64,
    /// The next that the group reads, unless it never committed here.
    pub(super) committed: Option<u64>,
}

impl Offsets {
    /// The next that the group reads: what is no longer kept cannot be read.
    pub(super) fn next(&self) -> u64 {
        self.committed.unwrap_or(0).max(self.low)
    }

    /// How many messages the group has not committed.
    pub(super) fn lag(&self) -> u64 {
        self.high.saturating_sub(self.next())
    }
}

/// Messages of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) partition: u32,
    /// The offset of the first.
    pub(super) next: u64,
    /// The offset behind the last.
    pub(super) end: u64,
}

/// What the cluster says of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) partitions: Vec<Replicas>,
}

/// The replicas of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replicas {
    pub(super) all: usize,
    pub(super) in_sync: usize,
    pub(super) has_leader: bool,
}

/// A connection for questions.
pub(super) struct Probe {
    pub(super) consumer: BaseConsumer<Report>,
    brokers: String,
    topic: String,
}

impl Probe {
    /// Connects to nobody yet.
    pub(super) fn new(url: &KafkaUrl) -> Result<Self, Error> {
        let consumer = rdkafka::config::FromClientConfigAndContext::from_config_and_context(
            &settings::observer(url),
            Report::new("observer"),
        )
        .map_err(|error| failure::while_reading(format!("use Kafka by {url}"), &error))?;
        Ok(Self {
            consumer,
            brokers: url.brokers(),
            topic: url.topic().to_owned(),
        })
    }

    /// Passes on what librdkafka has to say. To be called now and then.
    pub(super) fn serve(&self) {
        // Not subscribed, it gets no messages; errors are kept by the report.
        let _ = self.consumer.poll(SERVE);
    }

    /// Why a connection failed just now, if librdkafka says so: it tells it a little later than the failure.
    fn cause(&self) -> Option<String> {
        let deadline = Instant::now() + CAUSE_WAIT_MAX;
        loop {
            self.serve();
            let known = self.consumer.context().recent_error();
            if known.is_some() || Instant::now() >= deadline {
                return known;
            }
        }
    }

    /// What went wrong, with the brokers asked and the cause, as far as the connection knows it.
    pub(super) fn failed(&self, action: &str, error: &KafkaError) -> Error {
        let known = self.cause();
        let brokers = &self.brokers;
        let action = format!("{action} (asked {brokers})");
        match known {
            Some(reason) => {
                let kind = failure::while_reading("", error).kind();
                Error::new(kind, action).because(Cause(reason))
            }
            None => failure::while_reading(action, error),
        }
    }

    fn metadata(&self, topic: &str, deadline: Instant) -> Result<Metadata, Error> {
        self.consumer
            .fetch_metadata(Some(topic), left(deadline))
            .map_err(|error| self.failed("reach Kafka", &error))
    }

    /// How many brokers there are.
    pub(super) fn broker_count(&self) -> Result<usize, Error> {
        let metadata = self.metadata(&self.topic, Instant::now() + ANSWER_WAIT_MAX)?;
        Ok(metadata.brokers().len())
    }

    /// A topic; `None` if it is not there.
    pub(super) fn topic(&self, name: &str) -> Result<Option<Topic>, Error> {
        let metadata = self.metadata(name, Instant::now() + ANSWER_WAIT_MAX)?;
        let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
            return Ok(None);
        };
        if let Some(error) = topic.error() {
            return match RDKafkaErrorCode::from(error) {
                RDKafkaErrorCode::UnknownTopicOrPartition => Ok(None),
                code => Err(self.failed(
                    &format!("find the Kafka topic {name}"),
                    &KafkaError::MetadataFetch(code),
                )),
            };
        }
        Ok(Some(Topic {
            partitions: replicas(topic),
        }))
    }

    /// A topic as soon as it is so; `None` if it is not until the deadline.
    pub(super) fn topic_once(
        &self,
        name: &str,
        is_so: impl Fn(&Topic) -> bool,
        deadline: Instant,
    ) -> Result<Option<Topic>, Error> {
        loop {
            let found = self.topic(name)?.filter(&is_so);
            if found.is_some() || Instant::now() >= deadline {
                return Ok(found);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The topic of the queue, which has to be there. One that was made a moment ago may be known to one broker and
    /// not yet to the one that is asked.
    pub(super) fn own_topic(&self) -> Result<Topic, Error> {
        let deadline = Instant::now() + SPREADING_WAIT_MAX;
        let found = self.topic_once(&self.topic, |_| true, deadline)?;
        found.ok_or_else(|| {
            let (topic, brokers) = (&self.topic, &self.brokers);
            Error::permanent(format!("use the Kafka topic {topic} (asked {brokers})"))
                .because(Cause("it is not there: `oms migrate` makes it".to_owned()))
        })
    }

    /// The offsets of all partitions, read after this call began. Committed ones are read first, so that a backlog is
    /// never too small.
    pub(super) fn offsets(&self) -> Result<Vec<Offsets>, Error> {
        let deadline = Instant::now() + ANSWER_WAIT_MAX;
        let count = self.own_topic()?.partitions.len();
        let read = || -> KafkaResult<_> {
            let committed = self
                .consumer
                .committed_offsets(self.all(count, Offset::Invalid)?, left(deadline))?;
            let ends = |of| {
                let all = self.all(count, of)?;
                self.consumer.offsets_for_times(all, left(deadline))
            };
            let (low, high) = (ends(Offset::Beginning)?, ends(Offset::End)?);
            (0..count)
                .map(|partition| {
                    let partition = native(partition)?;
                    Ok(Offsets {
                        partition: partition.unsigned_abs(),
                        low: known(self.find(&low, partition)?)?,
                        high: known(self.find(&high, partition)?)?,
                        committed: self.find(&committed, partition)?,
                    })
                })
                .collect()
        };
        read().map_err(|error| self.failed("read offsets", &error))
    }

    /// Which messages were appended at or after a time, by partition.
    pub(super) fn since(&self, time: Timestamp) -> Result<Vec<Range>, Error> {
        let deadline = Instant::now() + ANSWER_WAIT_MAX;
        let count = self.own_topic()?.partitions.len();
        let read = || -> KafkaResult<_> {
            // Times before 1970 are taken for the ends of a log.
            let time = self.all(count, Offset::Offset(time.millis().max(0)))?;
            let first = self.consumer.offsets_for_times(time, left(deadline))?;
            let ends = self.all(count, Offset::End)?;
            let ends = self.consumer.offsets_for_times(ends, left(deadline))?;
            (0..count)
                .map(|partition| {
                    let partition = native(partition)?;
                    let end = known(self.find(&ends, partition)?)?;
                    Ok(Range {
                        partition: partition.unsigned_abs(),
                        // None where every message is older.
                        next: self.find(&first, partition)?.unwrap_or(end),
                        end,
                    })
                })
                .collect()
        };
        read().map_err(|error| self.failed("find messages by their time", &error))
    }

    fn all(&self, count: usize, offset: Offset) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(count);
        for partition in 0..count {
            list.add_partition_offset(&self.topic, native(partition)?, offset)?;
        }
        Ok(list)
    }

    /// A position in the topic, as librdkafka takes it.
    pub(super) fn at(&self, position: Position) -> KafkaResult<TopicPartitionList> {
        let unknown = |_| KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownPartition);
        let partition = i32::try_from(position.partition).map_err(unknown)?;
        let offset = i64::try_from(position.offset).map_err(unknown)?;
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(&self.topic, partition, Offset::Offset(offset))?;
        Ok(list)
    }

    /// The offset of a partition, if it has one.
    fn find(&self, list: &TopicPartitionList, partition: i32) -> KafkaResult<Option<u64>> {
        let Some(element) = list.find_partition(&self.topic, partition) else {
            return Ok(None);
        };
        element.error()?;
        Ok(match element.offset() {
            Offset::Offset(offset) => u64::try_from(offset).ok(),
            _ => None,
        })
    }
}

fn replicas(topic: &MetadataTopic) -> Vec<Replicas> {
    let partitions = topic.partitions().iter();
    partitions
        .map(|partition| Replicas {
            all: partition.replicas().len(),
            in_sync: partition.isr().len(),
            has_leader: partition.leader() >= 0,
        })
        .collect()
}

fn native(partition: usize) -> KafkaResult<i32> {
    let unknown = |_| KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownPartition);
    i32::try_from(partition).map_err(unknown)
}

/// An end that the broker must have told.
fn known(offset: Option<u64>) -> KafkaResult<u64> {
    offset.ok_or(KafkaError::OffsetFetch(
        RDKafkaErrorCode::OffsetNotAvailable,
    ))
}

/// What is left of a deadline; 0 would mean not to wait at all.
fn left(deadline: Instant) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    left.max(Duration::from_millis(1))
}
