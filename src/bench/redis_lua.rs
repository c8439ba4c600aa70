//! `redis-lua`: a script decrements a counter in Redis if enough is left, then the order is inserted in the database, in
//! a transaction of its own on the caller's connection. An insert that fails gives the units back.
//!
//! A crash between both, or of a Redis that has not synced its log, leaves a counter that no order accounts for: this
//! strategy has no transaction that covers both.

use futures::future::try_join_all;
use mysql_async::Conn;
use redis::{Cmd, RedisError, Value};

use super::mysql::{self, DECIDE};
use super::scratch::ScratchKeys;
use super::strategy::Decide;
use super::workload::{BenchOrder, Workload};
use crate::domain::Sku;
use crate::inventory::mysql::{ScratchDatabase, failed};
use crate::ports::Error;
use crate::statuses::redis::Connection;

/// 1 and takes the units if enough are left, or else 0. Creates no key.
const TAKE: &str = "local left = tonumber(redis.call('GET', KEYS[1]) or '0') local units = tonumber(ARGV[1]) \
     if left < units then return 0 end redis.call('DECRBY', KEYS[1], units) return 1";

/// Gives units back. Creates no key.
const GIVE_BACK: &str = "if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('INCRBY', KEYS[1], ARGV[1]) end return 0";

/// Commands that are under way at the same time while counters are set.
const SETS_AT_ONCE: usize = 1_000;

pub(super) struct RedisLua {
    database: ScratchDatabase,
    keys: ScratchKeys,
}

impl RedisLua {
    /// Sets the counter of each item by rank.
    pub(super) async fn prepare(
        database: ScratchDatabase,
        keys: ScratchKeys,
        workload: &Workload,
        stock: &[i64],
    ) -> Result<Self, Error> {
        let stocked: Vec<(&Sku, i64)> = workload.skus().iter().zip(stock.iter().copied()).collect();
        for stocked in stocked.chunks(SETS_AT_ONCE) {
            let sets = stocked.iter().map(async |(sku, units)| {
                let mut set = redis::cmd("SET");
                set.arg(keys.counter(sku)).arg(units);
                keys.connection().ask(&set).await
            });
            let set = try_join_all(sets).await;
            set.map_err(|error| refused("set the stock in Redis", error))?;
        }
        Ok(Self { database, keys })
    }

    fn script(&self, text: &str, order: &BenchOrder) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command
            .arg(text)
            .arg(1)
            .arg(self.keys.counter(&order.sku))
            .arg(order.quantity.units());
        command
    }
}

impl Decide for RedisLua {
    type Session = (Conn, Connection);

    /// The callers share one multiplexed connection to Redis.
    async fn session(&self) -> Result<(Conn, Connection), Error> {
        Ok((self.database.connection().await?, self.keys.connection()))
    }

    async fn decide(
        &self,
        (connection, redis): &mut (Conn, Connection),
        order: &BenchOrder,
    ) -> Result<bool, Error> {
        let answer = redis.ask(&self.script(TAKE, order)).await;
        if answer.map_err(|error| refused(DECIDE, error))? != Value::Int(1) {
            return Ok(false);
        }
        let inserted = mysql::insert_order(connection, order).await;
        if let Err(error) = inserted {
            let given_back = redis.ask(&self.script(GIVE_BACK, order)).await;
            given_back.map_err(|error| refused("give units back", error))?;
            return Err(failed(DECIDE, error));
        }
        Ok(true)
    }
}

fn refused(action: &str, error: RedisError) -> Error {
    Error::unavailable(action).because(error)
}
