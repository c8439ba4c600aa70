//! The status store, whichever it is.

use tokio::time::Instant;

use crate::clock::SystemClock;
use crate::domain::{OrderId, Sku};
use crate::ports::Error;
use crate::statuses::redis::RedisStatuses;
use crate::statuses::sqlite::SqliteStatuses;
use crate::statuses::{
    CachedStock, ScanCursor, ScanPage, ScanStatuses, StatusChange, StatusEntry, Statuses,
    Transition, Transitioned,
};

/// One of the status stores. Every call is passed on as it is.
#[derive(Debug)]
pub enum AnyStatuses {
    /// In a SQLite file.
    Sqlite(SqliteStatuses<SystemClock>),
    /// In Redis.
    Redis(RedisStatuses<SystemClock>),
}

macro_rules! pass_on {
    ($any:expr, $inner:ident => $call:expr) => {
        match $any {
            Self::Sqlite($inner) => $call,
            Self::Redis($inner) => $call,
        }
    };
}

impl Statuses for AnyStatuses {
    async fn get(&self, ids: Vec<OrderId>) -> Result<Vec<Option<StatusEntry>>, Error> {
        pass_on!(self, inner => inner.get(ids).await)
    }

    async fn transition(&self, batch: Vec<Transition>) -> Result<Vec<Transitioned>, Error> {
        pass_on!(self, inner => inner.transition(batch).await)
    }

    async fn wait(
        &self,
        id: OrderId,
        above: u8,
        deadline: Instant,
    ) -> Result<Option<StatusEntry>, Error> {
        pass_on!(self, inner => inner.wait(id, above, deadline).await)
    }

    async fn history(&self, id: OrderId) -> Result<Vec<StatusChange>, Error> {
        pass_on!(self, inner => inner.history(id).await)
    }

    async fn cached_stock(&self, skus: Vec<Sku>) -> Result<Vec<Option<CachedStock>>, Error> {
        pass_on!(self, inner => inner.cached_stock(skus).await)
    }

    async fn cache_stock(&self, levels: Vec<CachedStock>) -> Result<(), Error> {
        pass_on!(self, inner => inner.cache_stock(levels).await)
    }
}

impl ScanStatuses for AnyStatuses {
    async fn scan(&self, cursor: Option<ScanCursor>, limit: usize) -> Result<ScanPage, Error> {
        pass_on!(self, inner => inner.scan(cursor, limit).await)
    }
}
