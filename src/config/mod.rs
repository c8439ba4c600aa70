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
mod sources;
mod sqlite_url;
mod url;
mod url_text;

pub use count::{CountError, parse_count};
pub use error::{Error, ValueError};
pub(crate) use file::line_at;
pub use load::{Config, DRAIN_DELAY, Entry, Flags, System};
pub use redact::{redact, redact_line};
pub use sourced::{Origin, Sourced};
pub use sqlite_url::SqliteUrl;
pub use url::{InventoryUrl, PaymentUrl, Port, QueueUrl, SimulatedUrl, StatusUrl, UrlError};
pub use url_text::UrlText;
