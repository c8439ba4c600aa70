//! The ten steps: what happens to an order, whatever the backends. Each step stands beside its undo.
//!
//! | file | steps |
//! |---|---|
//! | `add_to_cart` | 1 to 3: check the stock cache, publish, INIT |
//! | `reserve` | the worker's half of 5: decide a batch, set the unreadable aside |
//! | `place_order` | 4 to 6: wait for the decision, or give up |
//! | `payment` | 7 and 8: one charge, its outcome found out |
//! | `settle` | 9 and 10: confirm, or give the items back |
//! | `cancel`, `expire` | the undo by the buyer, and by time |
//! | `recover` | after a failover: log, status store and gateway against the database |
//! | `refunds` | executes refunds that are owed |
//! | `decided` | what this process's worker has just decided, for its placeOrders |
//! | `damaged` | orders whose stored rows contradict each other |
//! | `hold_times` | how long units are usually held, for those who are refused |
//! | `unacknowledged` | carts that may be in the queue although nobody has acknowledged them |
//! | `stuck` | what this process's worker cannot decide |
//! | `find` | what can be told of an order |
//!
//! `flow` knows four ports and a clock, and never names a backend. It never reads the system's clock or randomness.

mod add_to_cart;
mod api;
mod cancel;
mod damaged;
mod decided;
mod expire;
mod find;
mod hold_times;
mod message;
mod metrics;
mod payment;
mod place_order;
mod recover;
mod refunds;
mod reserve;
mod service;
mod settle;
mod stock_cache;
mod stock_reads;
mod stuck;
mod unacknowledged;

pub use api::{
    AddToCart, Added, CancelOutcome, Expected, Failure, Found, OrderStory, OrderView, Placement,
    Refusal, Settings,
};
pub use expire::Swept;
pub use metrics::Metrics;
pub use recover::{
    RecoverAction, RecoverEvent, RecoverOptions, RecoverSource, RecoverTotals, Recoverable,
    RecoveredOrder,
};
pub use reserve::{Processed, UNRECORDED_LOG};
pub use service::Flow;
pub use stuck::Stuck;
