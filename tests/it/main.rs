//! Integration tests: one binary.
#![expect(
    clippy::unwrap_used,
    reason = "a test whose preparation fails cannot go on"
)]

mod cli;
