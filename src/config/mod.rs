//! What the program is told, validated once into one [`Config`] before anything is opened.
//!
//! Flags come before the environment, the environment before `oms.toml`, and that before the defaults. Each value
//! remembers where it came from.

mod count;
mod error;
mod file;
mod load;
mod redact;
mod sourced;
mod url;

pub use count::{CountError, parse_count};
pub use error::{Error, ValueError};
pub(crate) use file::line_at;
pub use load::{Config, Entry, Flags, System};
pub use redact::redact;
pub use sourced::{Origin, Sourced};
pub use url::{
    InventoryUrl, PaymentUrl, Port, QueueUrl, SimulatedUrl, SqliteUrl, StatusUrl, UrlError,
};
