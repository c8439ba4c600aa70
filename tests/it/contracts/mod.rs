//! One suite per port, run over every adapter.
//!
//! A suite is a list of cases: generic functions over what a fixture opens. The macro at the end of each suite makes
//! a test of every case for an adapter, so that no adapter can leave one out. A fixture that cannot be opened (a
//! server that is not there) is skipped, said so on stderr, and counted.

pub mod administration;
pub mod audit;
pub mod coverage;
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
mod over_model;
mod over_sqlite;

use std::any::Any;

use crate::model::ManualClock;

/// One store, empty at first, seen by two processes.
pub struct Fixture<T> {
    /// The adapter under test.
    pub port: T,
    /// The same store, opened by another process.
    pub other: T,
    /// The clock that both go by.
    pub clock: ManualClock,
    /// What lives as long as the store.
    _keep: Box<dyn Any + Send>,
}

impl<T> Fixture<T> {
    pub fn new(port: T, other: T, clock: ManualClock, keep: impl Any + Send) -> Self {
        Self {
            port,
            other,
            clock,
            _keep: Box::new(keep),
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
