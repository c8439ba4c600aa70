//! The log in a SQLite file: one partition, one consumer group, dead letters in a table of their own.
//!
//! Messages go to one member at a time, the one that holds the lease (see `lease`). Delivery is at-least-once.

mod consumer;
mod lease;
mod log;
mod replay;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::Notify;
use uuid::Uuid;

pub use consumer::SqliteConsumer;
pub use replay::SqliteReplay;

use super::{DeadLetter, Lag, Mark, Message, Oldest, Position, Queue};
use crate::ports::{Clock, Error};
use crate::sqlite::{ChangeWatch, Store};

/// The only partition.
const PARTITION: u32 = 0;

/// The name of the log.
const TOPIC: &str = "carts";

/// The largest message, key included, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 8 << 20;

/// The embedded queue.
#[derive(Debug)]
pub struct SqliteQueue<C>(Arc<Inner<C>>);

#[derive(Debug)]
struct Inner<C> {
    store: Arc<Store>,
    clock: Arc<C>,
    /// Tells the consumers of this process that there is something new.
    published: Notify,
}

impl<C: Clock> SqliteQueue<C> {
    /// The queue in a store that was opened with [`crate::sqlite::Scope::Queue`].
    ///
    /// # Errors
    /// When the store cannot be read or has no queue.
    pub fn open(store: Arc<Store>, clock: C) -> Result<Self, Error> {
        store.read("open the queue", log::end)?;
        Ok(Self(Arc::new(Inner {
            store,
            clock: Arc::new(clock),
            published: Notify::new(),
        })))
    }
}

impl<C: Clock> Queue for SqliteQueue<C> {
    type Consumer = SqliteConsumer<C>;

    async fn publish(&self, messages: Vec<Message>) -> Result<Vec<Position>, Error> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        for message in &messages {
            let bytes = message.key.len() + message.payload.len();
            if bytes > MESSAGE_BYTES_MAX {
                return Err(Error::permanent("publish a message").because(TooLarge { bytes }));
            }
        }
        let clock = Arc::clone(&self.0.clock);
        let positions = self
            .0
            .store
            .write(
                format!("publish {} messages", messages.len()),
                move |connection| log::append(connection, &messages, clock.now()),
            )
            .await?;
        self.0.published.notify_waiters();
        Ok(positions)
    }

    async fn subscribe(&self) -> Result<Self::Consumer, Error> {
        let watch = ChangeWatch::open(&self.0.store)?;
        Ok(SqliteConsumer::new(
            Arc::clone(&self.0),
            watch,
            Uuid::new_v4(),
        ))
    }

    async fn dead_letter(&self, letters: Vec<DeadLetter>) -> Result<(), Error> {
        if letters.is_empty() {
            return Ok(());
        }
        let clock = Arc::clone(&self.0.clock);
        self.0
            .store
            .write(
                format!("set {} messages aside", letters.len()),
                move |connection| log::set_aside(connection, &letters, clock.now()),
            )
            .await
    }

    async fn end(&self) -> Result<Mark, Error> {
        let offset = self.0.store.read("find the end of the queue", log::end)?;
        Ok(Mark(vec![Position {
            partition: PARTITION,
            offset,
        }]))
    }

    async fn consumed(&self, mark: &Mark) -> Result<bool, Error> {
        let committed = self.0.store.read("read the offset", log::committed)?;
        // Other partitions have no messages, so that nothing before any mark in them is left.
        Ok(mark
            .0
            .iter()
            .all(|position| position.partition != PARTITION || position.offset <= committed))
    }

    async fn lag(&self) -> Result<Vec<Lag>, Error> {
        let messages = self.0.store.read("count the backlog", |connection| {
            Ok(log::end(connection)?.saturating_sub(log::committed(connection)?))
        })?;
        Ok(vec![Lag {
            partition: PARTITION,
            messages,
        }])
    }

    fn obstacle(&self) -> Option<Error> {
        self.0.store.obstacle()
    }

    async fn oldest(&self) -> Result<Option<Oldest>, Error> {
        self.0
            .store
            .read("read the oldest undecided message", log::oldest)
    }

    fn topic(&self) -> &str {
        TOPIC
    }
}

#[derive(Debug, thiserror::Error)]
#[error("it has {bytes} bytes: at most {MESSAGE_BYTES_MAX} are allowed")]
struct TooLarge {
    bytes: usize,
}
