//! oms takes orders in a rush and never sells what is not there.
//!
//! # The map, in reading order
//!
//! | module | is |
//! |---|---|
//! | [`domain`] | what an order is: ids, carts, money, the state machine; pure |
//! | [`ports`] | the clock, the error, and the bundle of backends that everything is generic over |
//! | [`inventory`] | the port that holds the truth: stock and decided orders; [`inventory::decide`] is the core |
//! | [`queue`] | the port that holds accepted carts until they are decided |
//! | [`statuses`] | the port that projects where orders stand, there for speed |
//! | [`payments`] | the port to the gateway, which knows what was paid |
//! | [`flow`] | the ten steps over these ports, each beside its undo |
//! | [`worker`] | polls, decides in batches, commits, sweeps what is overdue |
//! | [`http`] | the API |
//! | [`simulate`] | the storm: arrivals, buyers and how they differ, drivers, measurements, fairness |
//! | [`bench`] | reservation strategies side by side, on databases of their own |
//! | [`audit`] | every invariant, from committed state and from what clients were told |
//! | [`report`] | what a run is told as: thresholds, comparisons, files, the summary |
//! | [`terminal`] | the two streams: data, tables, talk, progress |
//! | [`catalogue`] | items and real orders from files |
//! | [`config`], [`wiring`] | from flags to backends; `wiring` alone names them |
//! | [`cli`] | one file per command |
//! | [`sqlite`] | the engine under the embedded adapters: one writer, group commit |
//! | [`http_client`] | HTTP as a client: under the adapters of gateway and inventory service, and the storm |
//! | `json` | JSON that others send, read strictly, with errors in plain words and a pointer to the fault |
//! | `batch_limit` | how many items the next batch takes: fewer after a failure, more after a success |
//! | `group` | group commit: while one batch is under way, the next gathers |
//! | `supervise` | background work that outlives its bugs |
//! | `findings` | rows that contradict each other or cannot be read: logged, in bounded numbers |
//! | `recent` | a map that keeps the latest values, in bounded memory |
//! | [`rng`], [`clock`] | where randomness and time come from |
//!
//! # How data flows
//!
//! ```text
//!  addToCart ──► stock cache ──► Queue ──► worker ──► Inventory.reserve   (a batch, one transaction)
//!                    ▲             │INIT      │BLOCK/FAILED
//!                    │             ▼          ▼
//!                    │          Statuses ◄────┘
//!                    │             │ wait
//!                    │             ▼
//!  placeOrder ───────┼──► charge (Payments) ──► Inventory.settle          (a batch, one transaction)
//!                    └────────────────────────────────┘ new stock
//! ```
//!
//! # What always holds
//!
//! - The database holds the truth: a client is told PLACED or FAILED after it is committed there, and both are final.
//! - Stock moves only with an order that is still BLOCK, in the transaction that changes the order.
//! - Nothing blocked is released before the gateway has fenced the order's key.
//! - `domain` and [`inventory::decide`] do no I/O. `flow` names no backend and reads neither the system's clock nor its
//!   randomness. Adapters know their port and the domain only. Nothing but `wiring` opens one;
//!   `config` reads their URLs.
//! - No lock of the database is held across an await, and every wait, retry and queue has a named bound.

pub mod audit;
mod batch_limit;
pub mod bench;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
mod findings;
pub mod flow;
mod group;
pub mod http;
pub mod http_client;
pub mod inventory;
mod json;
pub mod payments;
pub mod ports;
pub mod queue;
mod recent;
pub mod report;
pub mod rng;
pub mod simulate;
pub mod sqlite;
pub mod statuses;
mod supervise;
pub mod terminal;
pub mod wiring;
pub mod worker;
