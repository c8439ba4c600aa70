//! Room on the disk: for a transaction, and for the checkpoint that must be able to follow it.
//!
//! What is committed lies in the write-ahead log until a checkpoint copies it into the database, which lengthens the
//! database before the log can shrink. A log that has taken the last free bytes can therefore not be written back: the
//! store would refuse writes until someone frees that much, and the next commits would take what was freed. So the log
//! gets a share of the free space only; where space is short, it is written back before each transaction; and the last
//! [`FREE_MIN`] are never taken.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::WRITE_WAIT_MAX;
use crate::ports::Error;

/// The most bytes of log that are kept before a commit writes them back. What is written often is written back once, and
/// a log of that size is read in well under a second after a crash.
const LOG_MAX: u64 = 64 << 20;

/// The same where space is short: no less than this, or the store would do nothing but checkpoints.
const LOG_MIN: u64 = 1 << 20;

/// The log's share of the free space: one part in so many.
const LOG_SHARE: u64 = 4;

/// From this on there is room for everything, and nothing is looked at more closely.
const PLENTY: u64 = LOG_MAX * LOG_SHARE;

/// Room for the log of one large transaction. With less, the log is empty before a transaction begins, so that what a
/// transaction has taken in vain can be given back.
const TRANSACTION_MAX: u64 = 32 << 20;

/// Free space that is never taken: with less, writes are refused.
pub(super) const FREE_MIN: u64 = 8 << 20;

/// How long a checkpoint waits for readers. They only keep it from shortening the log.
const READERS_WAIT: Duration = Duration::from_millis(50);

/// The pause after a checkpoint that failed, before another one is tried.
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(250);

/// Tells how many bytes are free on the disk of a file.
pub(super) type FreeBytes = Arc<dyn Fn(&Path) -> io::Result<u64> + Send + Sync>;

/// The space a store has, and what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Free bytes on its disk.
    pub free: u64,
    /// With less than this, writes are refused: what the next checkpoint adds to the database, and a reserve.
    pub required: u64,
}

impl Room {
    /// Whether writes are refused.
    pub const fn is_short(&self) -> bool {
        self.free < self.required
    }

    /// Whether the log is kept shorter than usual, which costs speed.
    pub const fn is_scarce(&self) -> bool {
        self.free < PLENTY
    }

    /// The room of a database, as a connection to it sees it; none if the disk does not tell.
    pub(super) fn of(
        database: &Path,
        connection: &Connection,
        free: &FreeBytes,
    ) -> Result<Option<Self>, rusqlite::Error> {
        let Ok(free) = free(database) else {
            return Ok(None);
        };
        let number = |name: &str| -> Result<u64, rusqlite::Error> {
            let value: i64 = connection.pragma_query_value(None, name, |row| row.get(0))?;
            Ok(u64::try_from(value).unwrap_or(0))
        };
        let grown = number("page_count")? * number("page_size")?;
        let present = fs::metadata(database).map_or(0, |file| file.len());
        Ok(Some(Self {
            free,
            required: grown.saturating_sub(present) + FREE_MIN,
        }))
    }

