//! Every fault of the table that needs no real server, each followed by a check of all invariants.

mod clocks;
mod crashes;
mod damage;
mod database;
mod log;
mod money;
mod statuses;
