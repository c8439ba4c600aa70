//! The queue, whichever it is.

use std::time::Duration;

use crate::clock::SystemClock;
use crate::domain::Timestamp;
use crate::ports::Error;
use crate::queue::kafka::{KafkaConsumer, KafkaQueue, KafkaReplay};
use crate::queue::sqlite::{SqliteConsumer, SqliteQueue, SqliteReplay};
use crate::queue::{
    Consumer, DeadLetter, Delivery, Lag, Mark, Message, Oldest, Position, Queue, Replay, Replayable,
};

/// One of the queues. Every call is passed on as it is.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one in a process")]
pub enum AnyQueue {
    /// In a SQLite file.
    Sqlite(SqliteQueue<SystemClock>),
    /// A Kafka topic.
    Kafka(KafkaQueue),
}

/// A consumer of one of the queues.
#[derive(Debug)]
pub enum AnyConsumer {
    /// Of a SQLite file.
    Sqlite(SqliteConsumer<SystemClock>),
    /// Of a Kafka topic.
    Kafka(KafkaConsumer),
}

macro_rules! pass_on {
    ($any:expr, $inner:ident => $call:expr) => {
        match $any {
            Self::Sqlite($inner) => $call,
            Self::Kafka($inner) => $call,
        }
    };
}

impl Queue for AnyQueue {
    type Consumer = AnyConsumer;

    async fn publish(&self, messages: Vec<Message>) -> Result<Vec<Position>, Error> {
        pass_on!(self, inner => inner.publish(messages).await)
    }

    async fn subscribe(&self) -> Result<AnyConsumer, Error> {
        match self {
            Self::Sqlite(inner) => inner.subscribe().await.map(AnyConsumer::Sqlite),
            Self::Kafka(inner) => inner.subscribe().await.map(AnyConsumer::Kafka),
        }
    }

    async fn dead_letter(&self, letters: Vec<DeadLetter>) -> Result<(), Error> {
        pass_on!(self, inner => inner.dead_letter(letters).await)
    }

    async fn end(&self) -> Result<Mark, Error> {
        pass_on!(self, inner => inner.end().await)
    }

    async fn consumed(&self, mark: &Mark) -> Result<bool, Error> {
        pass_on!(self, inner => inner.consumed(mark).await)
    }

    async fn lag(&self) -> Result<Vec<Lag>, Error> {
        pass_on!(self, inner => inner.lag().await)
    }

    async fn oldest(&self) -> Result<Option<Oldest>, Error> {
        pass_on!(self, inner => inner.oldest().await)
    }

    fn topic(&self) -> &str {
        pass_on!(self, inner => inner.topic())
    }

    fn obstacle(&self) -> Option<Error> {
        pass_on!(self, inner => inner.obstacle())
    }
}

/// A reading of one of the queues.
#[derive(Debug)]
pub enum AnyReplay {
    /// Of a SQLite file.
    Sqlite(SqliteReplay<SystemClock>),
    /// Of a Kafka topic.
    Kafka(KafkaReplay),
}

impl Replayable for AnyQueue {
    type Replay = AnyReplay;

    async fn replay(&self, since: Timestamp) -> Result<AnyReplay, Error> {
        match self {
            Self::Sqlite(inner) => inner.replay(since).await.map(AnyReplay::Sqlite),
            Self::Kafka(inner) => inner.replay(since).await.map(AnyReplay::Kafka),
        }
    }
}

impl Replay for AnyReplay {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        pass_on!(self, inner => inner.next(max).await)
    }
}

impl Consumer for AnyConsumer {
    async fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, Error> {
        pass_on!(self, inner => inner.poll(max, wait).await)
    }

    async fn commit(&mut self, positions: Vec<Position>) -> Result<(), Error> {
        pass_on!(self, inner => inner.commit(positions).await)
    }

    async fn still_owned(&mut self, positions: Vec<Position>) -> Result<Vec<Position>, Error> {
        pass_on!(self, inner => inner.still_owned(positions).await)
    }

    async fn close(self) {
        pass_on!(self, inner => inner.close().await);
    }
}
