//! Reads the log again, beside the consumer group.

use std::sync::Arc;

use super::super::{Delivery, Replay, Replayable};
use super::{Inner, SqliteQueue, log};
use crate::domain::Timestamp;
use crate::ports::{Clock, Error};

/// A reading of the log that ends where it ended when the reading began.
#[derive(Debug)]
pub struct SqliteReplay<C> {
    inner: Arc<Inner<C>>,
    next: u64,
    end: u64,
}

impl<C: Clock> Replayable for SqliteQueue<C> {
    type Replay = SqliteReplay<C>;

    async fn replay(&self, since: Timestamp) -> Result<SqliteReplay<C>, Error> {
        // It looks at the time of every message.
        let (next, end) = self
            .0
            .store
            .read_long("find messages by their time", move |connection| {
                Ok((log::first_since(connection, since)?, log::end(connection)?))
            })
            .await?;
        Ok(SqliteReplay {
            inner: Arc::clone(&self.0),
            next: next.unwrap_or(end),
            end,
        })
    }
}

impl<C: Clock> Replay for SqliteReplay<C> {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        let from = self.next;
        if from >= self.end {
            return Ok(Vec::new());
        }
        let store = &self.inner.store;
        let mut batch = store.read("read the queue again", |connection| {
            log::read(connection, from, max)
        })?;
        self.next = batch
            .last()
            .map_or(self.end, |last| last.position.offset + 1);
        batch.retain(|delivery| delivery.position.offset < self.end);
        Ok(batch)
    }
}
