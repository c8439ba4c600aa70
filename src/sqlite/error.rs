//! What a SQLite error means to a port.

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
            | ErrorCode::PermissionDenied,
        ) => Error::unavailable(action),
        _ => Error::permanent(action),
    };
    error.because(source)
}
