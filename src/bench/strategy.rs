//! The strategies, and what they have in common.

use clap::ValueEnum;
use serde::Serialize;

use super::workload::BenchOrder;
use crate::config::{InventoryUrl, StatusUrl};
use crate::ports::Error;

/// A way to reserve units for orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// One transaction per order: SELECT … FOR UPDATE, check, UPDATE, INSERT
    PerOrder,
    /// One transaction per order: UPDATE … WHERE available >= n, INSERT
    ConditionalUpdate,
    /// One row per unit, taken with SKIP LOCKED
    SkipLocked,
    /// A Lua script decrements in Redis, then the order is inserted
    RedisLua,
    /// The inventory of oms, fed by a group commit
    Batched,
    /// The inventory of oms alone, with batches of 8,000
    Reserve,
}

/// Why a strategy cannot be measured on the configured stores.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// SQLite has no row locks.
    #[error("{} needs row locks, which SQLite does not have; set --inventory-url to MySQL or MariaDB", .0.name())]
    NoRowLocks(Strategy),
    /// Redis with a database that has concurrent writers.
    #[error("{} needs MySQL or MariaDB behind Redis; set --inventory-url", .0.name())]
    NoServer(Strategy),
    /// The status store is not Redis.
    #[error("{} needs Redis; set --status-url to redis://… or redis-cluster://…", .0.name())]
    NoRedis(Strategy),
    /// Too many units to have a row each.
    #[error(
        "{} needs a row per unit, and {rows} are too many (at most {max}); lower --stock or --skus", .strategy.name()
    )]
    TooManyUnits {
        /// Whose rows they are.
        strategy: Strategy,
        /// Rows it would need.
        rows: u64,
        /// Rows it may have.
        max: u64,
    },
}

impl Strategy {
    /// Every strategy, in the order in which they are measured.
    pub const ALL: [Self; 6] = [
        Self::PerOrder,
        Self::ConditionalUpdate,
        Self::SkipLocked,
        Self::RedisLua,
        Self::Batched,
        Self::Reserve,
    ];

    /// Its name on the command line and in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PerOrder => "per-order",
            Self::ConditionalUpdate => "conditional-update",
            Self::SkipLocked => "skip-locked",
            Self::RedisLua => "redis-lua",
            Self::Batched => "batched",
            Self::Reserve => "reserve",
        }
    }

    /// Whether it is the inventory of oms, which must neither oversell nor undersell.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Batched | Self::Reserve)
    }

    /// Whether it can be measured on these stores.
    ///
    /// # Errors
    /// What it needs.
    pub fn check(self, inventory: &InventoryUrl, statuses: &StatusUrl) -> Result<(), Unsupported> {
        let is_server = matches!(inventory, InventoryUrl::Mysql(_));
        match self {
            Self::SkipLocked if !is_server => Err(Unsupported::NoRowLocks(self)),
            Self::RedisLua if !is_server => Err(Unsupported::NoServer(self)),
            Self::RedisLua if !matches!(statuses, StatusUrl::Redis(_)) => {
                Err(Unsupported::NoRedis(self))
            }
            _ => Ok(()),
        }
    }
}

/// Decides orders one by one, for many callers at the same time.
pub(super) trait Decide: Send + Sync + 'static {
    /// What one caller keeps between its orders: a connection, if it needs one.
    type Session: Send + 'static;

    /// Opens a caller's session.
    fn session(&self) -> impl Future<Output = Result<Self::Session, Error>> + Send;

    /// Decides an order; whether it was reserved. Returns once that is committed.
    fn decide(
        &self,
        session: &mut Self::Session,
        order: &BenchOrder,
    ) -> impl Future<Output = Result<bool, Error>> + Send;
}
