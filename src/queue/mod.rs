//! The log of accepted carts that are not decided yet. At-least-once; the order id makes redelivery harmless.

pub mod kafka;
pub mod sqlite;

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{LETTER_CUT_BYTES_MAX, Original, Timestamp};
pub use crate::ports::Error;

/// A durable, ordered log with one consumer group and a place for dead letters.
pub trait Queue: Send + Sync + 'static {
    /// A member of the consumer group.
    type Consumer: Consumer;

    /// Appends messages durably, in order; returns when all are stored. After an error some may have been stored.
    fn publish(
        &self,
        messages: Vec<Message>,
    ) -> impl Future<Output = Result<Vec<Position>, Error>> + Send;

    /// Joins the consumer group. A message goes to one member at a time; those of a member that is gone go to another
    /// within seconds.
    fn subscribe(&self) -> impl Future<Output = Result<Self::Consumer, Error>> + Send;

    /// Keeps messages that nobody can process, with the reason and where they came from.
    ///
    /// A permanent error means that at least one of them will never be taken as it is; [`DeadLetter::cut`] makes it
    /// smaller.
    fn dead_letter(
        &self,
        letters: Vec<DeadLetter>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Where the log ends now.
    fn end(&self) -> impl Future<Output = Result<Mark, Error>> + Send;

    /// Whether the group has committed everything before a mark.
    fn consumed(&self, mark: &Mark) -> impl Future<Output = Result<bool, Error>> + Send;

    /// How many messages the group has not committed yet, partition by partition.
    fn lag(&self) -> impl Future<Output = Result<Vec<Lag>, Error>> + Send;

    /// The same of all partitions together.
    fn backlog(&self) -> impl Future<Output = Result<u64, Error>> + Send {
        async { Ok(self.lag().await?.iter().map(|lag| lag.messages).sum()) }
    }

    /// The first message that the group has not committed: of all partitions, the one published first. `None` if all
    /// is committed. Reads a message of each partition that is behind, so it is for people who ask.
    fn oldest(&self) -> impl Future<Output = Result<Option<Oldest>, Error>> + Send;

    /// The topic's name, as it stands in the coordinates of dead letters.
    fn topic(&self) -> &str;

    /// What keeps it from taking messages now, as far as it can tell without trying.
    fn obstacle(&self) -> Option<Error> {
        None
    }
}

/// A member of the consumer group.
pub trait Consumer: Send + 'static {
    /// The next messages, at most `max`; waits up to `wait` for the first, never for more. Empty if none came, or if
    /// another member is served. After a permanent error this member never reads again, and neither would another one
    /// set up like it.
    fn poll(
        &mut self,
        max: usize,
        wait: Duration,
    ) -> impl Future<Output = Result<Vec<Delivery>, Error>> + Send;

    /// Says that every message up to these (one per partition at least) is processed.
    fn commit(
        &mut self,
        positions: Vec<Position>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Those of the positions that this member may still commit: their partitions have been its own ever since it was
    /// given these messages. The others go to another member, or come again.
    fn still_owned(
        &mut self,
        positions: Vec<Position>,
    ) -> impl Future<Output = Result<Vec<Position>, Error>> + Send;

    /// Leaves the group, so that another member need not wait.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A log that can be read again, beside its consumer group.
pub trait Replayable: Send + Sync + 'static {
    /// A reading of the log.
    type Replay: Replay;

    /// Begins to read at the first message that was appended at or after a time, by the log's clock; the reading ends
    /// where the log ends now. Joins no group and commits nothing.
    fn replay(&self, since: Timestamp) -> impl Future<Output = Result<Self::Replay, Error>> + Send;
}

/// A reading of the log.
pub trait Replay: Send {
    /// The next messages, at most `max`, in order within a partition; empty at the end.
    fn next(&mut self, max: usize) -> impl Future<Output = Result<Vec<Delivery>, Error>> + Send;
}

/// A message to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Messages with the same key keep their order.
    pub key: Vec<u8>,
    /// The bytes.
    pub payload: Vec<u8>,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The partition.
    pub partition: u32,
    /// The offset in the partition.
    pub offset: u64,
}

/// A message that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Where it stands.
    pub position: Position,
    /// Its key.
    pub key: Vec<u8>,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// A message that nobody can process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message, with where it was read.
    pub delivery: Delivery,
    /// What is wrong with it: a code and words.
    pub reason: String,
    /// Of a message whose key and payload were cut: what the payload was.
    pub original: Option<Original>,
}

impl DeadLetter {
    /// The same with only the beginning of the message, and what is needed to recognise the whole of it.
    #[must_use]
    pub fn cut(mut self) -> Self {
        let Delivery { key, payload, .. } = &mut self.delivery;
        let original = Original::of(payload);
        self.original.get_or_insert(original);
        key.truncate(LETTER_CUT_BYTES_MAX);
        payload.truncate(LETTER_CUT_BYTES_MAX);
        self
    }
}

/// What the group has not committed yet in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// The partition.
    pub partition: u32,
    /// How many messages.
    pub messages: u64,
}

/// A message that waits for the group, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oldest {
    /// Where it stands.
    pub position: Position,
    /// When it was published, by the clock of the log.
    pub published_at: Timestamp,
}

/// An end of the log: per partition, the offset of the next message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark(pub Vec<Position>);
