//! HTTP/1.1 as a client: kept connections, a deadline for every request, and an answer to the one question that
//! matters when there is none: whether the request can have been carried out.
//!
//! A client of our own, since a pooled general one costs more than the requests it sends. Whoever speaks a protocol
//! over it (the payment gateway, the inventory service, the storm) decides what statuses and bodies mean.

mod client;
mod error;
mod tls;
mod url;

pub use self::url::{HttpUrl, UrlError};
pub use client::{Answer, Ask, Client, Limits};
pub use error::{Error, OpenError};
