//! What a SQLite error means to a port.

use std::error::Error as StdError;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::ports::Error;

/// Classifies a SQLite error: what may pass is transient, what is wrong with the request or the file is not.
pub fn port_error(action: impl Into<String>, source: rusqlite::Error) -> Error {
    let error = match source.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::PermissionDenied
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted,
        ) => Error::unavailable(action),
        _ => Error::permanent(action),
    };
    error.because(source)
}

/// Whether a full disk is behind an error.
pub(super) fn is_disk_full(error: &Error) -> bool {
    let mut cause = StdError::source(error);
    while let Some(source) = cause {
        let code = source
            .downcast_ref::<rusqlite::Error>()
            .and_then(rusqlite::Error::sqlite_error_code);
        if code == Some(ErrorCode::DiskFull) {
            return true;
        }
        cause = source.source();
    }
    false
}

/// Why a file cannot be a store.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("the file is no SQLite database; choose another path")]
    NotADatabase,
    #[error("the file is a SQLite database of another program; choose another path")]
    Foreign,
    #[error(
        "its {scope} schema has version {found}, and this program knows up to {known}; use a newer oms"
    )]
    Newer {
        scope: &'static str,
        found: u32,
        known: u32,
    },
    #[error("the file, or the folder it is in, cannot be written to")]
    ReadOnly,
    #[error("its file system does not support write-ahead logging (WAL); choose a local disk")]
    NoWal,
    #[error(
        "another process has held the write lock for over {} s; is one stopped?",
        super::WRITE_WAIT_MAX.as_secs()
    )]
    Busy,
}

impl Refused {
    pub(super) fn of(self, path: &Path) -> Error {
        let action = opening(path);
        match self {
            Self::Busy | Self::ReadOnly => Error::unavailable(action),
            _ => Error::permanent(action),
        }
        .because(self)
    }
}

fn opening(path: &Path) -> String {
    format!("open {}", path.display())
}

/// What it means that a file cannot be opened: what everybody meets some day is said in words.
pub(super) fn open_error(path: &Path, source: rusqlite::Error) -> Error {
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Refused::NotADatabase.of(path),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Refused::ReadOnly.of(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Refused::Busy.of(path),
        _ => port_error(opening(path), source),
    }
}

/// The same for an error of the file system.
pub(super) fn file_error(path: &Path, source: std::io::Error) -> Error {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match source.kind() {
        PermissionDenied | ReadOnlyFilesystem => Refused::ReadOnly.of(path),
        _ => Error::unavailable(opening(path)).because(source),
    }
}
