//! Reads the topic again from a time on, beside the group: it joins nothing and commits nothing.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use super::super::{Delivery, Position, Replay};
use super::failure::{self, Cause};
use super::probe::{Probe, Range};
use super::report::Report;
use super::url::KafkaUrl;
use super::{settings, thread};
use crate::domain::Timestamp;
use crate::ports::Error;

/// How long the brokers may say nothing while there is something to read.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// How long finding the offsets, or reading one batch, may take in all.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long one look for a message waits.
const SLICE: Duration = Duration::from_millis(100);

/// The most bytes of one batch, unless the first message alone is larger.
const BATCH_BYTES_MAX: usize = 64 << 20;

/// A reading of the topic that ends where it ended when the reading began.
pub struct KafkaReplay {
    /// None once a batch has failed: whoever wants to go on begins again.
    reading: Option<Reading>,
}

struct Reading {
    consumer: BaseConsumer<Report>,
    /// What is left, by partition.
    left: Vec<Range>,
}

impl std::fmt::Debug for KafkaReplay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaReplay").finish_non_exhaustive()
    }
}

impl KafkaReplay {
    pub(super) async fn open(url: &KafkaUrl, since: Timestamp) -> Result<Self, Error> {
        let url = url.clone();
        let open = move || {
            let mut left = Probe::new(&url)?.since(since)?;
            left.retain(|range| range.next < range.end);
            let consumer = assigned(&url, &left).map_err(|error| {
                failure::while_reading(format!("read the queue again by {url}"), &error)
            })?;
            Ok(Reading { consumer, left })
        };
        let reading = thread::blocking(open, ANSWER_WAIT_MAX, unanswered).await?;
        Ok(Self {
            reading: Some(reading),
        })
    }
}

impl Replay for KafkaReplay {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        let Some(mut reading) = self.reading.take() else {
            return Err(Error::permanent(
                "go on reading the queue again after a failure",
            ));
        };
        let read = move || {
            let batch = reading.read(max)?;
            Ok((reading, batch))
        };
        let (reading, batch) = thread::blocking(read, ANSWER_WAIT_MAX, unanswered).await?;
        self.reading = Some(reading);
        Ok(batch)
    }
}

fn unanswered(cause: Cause) -> Error {
    Error::unavailable("read the queue again").because(cause)
}

fn assigned(url: &KafkaUrl, ranges: &[Range]) -> KafkaResult<BaseConsumer<Report>> {
    let mut config = settings::observer(url);
    // Offsets may be missing at the end of a partition, such as those of aborted transactions.
    config.set("enable.partition.eof", "true");
    let consumer: BaseConsumer<Report> =
        rdkafka::config::FromClientConfigAndContext::from_config_and_context(
            &config,
            Report::new("replay"),
        )?;
    let mut list = TopicPartitionList::with_capacity(ranges.len());
    for range in ranges {
        let out_of_range = |_| KafkaError::MetadataFetch(Code::UnknownPartition);
        let partition = i32::try_from(range.partition).map_err(out_of_range)?;
        let offset = Offset::Offset(i64::try_from(range.next).map_err(out_of_range)?);
        list.add_partition_offset(url.topic(), partition, offset)?;
    }
    consumer.assign(&list)?;
    Ok(consumer)
}

impl Reading {
    /// The next messages; empty at the end. Blocks.
    fn read(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut heard = Instant::now();
        while batch.len() < max && bytes < BATCH_BYTES_MAX && !self.left.is_empty() {
            match self.consumer.poll(SLICE) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let position = Position {
                        partition: message.partition().unsigned_abs(),
                        offset: message.offset().unsigned_abs(),
                    };
                    if !pass(&mut self.left, position) {
                        continue;
                    }
                    let delivery = Delivery {
                        position,
                        key: message.key().unwrap_or_default().to_vec(),
                        payload: message.payload().unwrap_or_default().to_vec(),
                    };
                    bytes += delivery.key.len() + delivery.payload.len();
                    batch.push(delivery);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    heard = Instant::now();
                    (self.left).retain(|range| range.partition != partition.unsigned_abs());
                }
                // One of the brokers is away: librdkafka connects again by itself.
                Some(Err(error))
                    if error.rdkafka_error_code() == Some(Code::BrokerTransportFailure) => {}
                Some(Err(error)) => {
                    return Err(failure::while_reading("read the queue again", &error));
                }
                // What there is need not wait for what comes later.
                None if !batch.is_empty() => break,
                None if heard.elapsed() > SILENCE_MAX => {
                    let known = self.consumer.context().recent_error();
                    let cause = known.unwrap_or_else(|| "the brokers do not answer".to_owned());
                    return Err(unanswered(Cause(cause)));
                }
                None => {}
            }
        }
        Ok(batch)
    }
}

/// Notes that a message was read; whether it is one that was there when the reading began.
fn pass(left: &mut Vec<Range>, position: Position) -> bool {
    let of_partition = |range: &Range| range.partition == position.partition;
    let Some(at) = left.iter().position(of_partition) else {
        return false;
    };
    let wanted = position.offset < left[at].end;
    left[at].next = position.offset + 1;
    if left[at].next >= left[at].end {
        left.remove(at);
    }
    wanted
}
