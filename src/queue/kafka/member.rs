//! The thread of a member of the group: it alone polls, and it commits.
//!
//! librdkafka hands over rebalances with the messages, so that a partition is only taken away during a poll: when the
//! worker has committed what it was given before. What a poll had gathered of a partition that is taken away in the
//! middle of it is dropped; its next owner gets it.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::super::{Delivery, Position};
use super::assignment::{Due, Member};
use super::failure::{self, Cause};
use crate::ports::{Error, ErrorKind};

/// How long a waiting poll looks for messages before it looks for commands.
const SLICE: Duration = Duration::from_millis(20);

/// The most bytes handed over in one poll, unless the first message alone is larger.
const POLL_BYTES_MAX: usize = 64 << 20;

/// How long a commit is tried again while the group shares its partitions out anew.
const REBALANCE_WAIT_MAX: Duration = Duration::from_secs(2);

/// The pause before a commit is tried again.
const REBALANCE_PAUSE: Duration = Duration::from_millis(20);

/// What the thread is told to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Wait for messages.
    Poll {
        max: usize,
        wait: Duration,
        reply: oneshot::Sender<Result<Vec<Delivery>, PollError>>,
    },
    /// Commit offsets.
    Commit {
        positions: Vec<Position>,
        reply: oneshot::Sender<Result<(), Error>>,
    },
    /// Tell which of these may still be committed.
    StillOwned {
        positions: Vec<Position>,
        reply: oneshot::Sender<Vec<Position>>,
    },
}

/// Why nothing was read, and what to do about it.
#[derive(Debug, Clone)]
pub(super) enum PollError {
    /// Ask again: librdkafka recovers by itself, or an administrator has to mend something, such as missing rights.
    Passing(Error),
    /// This consumer never reads again; a new one does.
    Broken(Error),
    /// Another member has taken this one's place. A new one would take it back, and so on without end.
    Fenced(Error),
}

impl PollError {
    fn of(told: Error, error: &KafkaError) -> Self {
        match error {
            KafkaError::MessageConsumptionFatal(Code::FencedInstanceId) => Self::Fenced(
                Error::permanent(
                    "read the queue: another member has joined with the same group.instance.id",
                )
                .because(told),
            ),
            KafkaError::MessageConsumptionFatal(_) => Self::Broken(told),
            _ => Self::Passing(told),
        }
    }
}

impl From<PollError> for Error {
    fn from(error: PollError) -> Self {
        match error {
            PollError::Passing(error) | PollError::Broken(error) | PollError::Fenced(error) => {
                error
            }
        }
    }
}

/// A member, on its thread.
pub(super) struct MemberThread {
    consumer: BaseConsumer<Member>,
    topic: String,
    commands: Receiver<Command>,
    /// Came while a poll was waiting.
    next: Option<Command>,
    /// An error from which this member does not recover.
    fatal: Option<PollError>,
}

impl MemberThread {
    pub(super) fn new(
        consumer: BaseConsumer<Member>,
        topic: String,
        commands: Receiver<Command>,
    ) -> Self {
        Self {
            consumer,
            topic,
            commands,
            next: None,
            fatal: None,
        }
    }

    /// Obeys until nobody commands; then leaves the group, which may hang.
    pub(super) fn run(mut self) {
        while let Some(command) = self.next.take().or_else(|| self.commands.recv().ok()) {
            match command {
                Command::Poll { max, wait, reply } => {
                    // Who asked keeps the other end until it has the answer, or is gone for good.
                    let _ = reply.send(self.poll(max, wait));
                }
                Command::Commit { positions, reply } => {
                    let _ = reply.send(self.commit(&positions));
                }
                Command::StillOwned { positions, reply } => {
                    let _ = reply.send(self.still_owned(positions));
                }
            }
        }
    }

    fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, PollError> {
        if let Some(error) = &self.fatal {
            return Err(error.clone());
        }
        let mut batch = Batch::default();
        let trouble = self.gather(&mut batch, max, Instant::now() + wait);
        match trouble {
            Some(error) if batch.deliveries.is_empty() => return Err(error),
            // It is over, or will be told again.
            Some(error) => tracing::debug!(?error, "messages came all the same"),
            None => {}
        }
        let mut assignment = self.consumer.context().assignment().lock();
        assignment.give(&batch.deliveries);
        Ok(batch.deliveries)
    }

    /// Waits for the first message or error until the deadline, or until there is another command; then takes what is
    /// there. Returns the last error: while brokers are away one follows another, and old ones must not be told later.
    fn gather(&mut self, batch: &mut Batch, max: usize, deadline: Instant) -> Option<PollError> {
        let mut trouble = None;
        while batch.deliveries.len() < max && batch.bytes < POLL_BYTES_MAX {
            let waits = batch.deliveries.is_empty() && trouble.is_none();
            let left = deadline.saturating_duration_since(Instant::now());
            let pause = if waits {
                left.min(SLICE)
            } else {
                Duration::ZERO
            };
            let polled = poll_one(&self.consumer, pause);
            // It may have served a rebalance before it came to the message.
            let revoked = self.consumer.context().assignment().lock().take_revoked();
            batch.drop_partitions(&revoked);
            match polled {
                Ok(Some(delivery)) => batch.add(delivery),
                Ok(None) if !waits || left.is_zero() || self.has_command() => break,
                Ok(None) => {}
                Err(error) => trouble = self.judge(&error).or(trouble),
            }
        }
        trouble
    }

