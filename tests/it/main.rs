//! Integration tests: one binary.
//!
//! - `make`: short words for ids, carts and items.
//! - `model`: the ports in memory, in simulated time.
//! - `faults`: decorators that make any port fail, hang or lie.
//! - `audits`: what an audit of all stores finds and covers, over the models.
//! - `contracts`: one suite per port, run over every adapter.
//! - `guarantees`: what the README promises has a test.
//! - `flow`: the flow over the models, rule by rule and fault by fault.
//! - `remote`: the HTTP adapters against servers of the test suite.
//! - `cli`, `http`: the program from outside.
//! - `place`, `process`: where the program is started, and the processes it is; killed at the end of their test.
//! - `processes`: many of them at once on the embedded stores: crashes, stops, bad input, and storms that say no.
#![expect(
    clippy::unwrap_used,
    reason = "a test whose preparation fails cannot go on"
)]

mod audits;
mod cli;
mod contracts;
mod faults;
mod flow;
mod guarantees;
mod http;
mod make;
mod model;
mod place;
mod process;
mod processes;
mod remote;
