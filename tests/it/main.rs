//! Integration tests: one binary.
//!
//! - `make`: short words for ids, carts and items.
//! - `model`: the ports in memory, in simulated time.
//! - `contracts`: one suite per port, run over every adapter.
#![expect(
    clippy::unwrap_used,
    reason = "a test whose preparation fails cannot go on"
)]

mod contracts;
mod make;
mod model;