    /// The error of a write that is refused.
    pub(super) fn error(self, database: &Path) -> Error {
        Error::unavailable("write to the store").because(Short {
            database: database.to_owned(),
            room: self,
        })
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        // Rounded so that what is short never looks like enough.
        let (free, required) = (self.free >> 20, mib(self.required));
        write!(f, "{free} MiB free, {required} MiB required")
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no space left on the disk of {}: {room}; free some space, and writes go on by themselves", database.display())]
struct Short {
    database: PathBuf,
    room: Room,
}

/// Free bytes on the disk of a file, for programs without privileges.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// What the writer knows of its disk. Used by whoever has the write lock.
pub(super) struct Space {
    database: PathBuf,
    log: PathBuf,
    free: FreeBytes,
    /// How long the log may become; 0 before it was first set.
    log_max: u64,
    /// A write has met a full disk, whatever the disk says.
    met_full: bool,
    /// When a checkpoint last failed.
    failed: Option<Instant>,
    refuses: bool,
}

impl Space {
    /// Of a database, by its one name.
    pub(super) fn new(database: PathBuf, free: FreeBytes) -> Self {
        let mut log = database.clone().into_os_string();
        log.push("-wal");
        Self {
            database,
            log: log.into(),
            free,
            log_max: 0,
            met_full: false,
            failed: None,
            refuses: false,
        }
    }

    /// A write has met a full disk: the log is written back before the next one.
    pub(super) fn meets_full_disk(&mut self) {
        self.met_full = true;
    }

    /// Makes room for a transaction, where there is little of it.
    ///
    /// # Errors
    /// When there is too little: nothing may be written.
    pub(super) fn make_room(&mut self, connection: &Connection) -> Result<(), Error> {
        match self.look(connection) {
            Ok(Some(room)) if room.is_short() => {
                if !self.refuses {
                    self.refuses = true;
                    tracing::error!(database = %self.database.display(), "no space left: {room}; writes are refused");
                }
                Err(room.error(&self.database))
            }
            Ok(_) => {
                if self.refuses {
                    self.refuses = false;
                    tracing::warn!(database = %self.database.display(), "space is back: writes go on");
                }
                Ok(())
            }
            Err(source) => Err(super::port_error("look for space on the disk", source)),
        }
    }

    fn look(&mut self, connection: &Connection) -> Result<Option<Room>, rusqlite::Error> {
        let plenty = (self.free)(&self.database).map_or(true, |free| free >= PLENTY);
        if plenty && !self.met_full {
            self.bound_log(connection, LOG_MAX)?;
            return Ok(None);
        }
        let Some(room) = Room::of(&self.database, connection, &self.free)? else {
            // Nothing is known of the disk, but that it was full.
            self.write_back(connection);
            return Ok(None);
        };
        self.bound_log(connection, (room.free / LOG_SHARE).clamp(LOG_MIN, LOG_MAX))?;
        let log = fs::metadata(&self.log).map_or(0, |file| file.len());
        let could_wedge = log > 0 && room.free < room.required + TRANSACTION_MAX;
        if !(self.met_full || could_wedge) {
            return Ok(Some(room));
        }
        self.write_back(connection);
        Room::of(&self.database, connection, &self.free)
    }

    /// Writes the log back and empties it, unless that has failed just now.
    fn write_back(&mut self, connection: &Connection) {
        let fails = |failed: Instant| failed.elapsed() < CHECKPOINT_PAUSE;
        if self.failed.is_some_and(fails) {
            return;
        }
        match checkpoint(connection) {
            Ok(()) => {
                self.met_full = false;
                self.failed = None;
            }
            Err(error) => {
                tracing::debug!(%error, database = %self.database.display(), "the log cannot be written back");
                self.failed = Some(Instant::now());
            }
        }
    }

    /// Sets how long the log may become, unless that would change little.
    fn bound_log(&mut self, connection: &Connection, bytes: u64) -> Result<(), rusqlite::Error> {
        if self.log_max.abs_diff(bytes) <= self.log_max / 8 {
            return Ok(());
        }
        bound_log(connection, bytes)?;
        self.log_max = bytes;
        Ok(())
    }
}

fn bound_log(connection: &Connection, bytes: u64) -> Result<(), rusqlite::Error> {
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    connection.pragma_update(None, "wal_autocheckpoint", (bytes / page.max(1)).max(1))?;
    connection.pragma_update(None, "journal_size_limit", bytes)
}

/// Writes the log back and empties it, as far as readers let it.
fn checkpoint(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(READERS_WAIT)?;
    let done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    connection.busy_timeout(WRITE_WAIT_MAX)?;
    done
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::ports::ErrorKind;
    use crate::sqlite::testing::TestFile;
    use crate::sqlite::{Scope, Store};

    /// A disk of a size, with the store's files on it and what others have put there.
    #[derive(Clone)]
    struct Disk {
        bytes: u64,
        others: Arc<AtomicU64>,
    }

    impl Disk {
        fn of(bytes: u64) -> Self {
            Self {
                bytes,
                others: Arc::default(),
            }
        }

        fn free(&self, database: &Path) -> u64 {
            let taken = self.others.load(Ordering::SeqCst) + used(database);
            self.bytes.saturating_sub(taken)
        }

        fn open(&self, file: &TestFile) -> Arc<Store> {
            let disk = self.clone();
            file.open_on(Arc::new(move |path: &Path| Ok(disk.free(path))))
        }
    }

    /// What the store's files take.
    fn used(database: &Path) -> u64 {
        let folder = database.parent().unwrap();
        let files = fs::read_dir(folder).unwrap();
        // Between listing and looking a file may go.
        let sizes = files.map(|file| file.unwrap().metadata().map_or(0, |file| file.len()));
        sizes.sum()
    }

    async fn append(store: &Store, bytes: usize) -> Result<(), Error> {
        let row = vec![7_u8; bytes];
        store
            .write("append", move |connection| {
                connection.execute(
                    "INSERT INTO queue_messages SELECT ifnull(max(message_offset) + 1, 0), 0, x'00', ?1 FROM queue_messages",
                    [&row],
                )
            })
            .await
            .map(drop)
    }

    fn rows(store: &Store) -> u64 {
        store
            .read("count", |connection| {
                connection.query_row("SELECT count(*) FROM queue_messages", [], |row| {
                    row.get::<_, i64>(0)
                })
            })
            .unwrap()
            .unsigned_abs()
    }

    const MIB: u64 = 1 << 20;

    /// Appends until it is refused; how many times it was not.
    async fn fill(store: &Store) -> (u64, Error) {
        for count in 0.. {
            if let Err(error) = append(store, 64 << 10).await {
                return (count, error);
            }
        }
        unreachable!("a disk has an end")
    }

    #[tokio::test]
    async fn a_small_disk_is_filled_with_data_and_never_to_the_last_byte() {
        let file = TestFile::new(Scope::Queue);
        let disk = Disk::of(60 * MIB);
        let store = disk.open(&file);
        let path = store.path().to_owned();
        let (appended, error) = fill(&store).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.chain().contains("no space left"), "{}", error.chain());
        // Most of the disk holds data, not log.
        assert!(appended * 64 * 1024 > 40 * MIB, "{appended} rows");
        assert!(disk.free(&path) > 0, "there is room for a checkpoint");
        assert_eq!(rows(&store), appended, "what was acknowledged is there");
        // Others go on to fill the disk: still nothing is lost, and still nothing is written.
        disk.others.store(60 * MIB, Ordering::SeqCst);
        append(&store, 1).await.unwrap_err();
        drop(store);
        let store = disk.open(&file);
        assert_eq!(rows(&store), appended);
        append(&store, 1).await.unwrap_err();
        assert_eq!(rows(&store), appended);
    }

    #[tokio::test]
    async fn space_that_comes_back_is_used_without_a_restart_and_after_one() {
        for restarts in [false, true] {
            let file = TestFile::new(Scope::Queue);
            let disk = Disk::of(400 * MIB);
            let mut store = disk.open(&file);
            let path = store.path().to_owned();
            // A long log, since there was plenty; then others take all that is left.
            let mut appended = 0;
            while used(&path) < 30 * MIB {
                append(&store, 64 << 10).await.unwrap();
                appended += 1;
            }
            let left = disk.free(&path);
            disk.others.store(left, Ordering::SeqCst);
            append(&store, 1).await.unwrap_err();
            let full = used(&path);
            if restarts {
                drop(store);
                store = disk.open(&file);
            }
            append(&store, 1).await.unwrap_err();
            // What others free is not taken by the log.
            disk.others.store(left - FREE_MIN / 2, Ordering::SeqCst);
            append(&store, 1).await.unwrap_err();
            assert!(used(&path) <= full, "{} > {full}", used(&path));
            disk.others.store(left - 3 * FREE_MIN, Ordering::SeqCst);
            append(&store, 1).await.unwrap();
            assert_eq!(rows(&store), appended + 1);
        }
    }

    #[tokio::test]
    async fn two_processes_on_a_small_disk_stay_within_it() {
        let file = TestFile::new(Scope::Queue);
        let disk = Disk::of(40 * MIB);
        let (one, other) = (disk.open(&file), disk.open(&file));
        let path = one.path().to_owned();
        let (first, second) = tokio::join!(fill(&one), fill(&other));
        assert!(disk.free(&path) > 0);
        assert_eq!(rows(&one), first.0 + second.0);
    }

    #[tokio::test]
    async fn a_transaction_that_meets_a_full_disk_has_the_log_written_back() {
        // The disk says nothing of what is left, as with a quota: only SQLite notices.
        let file = TestFile::new(Scope::Queue);
        let store = file.open();
        append(&store, 64 << 10).await.unwrap();
        let pages = store
            .write("bound the file", |connection| {
                let pages: i64 =
                    connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
                connection.pragma_update_and_check(None, "max_page_count", pages + 4, |_| Ok(pages))
            })
            .await;
        assert!(pages.is_ok(), "{pages:?}");
        let mut log = store.path().to_owned().into_os_string();
        log.push("-wal");
        let log_bytes = || fs::metadata(&log).unwrap().len();
        assert!(log_bytes() > 64 << 10);
        let error = append(&store, 64 << 10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        // The next one writes the log back first, and then needs a page or two of it.
        append(&store, 64 << 10).await.unwrap_err();
        assert!(log_bytes() < 32 << 10, "{} bytes", log_bytes());
        append(&store, 10).await.unwrap();
        assert_eq!(rows(&store), 2);
    }

    #[test]
    fn room_that_is_short_is_not_rounded_to_enough() {
        let room = Room {
            free: FREE_MIN - 1,
            required: FREE_MIN,
        };
        assert!(room.is_short());
        assert_eq!(room.to_string(), "7 MiB free, 8 MiB required");
    }
}
