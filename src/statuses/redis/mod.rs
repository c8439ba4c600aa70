//! Statuses in Redis 7 or later, or Valkey: one server or a cluster.
//!
//! - `url`: where it is.
//! - `dial`, `link`, `fault`: connections, keeping one up, what errors mean.
//! - `keys`, `value`, `stock`: how things are named, and how they lie there.
//! - `transition.lua`, `cache_stock.lua`: what happens in one step on the server.
//! - `scan`: reads through all statuses, for an audit or a recovery; nothing else needs `+scan`.
//! - `follow`: wakes those who wait.
//! - `check`: what `oms doctor` asks.
//!
//! No module is needed, and no command that Redis 7.0 or Valkey lacks. A user of its own needs no more than
//!
//! ```text
//! ACL SETUSER oms on >PASSWORD resetkeys ~oms:* resetchannels &oms:* -@all +mget +get +set +eval +publish
//!     +subscribe +ping +scan +info
//! ```
//!
//! and `+cluster|slots` in a cluster, `+select` for another database than 0; `+info` is for `oms doctor` alone. The
//! prefix of keys and channel is the one of the URL.
//!
//! The server should have `maxmemory-policy noeviction`. It needs no persistence: what is lost heals (rule 8).

mod check;
mod dial;
mod fault;
mod follow;
mod keys;
mod link;
mod scan;
mod stock;
#[cfg(test)]
mod tests;
mod url;
mod value;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use redis::{Cmd, ToRedisArgs, Value};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

pub use check::{Check, check};
pub(crate) use dial::Connection;
pub use url::{RedisUrl, RedisUrlError};

use super::{CachedStock, StatusChange, StatusEntry, Statuses, Transition, Transitioned, Waiters};
use crate::domain::{OrderId, Sku, Status};
use crate::group::Group;
use crate::ports::{Clock, Error};
use crate::rng::Rng;
use dial::Dial;
use keys::{Keys, Lane};
use link::{Access, Chunk, Link};

const TRANSITION: &str = include_str!("transition.lua");
const CACHE_STOCK: &str = include_str!("cache_stock.lua");

/// How many of those who begin to wait are served by one read.
const READS_MAX: usize = 4_000;

/// A connection for commands that are not of the status store. It is not made again when it is lost.
///
/// # Errors
/// As [`RedisStatuses::connect`].
pub(crate) async fn connection(url: &RedisUrl) -> Result<Connection, Error> {
    let failed = |error| fault::first_contact(&url.hosts(), error);
    let dial = Dial::new(url, &Keys::new(url.prefix(), url.is_cluster())).map_err(failed)?;
    let (lost, _) = tokio::sync::mpsc::unbounded_channel();
    dial.connect(0, &lost).await.map_err(failed)
}

/// The status store in Redis. Its tasks end when it is dropped.
pub struct RedisStatuses<C> {
    url: RedisUrl,
    inner: Arc<Inner<C>>,
    /// Reads of those who begin or end to wait, together.
    reads: Group<OrderId, Option<StatusEntry>>,
    /// Started by the first who waits: a worker never does.
    follower: OnceLock<Task>,
}

struct Inner<C> {
    dial: Arc<Dial>,
    link: Link,
    clock: C,
    keys: Keys,
    /// The channel that tells of changes.
    changes: String,
    waiters: Waiters,
    /// Whether a subscription tells of changes.
    told: AtomicBool,
    /// What the next transition is told by from all others.
    token: AtomicU32,
}

/// A task that ends with its owner.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<C> fmt::Debug for RedisStatuses<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisStatuses").field(&self.url).finish()
    }
}

impl<C: Clock> RedisStatuses<C> {
    /// Connects, within 5 s.
    ///
    /// # Errors
    /// Names the hosts and what kept them from being reached: permanent if only another URL or another configuration
    /// of the server can help.
    pub async fn connect(url: &RedisUrl, clock: C) -> Result<Self, Error> {
        let keys = Keys::new(url.prefix(), url.is_cluster());
        let failed = |error| fault::first_contact(&url.hosts(), error);
        let dial = Arc::new(Dial::new(url, &keys).map_err(failed)?);
        let link = Link::start(Arc::clone(&dial)).await.map_err(failed)?;
        let inner = Arc::new(Inner {
            dial,
            link,
            clock,
            changes: keys.changes(),
            keys,
            waiters: Waiters::default(),
            told: AtomicBool::new(false),
            token: AtomicU32::new(u32::from_be_bytes(Rng::from_system().bytes())),
        });
        let reads = {
            let inner = Arc::clone(&inner);
            Group::start(READS_MAX, move |ids: Vec<OrderId>| {
                let inner = Arc::clone(&inner);
                async move { inner.read(&ids).await }
            })
        };
        Ok(Self {
            url: url.clone(),
            inner,
            reads,
            follower: OnceLock::new(),
        })
    }

