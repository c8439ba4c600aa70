//! Appends messages: all of a call are handed to librdkafka at once and awaited together.
//!
//! librdkafka's thread counts the reports down in one shared [`Batch`], and the last one wakes the caller: a wake-up
//! per call, not per message. An idempotent producer that has had a fatal error never works again: it is replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Message as _, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::super::{Message, Position};
use super::failure::{self, Cause};
use super::report::Report;
use super::url::KafkaUrl;
use super::{settings, thread};
use crate::ports::Error;

/// What librdkafka may take longer than its own time-out to report it.
const REPORT_GRACE: Duration = Duration::from_secs(5);

/// How often it is looked whether the producer has failed for good, while reports are waited for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The wait for room in librdkafka's queue.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// How many messages are handed over before others have their turn on the executor.
const TURN: usize = 500;

/// How long making a producer may take.
const CREATE_WAIT_MAX: Duration = Duration::from_secs(5);

/// A message to append, with headers.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) message: Message,
    pub(super) headers: Option<OwnedHeaders>,
}

/// Appends to topics.
pub(super) struct Producer {
    url: KafkaUrl,
    current: Mutex<Arc<Handle>>,
    message_timeout: Duration,
    message_bytes_max: usize,
}

impl Producer {
    pub(super) async fn new(url: &KafkaUrl) -> Result<Self, Error> {
        Ok(Self {
            current: Mutex::new(Handle::create(url).await?),
            message_timeout: settings::message_timeout(url),
            message_bytes_max: settings::message_bytes_max(url),
            url: url.clone(),
        })
    }

    /// Appends records in order, and returns where they stand when all replicas in sync have all of them.
    pub(super) async fn append(
        &self,
        topic: &str,
        records: Vec<Record>,
    ) -> Result<Vec<Position>, Error> {
        self.check_sizes(topic, &records)?;
        self.append_any_size(topic, records).await
    }

    /// The same with records as large as the brokers take them: for messages that the brokers took once already.
    pub(super) async fn append_any_size(
        &self,
        topic: &str,
        records: Vec<Record>,
    ) -> Result<Vec<Position>, Error> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let handle = self.handle().await?;
        let (batch, done) = Batch::new(records.len());
        self.hand_over(&handle, topic, &records, &batch).await;
        let action = || format!("append {} messages to {topic}", records.len());
        self.reported(&handle, done)
            .await
            .map_err(|cause| Error::outcome_unknown(action()).because(cause))?;
        let result = batch.result(action);
        if result.is_err()
            && handle.has_failed()
            && let Err(error) = self.replace(&handle).await
        {
            // What became of the messages is what the caller needs to know; the next one tries again.
            tracing::warn!(error = %error.chain(), "the Kafka producer is not replaced yet");
        }
        result
    }

    /// Waits until all messages of a batch are reported.
    async fn reported(
        &self,
        handle: &Handle,
        mut done: oneshot::Receiver<()>,
    ) -> Result<(), Cause> {
        let deadline = Instant::now() + self.message_timeout + REPORT_GRACE;
        loop {
            let until = deadline.min(Instant::now() + LOOK_EVERY);
            match timeout_at(until, &mut done).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(_)) => return Err(Cause("nobody reports any more".to_owned())),
                Err(_) if Instant::now() >= deadline => {
                    return Err(Cause("librdkafka does not answer".to_owned()));
                }
                // It would keep them until their time runs out.
                Err(_) if handle.has_failed() => handle.give_up(),
                Err(_) => {}
            }
        }
    }

    /// Before any is sent, so that one that is too large does no harm to the others.
    fn check_sizes(&self, topic: &str, records: &[Record]) -> Result<(), Error> {
        let max = self.message_bytes_max;
        let sizes = records.iter().map(|record| &record.message);
        match sizes.map(|m| m.key.len() + m.payload.len()).max() {
            Some(bytes) if bytes > max => {
                Err(Error::permanent(format!("append a message to {topic}"))
                    .because(TooLarge { bytes, max }))
            }
            _ => Ok(()),
        }
    }

    async fn hand_over(
        &self,
        handle: &Handle,
        topic: &str,
        records: &[Record],
        batch: &Arc<Batch>,
    ) {
        let deadline = Instant::now() + self.message_timeout;
        for (index, record) in records.iter().enumerate() {
            if index % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
            let refused = loop {
                let batch = Arc::clone(batch);
                let ticket = Ticket { batch, index };
                match handle.send(topic, record, ticket) {
                    Err(Code::QueueFull) if Instant::now() < deadline => {
                        tokio::time::sleep(FULL_PAUSE).await;
                    }
                    sent => break sent,
                }
            };
            if let Err(code) = refused {
                batch.report(index, Err(Failed::Refused(code)));
            }
        }
    }

    /// The producer in use; a new one if it has failed.
    async fn handle(&self) -> Result<Arc<Handle>, Error> {
        let current = Arc::clone(&self.current.lock());
        if current.has_failed() {
            self.replace(&current).await
        } else {
            Ok(current)
        }
    }

    /// Puts a new producer in the place of one that has failed, unless somebody else just did.
    async fn replace(&self, failed: &Arc<Handle>) -> Result<Arc<Handle>, Error> {
        let new = Handle::create(&self.url).await?;
        let mut current = self.current.lock();
        if Arc::ptr_eq(&current, failed) {
            tracing::warn!("the Kafka producer has had a fatal error and is replaced");
            *current = new;
        }
        Ok(Arc::clone(&current))
    }
}

