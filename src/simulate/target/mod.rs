//! The order service over HTTP.

mod client;
mod driver;
mod service;

pub use client::connect;
pub use driver::OverHttp;
pub use service::{StoreMismatch, catalogue, check_store, wait_until_ready};