    /// Whether to stop waiting.
    fn has_command(&mut self) -> bool {
        match self.commands.try_recv() {
            Ok(command) => {
                self.next = Some(command);
                true
            }
            Err(TryRecvError::Disconnected) => true,
            Err(TryRecvError::Empty) => false,
        }
    }

    /// The error to tell, if it is one to tell.
    fn judge(&mut self, error: &KafkaError) -> Option<PollError> {
        match (error, error.rdkafka_error_code()) {
            // One of the brokers is away: librdkafka connects again by itself.
            (KafkaError::PartitionEOF(_), _) | (_, Some(Code::BrokerTransportFailure)) => None,
            (_, Some(Code::PollExceeded)) => {
                tracing::warn!("this member polled too late: its partitions went to others");
                None
            }
            _ => {
                let mut told = failure::while_reading("read the queue", error);
                if let Some(reason) = self.consumer.context().recent_error() {
                    told = Error::unavailable("read the queue").because(Cause(reason));
                }
                // What an administrator can mend is not permanent.
                if told.kind() == ErrorKind::Permanent {
                    told =
                        Error::unavailable("read the queue").because(Cause(failure::words(error)));
                }
                let told = PollError::of(told, error);
                if !matches!(told, PollError::Passing(_)) {
                    self.fatal = Some(told.clone());
                }
                Some(told)
            }
        }
    }

    fn commit(&self, positions: &[Position]) -> Result<(), Error> {
        if self.consumer.assignment_lost() {
            return Err(taken_away());
        }
        let mut next = Vec::new();
        let mut all_held = true;
        {
            let assignment = self.consumer.context().assignment().lock();
            for position in positions {
                match assignment.due(*position) {
                    Due::Next(offset) => next.push((position.partition, offset)),
                    Due::Done => {}
                    Due::TakenAway => all_held = false,
                }
            }
        }
        if !next.is_empty() {
            self.commit_offsets(&next)?;
        }
        if all_held { Ok(()) } else { Err(taken_away()) }
    }

    fn still_owned(&self, positions: Vec<Position>) -> Vec<Position> {
        if self.fatal.is_some() || self.consumer.assignment_lost() {
            return Vec::new();
        }
        let assignment = self.consumer.context().assignment().lock();
        let is_owned = |position: &Position| assignment.due(*position) != Due::TakenAway;
        positions.into_iter().filter(is_owned).collect()
    }

    /// Commits the next offsets of partitions.
    fn commit_offsets(&self, next: &[(u32, u64)]) -> Result<(), Error> {
        let offsets = self
            .list(next)
            .map_err(|error| failure::while_committing(&error))?;
        let deadline = Instant::now() + REBALANCE_WAIT_MAX;
        loop {
            match self.consumer.commit(&offsets, CommitMode::Sync) {
                Ok(()) => break,
                // The group shares its partitions out anew. Unless this member has lost what it had, it has it until
                // its next poll, and the next generation of the group takes the commit.
                Err(KafkaError::ConsumerCommit(
                    Code::RebalanceInProgress | Code::IllegalGeneration,
                )) if Instant::now() < deadline && !self.consumer.assignment_lost() => {
                    std::thread::sleep(REBALANCE_PAUSE);
                }
                Err(error) => return Err(failure::while_committing(&error)),
            }
        }
        let mut assignment = self.consumer.context().assignment().lock();
        for (partition, offset) in next {
            assignment.committed(*partition, *offset);
        }
        Ok(())
    }

    fn list(&self, next: &[(u32, u64)]) -> KafkaResult<TopicPartitionList> {
        let out_of_range = |_| KafkaError::ConsumerCommit(Code::InvalidArgument);
        let mut highest = std::collections::BTreeMap::new();
        for (partition, offset) in next {
            let known = highest.entry(*partition).or_insert(*offset);
            *known = (*known).max(*offset);
        }
        let mut list = TopicPartitionList::with_capacity(highest.len());
        for (partition, offset) in highest {
            let partition = i32::try_from(partition).map_err(out_of_range)?;
            let offset = Offset::Offset(i64::try_from(offset).map_err(out_of_range)?);
            list.add_partition_offset(&self.topic, partition, offset)?;
        }
        Ok(list)
    }
}

/// What a poll has gathered.
#[derive(Debug, Default)]
struct Batch {
    deliveries: Vec<Delivery>,
    bytes: usize,
}

impl Batch {
    fn add(&mut self, delivery: Delivery) {
        self.bytes += delivery.key.len() + delivery.payload.len();
        self.deliveries.push(delivery);
    }

    fn drop_partitions(&mut self, revoked: &[u32]) {
        if !revoked.is_empty() {
            let kept = |delivery: &Delivery| !revoked.contains(&delivery.position.partition);
            self.deliveries.retain(kept);
        }
    }
}

fn taken_away() -> Error {
    Error::unavailable("commit offsets").because(Cause(
        "the group took a partition from this member: its messages come again".to_owned(),
    ))
}

/// The next message, if one comes in time.
fn poll_one(consumer: &BaseConsumer<Member>, wait: Duration) -> KafkaResult<Option<Delivery>> {
    let Some(message) = consumer.poll(wait) else {
        return Ok(None);
    };
    let message = message?;
    let position = Position {
        // Those of messages are never negative.
        partition: message.partition().unsigned_abs(),
        offset: message.offset().unsigned_abs(),
    };
    Ok(Some(Delivery {
        position,
        key: message.key().map(<[u8]>::to_vec).unwrap_or_default(),
        payload: message.payload().map(<[u8]>::to_vec).unwrap_or_default(),
    }))
}