    fn ensure_following(&self) {
        self.follower
            .get_or_init(|| Task(tokio::spawn(follow::run(Arc::clone(&self.inner)))));
    }
}

impl<C: Clock> Inner<C> {
    /// The values of keys, `None` where there is none.
    async fn values(
        &self,
        action: &str,
        keys: &[String],
        lanes: Vec<Lane>,
    ) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let lanes = commands(lanes, |items| {
            let mut command = redis::cmd("MGET");
            for item in items {
                command.arg(&keys[*item]);
            }
            command
        });
        let values = self
            .link
            .ask(Access::Read, action, keys.len(), lanes)
            .await?;
        Ok(values.into_iter().map(bytes).collect())
    }

    async fn read(&self, ids: &[OrderId]) -> Result<Vec<Option<StatusEntry>>, Error> {
        let now = self.clock.now();
        let values = self.values_of_orders("read statuses", ids).await?;
        let entry = |value: Option<Vec<u8>>| value::entry(&value?, now);
        Ok(values.into_iter().map(entry).collect())
    }

    async fn values_of_orders(
        &self,
        action: &str,
        ids: &[OrderId],
    ) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let keys: Vec<String> = ids.iter().map(|id| self.keys.order(*id)).collect();
        let lanes = self.keys.lanes_of_orders(ids.iter().copied());
        self.values(action, &keys, lanes).await
    }

    async fn write(&self, batch: &[Transition]) -> Result<Vec<Transitioned>, Error> {
        let now = self.clock.now();
        let size = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        let token = self.token.fetch_add(size, Ordering::Relaxed);
        // The steps of an order side by side, in their sequence: the script makes one write of them.
        let mut sequence: Vec<usize> = (0..batch.len()).collect();
        sequence.sort_by_key(|at| batch[*at].order_id);
        let order_ids = || sequence.iter().map(|at| batch[*at].order_id);
        let keys: Vec<String> = order_ids().map(|id| self.keys.order(id)).collect();
        let arguments: Vec<value::Argument> = (sequence.iter().zip(0..))
            .map(|(at, number)| value::argument(&batch[*at], token.wrapping_add(number), now))
            .collect();
        let lanes = commands(self.keys.lanes_of_orders(order_ids()), |items| {
            // Nobody waits for INIT.
            let changes = items.iter().map(|item| &batch[sequence[*item]]);
            let message: Vec<u8> = (changes.filter(|change| change.to != Status::Init))
                .flat_map(|change| value::change_message(change.order_id, change.to))
                .collect();
            let head = [
                value::time(now).into_bytes(),
                self.changes.clone().into(),
                message,
            ];
            script(TRANSITION, items, &keys, &head, &arguments)
        });
        let action = format!("write {} statuses", batch.len());
        let answers = self
            .link
            .ask(Access::Write, &action, batch.len(), lanes)
            .await?;
        let mut results = vec![Transitioned::Applied; batch.len()];
        for (at, answer) in sequence.into_iter().zip(answers) {
            if !matches!(answer, Value::Int(_)) {
                let present = bytes(answer).and_then(|value| value::entry(&value, now));
                results[at] = Transitioned::Refused(present);
            }
        }
        Ok(results)
    }

    /// Wakes whoever waits in this process for what it has just written.
    async fn wake_own(&self, batch: &[Transition], results: &[Transitioned]) {
        let mut unknown = Vec::new();
        for (one, result) in batch.iter().zip(results) {
            if *result != Transitioned::Applied || !self.waiters.wants(one.order_id, one.to) {
                continue;
            }
            if one.cart_hash.is_some() {
                self.waiters.notify(one.order_id, entry_after(one));
            } else {
                // What is stored is kept: only a read can tell.
                unknown.push(one.order_id);
            }
        }
        follow::wake(self, &unknown).await;
    }
}

