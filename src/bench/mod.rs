//! `oms bench`: reservation strategies side by side, on the same seeded orders.
//!
//! | file | does |
//! |---|---|
//! | `strategy` | the names, what each needs, and the trait that all but `reserve` implement |
//! | `per_order`, `conditional_update`, `skip_locked`, `redis_lua`, `batched`, `reserve` | one strategy each |
//! | `mysql`, `sqlite` | a strategy that is a transaction: its connections, tables, retries |
//! | `scratch` | the database, folder and keys that exist for one measurement |
//! | `workload` | the orders |
//! | `load` | the closed loop of callers, and what it records |
//! | `balance` | units oversold and undersold, from committed orders |
//! | `plan`, `run` | what is measured, and measuring it |
//! | `result` | a row of results, the chart |
//!
//! Every strategy does the same work: an order of one line is reserved or refused, and a reserved order leaves a durable
//! row. The tables of the configured store are never touched.

mod balance;
mod batched;
mod conditional_update;
mod load;
mod mysql;
mod per_order;
mod plan;
mod redis_lua;
mod reserve;
mod result;
mod run;
mod scratch;
mod skip_locked;
mod sqlite;
mod strategy;
mod workload;

pub use plan::{Amount, Plan, PlanError, UNIT_ROWS_MAX};
pub use result::{BenchResult, chart};
pub use run::Bench;
pub use strategy::{Strategy, Unsupported};
