//! The embedded engine under the SQLite adapters: one writer per process, group commit, safe across processes.
//!
//! All writes of a process to one file go through one thread. While a transaction commits, the next jobs gather; they
//! then share one transaction and one `fsync`, whichever port they come from. Each job runs in a savepoint of its own,
//! so that one that fails takes nobody along. Reads use connections of their own and never wait for the writer (WAL).

mod connect;
mod error;
mod job;
mod migrations;
mod space;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod turnstile;
mod watch;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;

pub use error::port_error;
pub use migrations::Scope;
pub use space::Room;
pub use watch::ChangeWatch;

use crate::ports::Error;
use error::{Refused, file_error, open_error};
use space::{FreeBytes, Space};
use turnstile::Turnstile;
use writer::Writer;

/// How long a write waits for its turn before it is given up: a stopped writer means errors elsewhere, not hanging
/// (rule 4).
pub const WRITE_WAIT_MAX: Duration = Duration::from_secs(5);

/// How many read connections are kept open.
const READERS_KEPT_MAX: usize = 8;

/// What marks a SQLite file as one of ours (`PRAGMA application_id`): "oms1".
const APPLICATION_ID: i32 = 0x6f6d_7331;

/// How to open a store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Options {
    /// The database file; its folder is made if missing.
    pub path: PathBuf,
    /// The most pages the file may have (`PRAGMA max_page_count`), to bound the disk it takes.
    pub max_page_count: Option<u32>,
}

/// A connection with the durability of a store's writer, for a file that is no store. The file is made if missing.
///
/// # Errors
/// When the file cannot be opened for writing.
pub(crate) fn scratch_connection(path: &Path) -> Result<Connection, Error> {
    let options = Options {
        path: path.to_owned(),
        max_page_count: None,
    };
    let connection = connect::writer(&options)?;
    connect::set_wal(&connection, path)?;
    Ok(connection)
}

/// One SQLite file: a writer and some readers.
pub struct Store {
    options: Options,
    free: FreeBytes,
    // Closed before the writer, which tidies up the log when it is the last to close.
    readers: Mutex<Vec<Connection>>,
    writer: Writer,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.options).finish()
    }
}

impl Store {
    /// Opens or creates the file and brings the schemas of these ports up to date.
    ///
    /// A file that needs no change is opened without waiting for anybody; else this waits for its turn to write, at
    /// most [`WRITE_WAIT_MAX`]. A file that is refused is left as it was.
    ///
    /// # Errors
    /// When the folder cannot be made, the file is not one of ours or cannot be written to, it was written by a newer
    /// version, or the turn does not come.
    pub fn open(options: Options, scopes: &[Scope]) -> Result<Self, Error> {
        Self::open_on(options, scopes, Arc::new(space::free_bytes))
    }

    /// The same on a disk that says so much is free.
    fn open_on(options: Options, scopes: &[Scope], free: FreeBytes) -> Result<Self, Error> {
        let path = &options.path;
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder).map_err(|source| file_error(path, source))?;
        }
        let mut connection = connect::writer(&options)?;
        let current = migrations::is_current(&mut connection, path, scopes)?
            && connect::is_wal(&connection).map_err(|source| open_error(path, source))?;
        // Whatever links lead to the file, the locks stand beside the file itself, as SQLite's own files do.
        let canonical = std::fs::canonicalize(path).map_err(|source| file_error(path, source))?;
        let turnstile = Turnstile::open(&canonical).map_err(|source| file_error(path, source))?;
        if !current {
            let pass = turnstile
                .pass_within(WRITE_WAIT_MAX)
                .map_err(|source| file_error(path, source))?
                .ok_or_else(|| Refused::Busy.of(path))?;
            connect::set_wal(&connection, path)?;
            migrations::migrate(&mut connection, path, scopes)?;
            drop(pass);
        }
        Ok(Self {
            writer: Writer::start(
                connection,
                turnstile,
                Space::new(canonical, Arc::clone(&free)),
            )?,
            readers: Mutex::default(),
            options,
            free,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.options.path
    }

    /// How much space its disk has, and how much it needs; none if the disk does not tell.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn room(&self) -> Result<Option<Room>, Error> {
        self.read_once("look for space on the disk", |connection| {
            Room::of(&self.options.path, connection, &self.free)
        })
    }

    /// What keeps it from being written to, as far as its disk tells.
    pub fn obstacle(&self) -> Option<Error> {
        match self.room() {
            Ok(room) => room
                .filter(Room::is_short)
                .map(|room| room.error(&self.options.path)),
            Err(error) => Some(error),
        }
    }

    /// Runs a job in the next transaction and returns once that is committed and synced.
    ///
    /// The job runs at most once, on the writer's thread; it must not begin or end transactions itself, and must
    /// return any error of a statement rather than go on. A job whose caller has gone before it began is not run.
    /// One that panics is undone, and is a permanent error.
    ///
    /// # Errors
    /// The job's own error (its changes are undone), or what kept the transaction from being committed. Unavailable
    /// if its turn has not come within [`WRITE_WAIT_MAX`]: it will not run later, then.
    pub async fn write<T, F>(&self, action: impl Into<String>, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        self.writer.submit(action.into(), job).await
    }

    /// Runs a short read on the calling thread, on a snapshot of its own.
    ///
    /// # Errors
    /// What kept it from being read.
    pub fn read<T>(
        &self,
        action: &str,
        job: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, Error> {
        self.read_once(action, |reader| {
            // One snapshot for all statements of the job.
            let result = reader
                .prepare_cached("BEGIN DEFERRED")
                .and_then(|mut begin| begin.execute([]))
                .and_then(|_| job(reader));
            // One that fails leaves a connection that is not kept.
            let _ = reader
                .prepare_cached("ROLLBACK")
                .and_then(|mut rollback| rollback.execute([]));
            result
        })
    }

    /// The same for a single statement, which is a snapshot by itself.
    ///
    /// # Errors
    /// What kept it from being read.
    pub fn read_once<T>(
        &self,
        action: &str,
        job: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, Error> {
        let kept = self.readers.lock().pop();
        let reader = match kept {
            Some(reader) => reader,
            None => connect::reader(&self.options).map_err(|source| port_error(action, source))?,
        };
        let result = job(&reader);
        if reader.is_autocommit() {
            let mut readers = self.readers.lock();
            if readers.len() < READERS_KEPT_MAX {
                readers.push(reader);
            }
        }
        result.map_err(|source| port_error(action, source))
    }

    /// Runs a long read, such as an audit, on a thread where it disturbs nobody.
    ///
    /// # Errors
    /// What kept it from being read.
    pub async fn read_long<T, F>(self: &Arc<Self>, action: &'static str, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let store = Arc::clone(self);
        match tokio::task::spawn_blocking(move || store.read(action, job)).await {
            Ok(result) => result,
            Err(source) => Err(Error::unavailable(action).because(source)),
        }
    }
}
