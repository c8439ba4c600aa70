//! The order service over HTTP: a client of our own, since a pooled general one costs more than the requests it sends.

mod client;
mod driver;
mod service;

pub use client::{Answer, Client, Error};
pub use driver::OverHttp;
pub use service::{StoreMismatch, catalogue, check_store, wait_until_ready};