/// A producer of librdkafka. Whoever drops it last lets go of it on another thread, as that may take long.
struct Handle(Option<ThreadedProducer<Reports>>);

impl Handle {
    async fn create(url: &KafkaUrl) -> Result<Arc<Self>, Error> {
        let config = settings::producer(url);
        let shown = url.to_string();
        let create = move || {
            let reports = Reports(Report::new("producer"));
            match ThreadedProducer::from_config_and_context(&config, reports) {
                Ok(producer) => Ok(Arc::new(Self(Some(producer)))),
                Err(error) => Err(failure::while_reading(
                    format!("use Kafka by {shown}"),
                    &error,
                )),
            }
        };
        thread::blocking(create, CREATE_WAIT_MAX, |cause| {
            Error::unavailable("make a Kafka producer").because(cause)
        })
        .await
    }

    fn has_failed(&self) -> bool {
        let producer = self.0.as_ref();
        producer.is_some_and(|producer| producer.client().fatal_error().is_some())
    }

    /// Has everything reported that is under way.
    fn give_up(&self) {
        if let Some(producer) = &self.0 {
            producer.purge(PurgeConfig::default().queue().inflight());
        }
    }

    /// Hands a record over, without waiting.
    fn send(&self, topic: &str, record: &Record, ticket: Ticket) -> Result<(), Code> {
        let Some(producer) = &self.0 else {
            return Err(Code::Fatal);
        };
        let mut to_send = BaseRecord::with_opaque_to(topic, Box::new(ticket))
            .key(&record.message.key)
            .payload(&record.message.payload);
        to_send.headers.clone_from(&record.headers);
        producer.send(to_send).map_err(|(error, _)| {
            let code = error.rdkafka_error_code();
            code.unwrap_or(Code::Fail)
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let producer = self.0.take();
        if let Err(error) = thread::start("kafka-drop", move || drop(producer)) {
            tracing::warn!(error = %error.chain(), "a Kafka producer was dropped where it was");
        }
    }
}

/// Messages that are awaited together.
struct Batch {
    left: AtomicUsize,
    results: Mutex<Vec<Result<Position, Failed>>>,
    done: Mutex<Option<oneshot::Sender<()>>>,
}

/// Why a message was not stored, or may not have been.
#[derive(Debug, Clone, Copy)]
enum Failed {
    /// librdkafka did not take it.
    Refused(Code),
    /// librdkafka gave it up, or the broker said no.
    Lost(Code),
}

impl Batch {
    fn new(count: usize) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (done, all_reported) = oneshot::channel();
        let batch = Self {
            left: AtomicUsize::new(count),
            results: Mutex::new(vec![Err(Failed::Lost(Code::InProgress)); count]),
            done: Mutex::new(Some(done)),
        };
        (Arc::new(batch), all_reported)
    }

    /// Says what became of a message; once for each.
    fn report(&self, index: usize, result: Result<Position, Failed>) {
        if let Some(slot) = self.results.lock().get_mut(index) {
            *slot = result;
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(done) = self.done.lock().take()
        {
            // Who has gone does not need to know.
            let _ = done.send(());
        }
    }

    fn result(&self, action: impl FnOnce() -> String) -> Result<Vec<Position>, Error> {
        let results = std::mem::take(&mut *self.results.lock());
        let count = results.len();
        let mut positions = Vec::with_capacity(count);
        let mut failures = Vec::new();
        for result in results {
            match result {
                Ok(position) => positions.push(position),
                Err(Failed::Refused(code)) => failures.push((code, true)),
                Err(Failed::Lost(code)) => failures.push((code, false)),
            }
        }
        if failures.is_empty() {
            return Ok(positions);
        }
        Err(failure::while_appending(
            action(),
            &failures,
            positions.len(),
        ))
    }
}

/// A message's place in its batch.
struct Ticket {
    batch: Arc<Batch>,
    index: usize,
}

/// Takes librdkafka's reports.
struct Reports(Report);

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.0.stats_raw(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for Reports {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, delivered: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let result = match delivered {
            Ok(message) => {
                let partition = u32::try_from(message.partition());
                match (partition, u64::try_from(message.offset())) {
                    (Ok(partition), Ok(offset)) => Ok(Position { partition, offset }),
                    // Acknowledged, but nobody knows where.
                    _ => Err(Failed::Lost(Code::Unknown)),
                }
            }
            Err((error, _)) => {
                let code = error.rdkafka_error_code();
                Err(Failed::Lost(code.unwrap_or(Code::Fail)))
            }
        };
        ticket.batch.report(ticket.index, result);
    }
}

#[derive(Debug, thiserror::Error)]
#[error("it has {bytes} bytes: at most {max} are allowed")]
struct TooLarge {
    bytes: usize,
    max: usize,
}
