//! Measures one strategy at one exponent, on a database, folder or keys of its own.

use std::collections::HashMap;
use std::sync::Arc;

use super::balance::balance;
use super::batched::{self, Batched};
use super::conditional_update::ConditionalUpdate;
use super::load::{Measured, drive};
use super::mysql::{self, MysqlStatements, OnMysql, StockTable};
use super::per_order::PerOrder;
use super::plan::Plan;
use super::redis_lua::RedisLua;
use super::reserve;
use super::result::BenchResult;
use super::scratch::{Scratch, ScratchFolder, ScratchKeys, ScratchStore};
use super::skip_locked::SkipLocked;
use super::sqlite::{self, OnSqlite, SqliteStatements};
use super::strategy::{Strategy, Unsupported};
use super::workload::Workload;
use crate::config::{InventoryUrl, SqliteUrl, StatusUrl};
use crate::domain::Sku;
use crate::inventory::mysql::{MysqlUrl, ScratchDatabase};
use crate::ports::Error;
use crate::rng::Rng;
use crate::statuses::redis::RedisUrl;
use crate::wiring;

/// Measurements on the configured stores.
#[derive(Debug)]
pub struct Bench {
    plan: Plan,
    store: Store,
    redis: Option<RedisUrl>,
    /// Of the database or folder, and part of the names of keys.
    name: String,
}

/// What strategies are measured on.
#[derive(Debug)]
enum Store {
    Mysql(MysqlUrl),
    Sqlite(SqliteUrl),
}

/// One measurement under way.
struct Measurement<'a> {
    plan: &'a Plan,
    strategy: Strategy,
    workload: Arc<Workload>,
    /// Units of each item, by rank.
    stock: Vec<i64>,
    scratch: &'a Scratch,
}

impl Bench {
    /// Measurements of a plan; opens nothing. None for an inventory behind HTTP: its tables are somebody's store.
    pub fn new(plan: Plan, inventory: &InventoryUrl, statuses: &StatusUrl) -> Option<Self> {
        let store = match inventory {
            InventoryUrl::Mysql(url) => Store::Mysql(url.clone()),
            InventoryUrl::Sqlite(url) => Store::Sqlite(url.clone()),
            InventoryUrl::Http(_) => return None,
        };
        let redis = match statuses {
            StatusUrl::Redis(url) => Some(url.clone()),
            StatusUrl::Sqlite(_) => None,
        };
        Some(Self {
            plan,
            store,
            redis,
            name: format!("oms_bench_{:016x}", Rng::from_system().bits()),
        })
    }

    /// What exists during a measurement, for messages.
    pub fn place(&self) -> String {
        match &self.store {
            Store::Mysql(url) => format!("the database {} on {}", self.name, url.address()),
            Store::Sqlite(url) => format!(
                "the folder {}",
                url.path.with_file_name(&self.name).display()
            ),
        }
    }

    /// Settings with which a crash can lose what was committed, so that figures are better than they should be.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn warnings(&self) -> Result<Vec<String>, Error> {
        match &self.store {
            Store::Mysql(url) => ScratchDatabase::warnings(url).await,
            Store::Sqlite(_) => Ok(Vec::new()),
        }
    }

    /// Measures a strategy at an exponent, and removes all that it made; none if it was interrupted.
    ///
    /// # Errors
    /// When a store cannot be used, or something made for the measurement cannot be removed.
    pub async fn measure(
        &self,
        strategy: Strategy,
        exponent: f64,
        interrupted: impl Future,
    ) -> Result<Option<BenchResult>, Error> {
        let scratch = self.scratch(strategy).await?;
        let result = tokio::select! {
            biased;
            _ = interrupted => Ok(None),
            result = self.measure_on(&scratch, strategy, exponent) => result.map(Some),
        };
        let removed = scratch.remove().await;
        match (result, removed) {
            (Ok(result), Ok(())) => Ok(result),
            (Ok(_), Err(error)) => Err(error),
            (Err(error), removed) => {
                if let Err(left) = removed {
                    tracing::error!(error = %left.chain(), "a measurement left something behind");
                }
                Err(error)
            }
        }
    }

    async fn scratch(&self, strategy: Strategy) -> Result<Scratch, Error> {
        // First, since it makes nothing that would have to be removed.
        let keys = match (&self.redis, strategy) {
            (Some(url), Strategy::RedisLua) => {
                Some(ScratchKeys::connect(url, &self.name, self.plan.skus).await?)
            }
            _ => None,
        };
        let store = match &self.store {
            Store::Mysql(url) => {
                ScratchStore::Mysql(ScratchDatabase::create(url, &self.name).await?)
            }
            Store::Sqlite(url) => ScratchStore::Sqlite(ScratchFolder::create(url, &self.name)?),
        };
        Ok(Scratch { store, keys })
    }

    async fn measure_on(
        &self,
        scratch: &Scratch,
        strategy: Strategy,
        exponent: f64,
    ) -> Result<BenchResult, Error> {
        let plan = &self.plan;
        let workload = Workload::new(plan.skus, exponent, plan.quantity, plan.seed);
        let measurement = Measurement {
            plan,
            strategy,
            stock: plan.stock(strategy, &workload),
            workload: Arc::new(workload),
            scratch,
        };
        let measured = measurement.run().await?;
        let sold = measurement.sold().await?;
        let quantity = plan.quantity.units();
        let balance = balance(&measurement.stock, &sold, &measured.refused, quantity);
        Ok(BenchResult::new(strategy, exponent, &measured, balance))
    }
}

