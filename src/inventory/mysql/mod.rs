//! The inventory in a MySQL (8.4 or newer) or MariaDB (10.11 or newer) database. Deadlines go by the database's clock.
//!
//! Every write is one transaction under READ COMMITTED: it locks items, loads them into a [`Book`], lets [`decide`] decide,
//! and writes what changed. Confirming alone locks nothing: see [`settle`] and [`sales`].
//!
//! [`Book`]: super::decide::Book
//! [`decide`]: super::decide
//!
//! # The order of locks
//!
//! Items first, ordered by SKU; then new rows, ordered by id. All transactions keep to it, so that they queue up and do not
//! deadlock; where a server finds a deadlock all the same, the transaction is rolled back and done again. Nobody waits
//! for a row of [`sales`].
//!
//! # Connections
//!
//! `reserve` and `settle` have a connection each that they keep, administration has a third, and reads share a few. No
//! connection goes back to its lane inside a transaction, so that no lock outlives a call.

mod adjust;
mod admin;
mod audit;
mod audit_queries;
mod bodies;
mod checkpoint;
mod connect;
mod dead_letters;
mod durability;
mod fault;
mod gateway;
mod lane;
mod put;
mod read;
mod reserve;
mod rows;
mod sales;
mod schema;
mod scratch;
mod settle;
mod sql;
mod transaction;
mod url;
mod write;

pub use schema::Migrated;
pub(crate) use scratch::{ScratchDatabase, failed, roll_back_conflict};
pub use url::{MysqlUrl, UrlError};

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use mysql_async::Conn;
use parking_lot::Mutex;
use tokio::time::Instant;

use self::bodies::Bodies;
use self::connect::{Purpose, Server};
use self::durability::Durability;
use self::fault::Fault;
use self::lane::{Ask, Job, Lane};
use self::reserve::Reserve;
use self::sales::FoldAll;
use self::settle::SettleAll;
use super::overdue::{Batches, Overdue};
use super::{
    Error, HoldEnd, Inventory, Owed, Refund, Reservation, ReserveBatch, ReserveOutcome, Settle,
    Settlement, StockAnswer, StockLevel,
};
use crate::domain::{Order, OrderId, Sku, Timestamp};

/// How many reads may go on at the same time.
const READERS_MAX: usize = 8;

/// The inventory in one MySQL or MariaDB database.
pub struct MysqlInventory {
    url: MysqlUrl,
    reserving: Lane,
    settling: Lane,
    writing: Lane,
    reading: Lane,
    bodies: Bodies,
    /// When this process last reserved, and with that folded what was sold.
    folded: Mutex<Option<Instant>>,
}

/// After so long without a reserve the sweep folds what was sold.
const FOLD_AFTER: Duration = Duration::from_secs(1);

impl MysqlInventory {
    /// Opens the inventory of a database that has the schema of this program.
    ///
    /// # Errors
    /// When the server cannot be reached, does not let us in, or is too old; when the schema is missing, older (`oms
    /// migrate` is due) or newer.
    pub async fn connect(url: &MysqlUrl) -> Result<Self, Error> {
        schema::check(url).await?;
        let lane = |purpose, connections| Lane::new(Server::new(url, purpose), connections);
        Ok(Self {
            url: url.clone(),
            reserving: lane(Purpose::Write, 1),
            settling: lane(Purpose::Write, 1),
            writing: lane(Purpose::Write, 1),
            reading: lane(Purpose::Read, READERS_MAX),
            bodies: Bodies::default(),
            folded: Mutex::default(),
        })
    }

    /// Makes the database if it is missing, and brings its schema to the version of this program. May be repeated,
    /// and may be done by several processes at once.
    ///
    /// # Errors
    /// When the server cannot be reached, does not let us in, or is too old; when the database belongs to another
    /// program or to a newer version of this one; when a migration fails.
    pub async fn migrate(url: &MysqlUrl) -> Result<Migrated, Error> {
        schema::migrate(url).await
    }

    /// Settings of the server with which a crash can lose what was committed, in words.
    ///
    /// # Errors
    /// When the server did not answer.
    pub async fn durability_warnings(&self) -> Result<Vec<String>, Error> {
        let ask = Ask((), |connection, ()| Box::pin(Durability::read(connection)));
        let durability = self
            .reading
            .read("read settings of the server", &ask)
            .await?;
        Ok(durability.warnings())
    }
}

