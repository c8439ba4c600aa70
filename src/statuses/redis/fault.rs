//! What an error of the client means.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::ports::Error;

/// Whether the server answered that it did not do what it was asked. Everything else may have been done.
pub(super) fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// Whether another connection could do better: this one is broken or does not answer, or it leads to a server that
/// has become a replica.
pub(super) fn wants_reconnect(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}

/// A failed first contact, as whoever starts the program is told.
pub(super) fn first_contact(hosts: &str, error: RedisError) -> Error {
    let action = format!("reach Redis at {hosts}");
    if error.kind() == ErrorKind::Server(ServerErrorKind::CrossSlot) {
        let advice = format!("{action}: it is a node of a cluster, write redis-cluster://");
        return Error::permanent(advice);
    }
    if error.to_string().contains("cluster support disabled") {
        let advice = format!("{action}: it is no cluster, write redis://");
        return Error::permanent(advice);
    }
    if is_misconfigured(&error) {
        Error::permanent(action).because(error)
    } else {
        Error::unavailable(action).because(error)
    }
}

/// Whether only another URL or another configuration of the server can help.
fn is_misconfigured(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::AuthenticationFailed
        | ErrorKind::InvalidClientConfig
        | ErrorKind::RESP3NotSupported
        | ErrorKind::Parse
        | ErrorKind::Server(ServerErrorKind::NoPerm) => true,
        ErrorKind::Extension => matches!(error.code(), Some("WRONGPASS" | "NOAUTH")),
        // A certificate that is not trusted.
        ErrorKind::Io => error
            .source()
            .and_then(|shared| shared.downcast_ref::<Arc<dyn StdError + Send + Sync>>())
            .and_then(|source| source.downcast_ref::<io::Error>())
            .is_some_and(|source| source.kind() == io::ErrorKind::InvalidData),
        _ => false,
    }
}