impl Measurement<'_> {
    async fn run(&self) -> Result<Measured, Error> {
        match (self.strategy, &self.scratch.store) {
            (Strategy::PerOrder, ScratchStore::Mysql(database)) => {
                self.on_mysql(database, PerOrder, StockTable::Counters)
                    .await
            }
            (Strategy::PerOrder, ScratchStore::Sqlite(folder)) => {
                self.on_sqlite(folder, PerOrder).await
            }
            (Strategy::ConditionalUpdate, ScratchStore::Mysql(database)) => {
                let table = StockTable::Counters;
                self.on_mysql(database, ConditionalUpdate, table).await
            }
            (Strategy::ConditionalUpdate, ScratchStore::Sqlite(folder)) => {
                self.on_sqlite(folder, ConditionalUpdate).await
            }
            (Strategy::SkipLocked, ScratchStore::Mysql(database)) => {
                self.on_mysql(database, SkipLocked, StockTable::Units).await
            }
            (Strategy::RedisLua, ScratchStore::Mysql(database)) => self.on_redis(database).await,
            (Strategy::SkipLocked | Strategy::RedisLua, ScratchStore::Sqlite(_)) => {
                let why = Unsupported::NoRowLocks(self.strategy);
                Err(Error::permanent("measure a strategy on SQLite").because(why))
            }
            (Strategy::Batched | Strategy::Reserve, _) => self.on_inventory().await,
        }
    }

    async fn on_mysql<S: MysqlStatements>(
        &self,
        database: &ScratchDatabase,
        statements: S,
        table: StockTable,
    ) -> Result<Measured, Error> {
        mysql::prepare(database, &self.workload, &self.stock, table).await?;
        let strategy = OnMysql {
            database: database.clone(),
            statements,
        };
        let until = self.plan.until(self.strategy);
        drive(strategy, &self.workload, self.plan.connections, until).await
    }

    async fn on_sqlite<S: SqliteStatements>(
        &self,
        folder: &ScratchFolder,
        statements: S,
    ) -> Result<Measured, Error> {
        let strategy =
            OnSqlite::prepare(&folder.orders(), statements, &self.workload, &self.stock)?;
        let until = self.plan.until(self.strategy);
        drive(strategy, &self.workload, self.plan.connections, until).await
    }

    async fn on_redis(&self, database: &ScratchDatabase) -> Result<Measured, Error> {
        let Some(keys) = &self.scratch.keys else {
            let why = Unsupported::NoRedis(self.strategy);
            return Err(Error::permanent("connect to Redis").because(why));
        };
        mysql::prepare(database, &self.workload, &self.stock, StockTable::None).await?;
        let (database, keys) = (database.clone(), keys.clone());
        let strategy = RedisLua::prepare(database, keys, &self.workload, &self.stock).await?;
        let until = self.plan.until(self.strategy);
        drive(strategy, &self.workload, self.plan.connections, until).await
    }

    /// The adapter that the program runs on, with a schema of its own.
    async fn on_inventory(&self) -> Result<Measured, Error> {
        let url = self.scratch.store.inventory_url();
        let inventory = wiring::open_inventory(&url).await?;
        batched::fill(&inventory, &self.workload, &self.stock).await?;
        let until = self.plan.until(self.strategy);
        if self.strategy == Strategy::Reserve {
            return reserve::measure(&inventory, &self.workload, until).await;
        }
        let strategy = Batched::start(Arc::new(inventory), self.plan.batch_max);
        drive(strategy, &self.workload, self.plan.in_flight, until).await
    }

    /// Units of committed orders, by rank.
    async fn sold(&self) -> Result<Vec<i64>, Error> {
        let is_ours = self.strategy.is_ours();
        let sold: HashMap<String, i64> = match &self.scratch.store {
            ScratchStore::Mysql(database) if is_ours => {
                mysql::sold(database, mysql::SOLD_OF_OMS).await?
            }
            ScratchStore::Mysql(database) => mysql::sold(database, mysql::SOLD).await?,
            ScratchStore::Sqlite(folder) if is_ours => {
                sqlite::sold(&folder.inventory(), sqlite::SOLD_OF_OMS)?
            }
            ScratchStore::Sqlite(folder) => sqlite::sold(&folder.orders(), sqlite::SOLD)?,
        };
        let mut by_rank = vec![0; self.workload.skus().len()];
        for (sku, units) in sold {
            let rank = Sku::new(&sku).ok().and_then(|sku| self.workload.rank(&sku));
            let rank = rank.ok_or_else(|| {
                Error::permanent(format!("tell which item an order for `{sku}` is for"))
            })?;
            by_rank[rank] = units;
        }
        Ok(by_rank)
    }
}