impl<C: Clock> Statuses for RedisStatuses<C> {
    async fn get(&self, ids: Vec<OrderId>) -> Result<Vec<Option<StatusEntry>>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.inner.read(&ids).await
    }

    async fn transition(&self, batch: Vec<Transition>) -> Result<Vec<Transitioned>, Error> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let results = self.inner.write(&batch).await?;
        self.inner.wake_own(&batch, &results).await;
        Ok(results)
    }

    async fn wait(
        &self,
        id: OrderId,
        above: u8,
        deadline: Instant,
    ) -> Result<Option<StatusEntry>, Error> {
        // Register first, then read: what is written in between wakes.
        let mut waiter = self.inner.waiters.register(id, above);
        self.ensure_following();
        let present = self.reads.submit(id).await?;
        if present.is_some_and(|entry| entry.status.rank() > above) {
            return Ok(present);
        }
        match timeout_at(deadline, waiter.woken()).await {
            Ok(Some(entry)) => Ok(Some(entry)),
            Ok(None) | Err(_) => self.reads.submit(id).await,
        }
    }

    async fn history(&self, id: OrderId) -> Result<Vec<StatusChange>, Error> {
        let now = self.inner.clock.now();
        let values = self
            .inner
            .values_of_orders("read an order's history", &[id])
            .await?;
        let value = values.into_iter().next().flatten();
        Ok(value.map_or_else(Vec::new, |value| value::history(&value, now)))
    }

    async fn cached_stock(&self, skus: Vec<Sku>) -> Result<Vec<Option<CachedStock>>, Error> {
        if skus.is_empty() {
            return Ok(Vec::new());
        }
        let inner = &self.inner;
        let keys: Vec<String> = skus.iter().map(|sku| inner.keys.stock(sku)).collect();
        let lanes = inner.keys.lanes_of_stock(skus.iter());
        let values = inner.values("read the stock cache", &keys, lanes).await?;
        let cached = |(sku, value): (&Sku, Option<Vec<u8>>)| stock::unpack(sku, &value?);
        Ok(skus.iter().zip(values).map(cached).collect())
    }

    async fn cache_stock(&self, levels: Vec<CachedStock>) -> Result<(), Error> {
        if levels.is_empty() {
            return Ok(());
        }
        let inner = &self.inner;
        let now = inner.clock.now();
        let skus = || levels.iter().map(|cached| &cached.level.sku);
        let keys: Vec<String> = skus().map(|sku| inner.keys.stock(sku)).collect();
        let values: Vec<Vec<u8>> = levels.iter().map(stock::pack).collect();
        let lanes = commands(inner.keys.lanes_of_stock(skus()), |items| {
            let head = [now.millis().to_string(), stock::TTL.as_millis().to_string()];
            script(
                CACHE_STOCK,
                items,
                &keys,
                &head.map(String::into_bytes),
                &values,
            )
        });
        let action = "write the stock cache";
        inner
            .link
            .ask(Access::Write, action, levels.len(), lanes)
            .await?;
        Ok(())
    }
}

/// Makes a command of every chunk.
fn commands(lanes: Vec<Lane>, command: impl Fn(&[usize]) -> Cmd) -> Vec<Vec<Chunk>> {
    let chunk = |items: Vec<usize>| Chunk {
        command: command(&items),
        items,
    };
    let lane = |lane: Lane| lane.into_iter().map(chunk).collect();
    lanes.into_iter().map(lane).collect()
}

/// A script over the keys of some items. The text is sent every time: next to a thousand keys it costs nothing, and
/// no server can have forgotten it.
fn script<A>(text: &str, items: &[usize], keys: &[String], head: &[Vec<u8>], arguments: &[A]) -> Cmd
where
    for<'a> &'a A: ToRedisArgs,
{
    let mut command = redis::cmd("EVAL");
    command.arg(text).arg(items.len());
    for item in items {
        command.arg(&keys[*item]);
    }
    command.arg(head);
    for item in items {
        command.arg(&arguments[*item]);
    }
    command
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

fn entry_after(transition: &Transition) -> StatusEntry {
    StatusEntry {
        status: transition.to,
        reason: transition.reason,
        cart_hash: transition.cart_hash,
        at: transition.at,
    }
}
