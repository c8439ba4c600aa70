//! What can be wrong with what the program is told.

use std::io;
use std::path::PathBuf;

use super::{CountError, Origin, UrlError};
use crate::domain::DurationError;
use crate::http::RateLimitsError;

/// The program was told something it cannot use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file, or the file that holds a URL, cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The configuration file is no TOML, or has keys or types nobody knows.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// A value makes no sense.
    #[error("{name} from {origin}")]
    Value {
        /// The setting.
        name: &'static str,
        /// Where its value came from.
        origin: Origin,
        /// What is wrong with it.
        #[source]
        source: ValueError,
    },
    /// A URL and a file that holds it are both given.
    #[error("{variable} and {variable}_FILE are both set; unset one of them")]
    Twice {
        /// The variable that holds the URL.
        variable: &'static str,
    },
}

/// A value that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// No duration.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// No count.
    #[error(transparent)]
    Count(#[from] CountError),
    /// No URL of a backend.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Too small or too large.
    #[error("{value} is out of range; {least} to {most} are allowed")]
    OutOfRange {
        /// What was asked for.
        value: String,
        /// The least that is allowed.
        least: String,
        /// The most that is allowed.
        most: String,
    },
    /// Not an address to listen on.
    #[error("`{0}` is not an address to listen on; write one such as 127.0.0.1:8080")]
    Listen(String),
    /// No rate limit.
    #[error(transparent)]
    Rates(#[from] RateLimitsError),
    /// Nothing at all.
    #[error("it is empty")]
    Empty,
    /// Bytes that are no text.
    #[error("it is not valid UTF-8")]
    NotText,
}
