//! The status store: a projection, there for speed. Missing means unknown, never "no such order".

pub mod redis;
pub mod sqlite;
mod waiters;

use std::future::Future;

use serde::Serialize;
use tokio::time::Instant;

pub use crate::ports::Error;
pub use waiters::Waiters;

use crate::domain::{CartHash, OrderId, Reason, Sku, Status, StatusSet, Timestamp};
use crate::inventory::StockLevel;

/// Statuses of orders, and the stock cache that all processes share.
pub trait Statuses: Send + Sync + 'static {
    /// The present statuses, `None` where unknown or expired, in the order asked for.
    fn get(
        &self,
        ids: Vec<OrderId>,
    ) -> impl Future<Output = Result<Vec<Option<StatusEntry>>, Error>> + Send;

    /// Compare-and-set, each on its own; one result per transition. Wakes whoever waits for these orders.
    fn transition(
        &self,
        batch: Vec<Transition>,
    ) -> impl Future<Output = Result<Vec<Transitioned>, Error>> + Send;

    /// Waits until the order's status has a rank above `above`, or until the deadline; returns the status then.
    ///
    /// Registers first, then reads, then waits to be woken; a poll of its own is the safety net.
    fn wait(
        &self,
        id: OrderId,
        above: u8,
        deadline: Instant,
    ) -> impl Future<Output = Result<Option<StatusEntry>, Error>> + Send;

    /// The statuses an order went through, oldest first, as far as the store still knows.
    fn history(&self, id: OrderId)
    -> impl Future<Output = Result<Vec<StatusChange>, Error>> + Send;

    /// What the shared stock cache says, `None` where it says nothing; not necessarily fresh: see
    /// [`CachedStock::cached_at`].
    fn cached_stock(
        &self,
        skus: Vec<Sku>,
    ) -> impl Future<Output = Result<Vec<Option<CachedStock>>, Error>> + Send;

    /// Puts committed stock into the shared cache, with the time that each was known at. An entry of a higher version
    /// stays, unless it is over 100 ms old (rule 7).
    fn cache_stock(
        &self,
        levels: Vec<CachedStock>,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// A status store that can be read through.
pub trait ScanStatuses: Send + Sync + 'static {
    /// About `limit` entries from a cursor on, and the cursor that goes on behind them; `None` at the end. An entry that
    /// is there all the time comes at least once, in no order; one that comes or goes meanwhile may be left out.
    fn scan(
        &self,
        cursor: Option<ScanCursor>,
        limit: usize,
    ) -> impl Future<Output = Result<ScanPage, Error>> + Send;
}

/// A page of a status store: entries, and where the next page begins.
pub type ScanPage = (Vec<(OrderId, StatusEntry)>, Option<ScanCursor>);

/// Where a scan of the status store continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanCursor {
    /// Behind an order, where entries are sorted.
    After(OrderId),
    /// In the first of these nodes, at a position that only it understands.
    Nodes {
        /// The nodes that are left, as `host:port`; one without a name where there is a single server.
        nodes: Vec<String>,
        /// The position.
        position: u64,
    },
}

/// The present status of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StatusEntry {
    /// Where it stands.
    pub status: Status,
    /// Why it failed.
    pub reason: Option<Reason>,
    /// Which cart the id stands for.
    pub cart_hash: Option<CartHash>,
    /// When it came to this status.
    pub at: Timestamp,
}

/// A step of an order's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StatusChange {
    /// The status.
    pub status: Status,
    /// When it was written.
    pub at: Timestamp,
}

/// One compare-and-set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Which order.
    pub order_id: OrderId,
    /// Which present statuses allow it.
    pub from: StatusSet,
    /// The new status.
    pub to: Status,
    /// Why, for FAILED.
    pub reason: Option<Reason>,
    /// Which cart the id stands for; `None` keeps what is stored.
    pub cart_hash: Option<CartHash>,
    /// When.
    pub at: Timestamp,
    /// When the entry may be forgotten.
    pub expires_at: Timestamp,
}

/// What a compare-and-set came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transitioned {
    /// Written.
    Applied,
    /// Not written: this is there.
    Refused(Option<StatusEntry>),
}

/// An entry of the shared stock cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedStock {
    /// The stock; `earliest_hold` is not kept.
    pub level: StockLevel,
    /// Since when at the latest it may have been so: when the transaction or the read began that told it, by the clock
    /// of whoever cached it. An entry from the future is stale.
    pub cached_at: Timestamp,
}

impl CachedStock {
    /// Levels that one transaction or read told, which began then.
    pub fn all(levels: impl IntoIterator<Item = StockLevel>, began: Timestamp) -> Vec<Self> {
        let cached = |level| Self {
            level,
            cached_at: began,
        };
        levels.into_iter().map(cached).collect()
    }
}