impl Inventory for MysqlInventory {
    async fn reserve(&self, batch: ReserveBatch) -> Result<Reservation, Error> {
        if batch.carts.is_empty() {
            return Ok(Reservation::default());
        }
        let action = format!("reserve {} carts", batch.carts.len());
        let reserved = self
            .reserving
            .transact(&action, &Reserve::new(batch))
            .await?;
        if reserved.is_overfull {
            self.fold(&self.reserving).await;
        }
        *self.folded.lock() = Some(Instant::now());
        let reservation = reserved.reservation;
        self.bodies
            .keep(reservation.outcomes.iter().filter_map(order));
        Ok(reservation)
    }

    async fn settle(&self, batch: Vec<Settle>) -> Result<Settlement, Error> {
        if batch.is_empty() {
            return Ok(Settlement::default());
        }
        let action = format!("settle {} orders", batch.len());
        let bodies = self.bodies.take(&batch);
        let settle = SettleAll::new(batch, bodies);
        self.settling.transact(&action, &settle).await
    }

    async fn stock(&self, skus: Vec<Sku>, with_holds: bool) -> Result<StockAnswer, Error> {
        self.reading
            .read("read stock", &Stock { skus, with_holds })
            .await
    }

    async fn orders(&self, ids: Vec<OrderId>) -> Result<Vec<Option<Order>>, Error> {
        let wanted: BTreeSet<OrderId> = ids.iter().copied().collect();
        let found = self
            .reading
            .read(
                "read orders",
                &Ask(wanted, |connection, wanted| {
                    Box::pin(read::orders(connection, wanted))
                }),
            )
            .await?;
        self.bodies.keep(found.iter());
        let found: HashMap<OrderId, Order> = found
            .into_iter()
            .map(|order| (order.order_id, order))
            .collect();
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    async fn expired(&self, after: Option<HoldEnd>, limit: usize) -> Result<Vec<Order>, Error> {
        if (self.folded.lock()).is_none_or(|folded| folded.elapsed() > FOLD_AFTER) {
            self.fold(&self.writing).await;
        }
        self.all_overdue(after, limit).await
    }

    async fn refunds_due(&self, after: Option<Owed>, limit: usize) -> Result<Vec<Refund>, Error> {
        let ask = Ask((after, limit), |connection, (after, limit)| {
            Box::pin(read::refunds_due(connection, *after, *limit))
        });
        self.reading.read("read due refunds", &ask).await
    }

    async fn refunded(&self, ids: Vec<OrderId>) -> Result<(), Error> {
        let action = format!("mark {} refunds", ids.len());
        let mut sorted = ids;
        sorted.sort_unstable();
        let ask = Ask(sorted, |connection, ids| {
            Box::pin(write::refunded(connection, ids))
        });
        self.writing.transact(&action, &ask).await
    }
}

impl MysqlInventory {
    /// Folds what was sold into the items, if there is anything. The next that locks them makes up for it if it fails.
    async fn fold(&self, lane: &Lane) {
        let fold = async {
            if lane.read("look for sales", &sales::any()).await? {
                lane.transact("fold sales", &FoldAll).await?;
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = fold.await {
            tracing::debug!(error = %error.chain(), "sales are not folded");
        }
    }
}

impl Batches for MysqlInventory {
    async fn overdue(&self, after: HoldEnd, limit: usize) -> Result<Overdue, Error> {
        let ask = Ask((after, limit), |connection, (after, limit)| {
            Box::pin(read::overdue(connection, *after, *limit))
        });
        self.reading.read("read overdue orders", &ask).await
    }

    async fn close(&self, holds: Vec<Timestamp>) -> Result<(), Error> {
        let close = Ask(holds, |connection, holds| {
            Box::pin(write::close_batches(connection, holds))
        });
        self.writing.transact("close batches", &close).await
    }
}

/// The order that a cart became.
fn order(outcome: &ReserveOutcome) -> Option<&Order> {
    match outcome {
        ReserveOutcome::Order(order) => Some(order),
        ReserveOutcome::IdConflict => None,
    }
}

/// The stock of items, in the order asked for.
struct Stock {
    skus: Vec<Sku>,
    with_holds: bool,
}

impl Job for Stock {
    type Done = StockAnswer;

    async fn run(&self, connection: &mut Conn) -> Result<StockAnswer, Fault> {
        let now = read::now(connection).await?;
        let wanted: BTreeSet<Sku> = self.skus.iter().cloned().collect();
        let mut levels: HashMap<Sku, StockLevel> = read::stock(connection, &wanted)
            .await?
            .into_iter()
            .map(|level| (level.sku.clone(), level))
            .collect();
        if self.with_holds {
            read::earliest_holds(connection, &mut levels).await?;
        }
        let levels = self.skus.iter().map(|sku| levels.get(sku).cloned());
        Ok(StockAnswer {
            levels: levels.collect(),
            now,
        })
    }
}

impl fmt::Debug for MysqlInventory {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MysqlInventory({})", self.url)
    }
}
