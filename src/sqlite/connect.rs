//! Connections, with the settings that durability and concurrency rest on.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};

use super::error::{Refused, open_error};
use super::{Options, WRITE_WAIT_MAX};
use crate::ports::Error;

/// How many prepared statements a connection keeps.
const STATEMENTS_KEPT_MAX: usize = 256;

/// Opens or creates the file for writing. Changes nothing in a file that exists. How long its log may become is up to
/// [`super::space`].
pub(super) fn writer(options: &Options) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = open(&options.path, flags).and_then(|connection| {
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        if let Some(pages) = options.max_page_count {
            connection.pragma_update(None, "max_page_count", pages)?;
        }
        // SQLite falls back to reading only, without a word.
        let read_only = connection.is_readonly(MAIN_DB)?;
        Ok((connection, read_only))
    });
    match connection {
        Ok((connection, false)) => Ok(connection),
        Ok((_, true)) => Err(Refused::ReadOnly.of(&options.path)),
        Err(source) => Err(open_error(&options.path, source)),
    }
}

/// Opens a file that has a writer, for reading. (The shared index of the log must be writable even so.)
pub(super) fn reader(options: &Options) -> Result<Connection, rusqlite::Error> {
    let connection = open(&options.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(WRITE_WAIT_MAX)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT_MAX);
    // A plan does not depend on the values bound to it: else some statements are planned again at every execution.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Whether the file is in write-ahead mode already.
pub(super) fn is_wal(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    Ok(mode.eq_ignore_ascii_case("wal"))
}

/// Switches the file to write-ahead mode, for good. To be called by one process at a time.
pub(super) fn set_wal(connection: &Connection, path: &Path) -> Result<(), Error> {
    // Another process that takes a look at the file is in the way, and the busy handler is not asked here.
    let deadline = Instant::now() + WRITE_WAIT_MAX;
    loop {
        let set = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match set {
            Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
            Ok(_) => return Err(Refused::NoWal.of(path)),
            Err(source) => match source.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
                    if Instant::now() < deadline =>
                {
                    std::thread::sleep(Duration::from_millis(1));
                }
                _ => return Err(open_error(path, source)),
            },
        }
    }
}
