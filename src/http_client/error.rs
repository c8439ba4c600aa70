//! Why a client cannot be had, and why an answer cannot.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A cause of any kind.
type Cause = Box<dyn StdError + Send + Sync>;

/// Why there is no client. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file that the URL names cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: Cause,
    },
    /// A file of certificates has none.
    #[error("{} holds no certificate: PEM is needed", .0.display())]
    NoCertificate(PathBuf),
    /// A token that no header can carry.
    #[error("{} holds no token: one line of printable characters is needed", .0.display())]
    NoToken(PathBuf),
    /// User and password that no header can carry, a host that no certificate can name.
    #[error("cannot use the URL")]
    Url(#[source] Cause),
    /// TLS cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] Cause),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection. Nothing was sent.
    #[error("cannot connect to {host}")]
    Connect {
        /// Where to.
        host: String,
        /// Why not.
        source: io::Error,
    },
    /// No connection was free or ready in time. Nothing was sent.
    #[error("no connection within {limit:?}")]
    NoConnection {
        /// How long was waited.
        limit: Duration,
    },
    /// The connection failed before anything was sent.
    #[error("the connection failed before the request was sent")]
    Unsent(#[source] Cause),
    /// The connection failed after the request was sent, before the answer was complete.
    #[error("the connection failed before the answer was complete")]
    Lost(#[source] Cause),
    /// Sent, and not answered in time.
    #[error("no answer within {limit:?}")]
    TimedOut {
        /// How long was waited.
        limit: Duration,
    },
    /// The answer is larger than any can be.
    #[error("the answer has more than {bytes_max} bytes")]
    TooLarge {
        /// The most that is read.
        bytes_max: usize,
    },
}

impl Error {
    /// Whether the request can have been carried out.
    pub const fn may_be_done(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::NoConnection { .. } | Self::Unsent(_) => false,
            Self::Lost(_) | Self::TimedOut { .. } | Self::TooLarge { .. } => true,
        }
    }
}
