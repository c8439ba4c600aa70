//! One suite per port, run over every adapter.
//!
//! A suite is a list of cases: generic functions over what a fixture opens. The macro at the end of each suite makes
//! a test of every case for an adapter, so that no adapter can leave one out. A fixture that cannot be opened (a
//! server that is not there) is skipped, said so on stderr, and counted.

pub mod administration;
pub mod audit;
pub mod coverage;
pub mod damage;
pub mod dead_letters;
pub mod payments;
pub mod queue;
pub mod races;
pub mod reads;
pub mod reserve;
pub mod settle;
pub mod statuses;
pub mod store;

mod over_http;
mod over_kafka;
mod over_model;
mod over_mysql;
mod over_redis;
mod over_sqlite;

pub use over_mysql::{Database, until};

// The suites of one adapter alone, under names that the macro below finds.
pub use over_mysql::{
    audits as mysql_audits, commits as mysql_commits, limits as mysql_limits, locks as mysql_locks,
    sales as mysql_sales, schema as mysql_schema,
};

use std::any::Any;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::model::ManualClock;

/// One store, empty at first, seen by two processes.
pub struct Fixture<T> {
    /// The adapter under test.
    pub port: T,
    /// The same store, opened by another process.
    pub other: T,
    /// The clock that both go by, unless the store has one of its own.
    pub clock: ManualClock,
    /// Lets time pass for a store that goes by a clock of its own.
    passing: Option<Passing>,
    /// Changes the store past the adapter.
    tampering: Option<Tampering>,
    /// What lives as long as the store.
    _keep: Box<dyn Any + Send>,
}

/// Runs what [`damage::Tamper`] says.
type Tampering = Box<dyn Fn(damage::Tamper) -> BoxFuture<'static, ()>>;

/// Makes everything stored older by so much.
type Passing = Box<dyn Fn(Duration) -> BoxFuture<'static, ()>>;

impl<T> Fixture<T> {
    pub fn new(port: T, other: T, clock: ManualClock, keep: impl Any + Send) -> Self {
        Self {
            port,
            other,
            clock,
            passing: None,
            tampering: None,
            _keep: Box::new(keep),
        }
    }

    /// For a store that goes by a clock of its own, which no test can set: time passes by making what is stored older.
    #[must_use]
    pub fn passing_by(
        self,
        passing: impl Fn(Duration) -> BoxFuture<'static, ()> + 'static,
    ) -> Self {
        Self {
            passing: Some(Box::new(passing)),
            ..self
        }
    }

    /// For a store that somebody can change past the adapter.
    #[must_use]
    pub fn tampered_by(
        self,
        tampering: impl Fn(damage::Tamper) -> BoxFuture<'static, ()> + 'static,
    ) -> Self {
        Self {
            tampering: Some(Box::new(tampering)),
            ..self
        }
    }

    /// Changes the store past the adapter.
    pub async fn tamper(&self, what: damage::Tamper) {
        let tampering = self.tampering.as_ref();
        tampering.expect("nobody can tamper with this store")(what).await;
    }

    /// Lets time pass. What was read before may be older afterwards: read it again.
    pub async fn pass(&self, by: Duration) {
        self.clock.forward(by);
        if let Some(passing) = &self.passing {
            passing(by).await;
        }
    }
}

/// A fixture, or why there is none.
pub type Opened<T> = Result<Fixture<T>, String>;

/// Makes a test of every case of a suite over one adapter.
macro_rules! contract {
    ($suite:ident over $adapter:literal, #[$attribute:meta], $open:path; $($case:ident,)+) => {
        const CASES: usize = [$(stringify!($case)),+].len();
        $(
            #[$attribute]
            async fn $case() {
                match $open().await {
                    Ok(fixture) => {
                        $crate::contracts::$suite::$case(&fixture).await;
                        $crate::contracts::coverage::ran(stringify!($suite), $adapter, CASES);
                    }
                    Err(why) => {
                        let suite = stringify!($suite);
                        $crate::contracts::coverage::skipped(suite, $adapter, CASES, &why);
                    }
                }
            }
        )+
    };
}
pub(crate) use contract;
