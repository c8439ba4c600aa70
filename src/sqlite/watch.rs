//! Notices what other connections commit, those of other processes included.

use std::time::Duration;

use rusqlite::Connection;

use super::{Store, connect, port_error};
use crate::ports::Error;

/// The first pause between two looks, and the least time between two reports.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// The longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// A connection of its own that only looks whether the file has changed (`PRAGMA data_version`: 4 µs a look).
///
/// The pragma tells of commits by other connections. The writer of this process is one of them, so its commits are
/// seen too.
#[derive(Debug)]
pub struct ChangeWatch {
    connection: Connection,
    seen: i64,
}

impl ChangeWatch {
    /// Watches a store from now on.
    ///
    /// # Errors
    /// When no further connection can be opened.
    pub fn open(store: &Store) -> Result<Self, Error> {
        let connection = connect::reader(&store.options)
            .map_err(|source| port_error("watch the database", source))?;
        let mut watch = Self {
            connection,
            seen: 0,
        };
        watch.look()?;
        Ok(watch)
    }

    /// Whether anything was committed since the last look. Look first, then read: then nothing is missed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn look(&mut self) -> Result<bool, Error> {
        let version: i64 = self
            .connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut pragma| pragma.query_row([], |row| row.get(0)))
            .map_err(|source| port_error("watch the database", source))?;
        let changed = version != self.seen;
        self.seen = version;
        Ok(changed)
    }

    /// Waits until something was committed since the last look. Looks after 1 ms, then ever less often, at least
    /// every 20 ms. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn changed(&mut self) -> Result<(), Error> {
        let mut pause = PAUSE_MIN;
        loop {
            tokio::time::sleep(pause).await;
            if self.look()? {
                return Ok(());
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::Scope;
    use crate::sqlite::testing::{TestFile, soon};

    #[tokio::test]
    async fn a_commit_by_another_store_is_seen_and_a_read_is_not() {
        let file = TestFile::new(Scope::Queue);
        let (one, other) = (file.open(), file.open());
        let mut watch = ChangeWatch::open(&one).unwrap();
        one.read("read", |connection| {
            connection.query_row("SELECT count(*) FROM queue_group", [], |_| Ok(()))
        })
        .unwrap();
        assert!(!watch.look().unwrap());
        for store in [&other, &one] {
            let write = store.write("write", |connection| {
                connection.execute("UPDATE queue_group SET committed = committed + 1", [])
            });
            write.await.unwrap();
            soon(watch.changed()).await.unwrap();
        }
        assert!(!watch.look().unwrap());
    }
}
