//! The HTTP adapters against servers of the test suite: what the contracts cannot say, since it is about the wire.

pub mod gateway;
pub mod server;
pub mod service;

mod audit;
mod inventory;
mod mysql_tls;
mod payments;
mod tls;
mod token;
mod whole;
