//! Fair turns between the writers of several processes.
//!
//! SQLite's own busy handler polls, and starves against a busy committer. Two advisory file locks make a queue: take
//! `next`, take `write`, free `next`. Whoever waits for `write` is the only one; the kernel wakes it at once, and
//! frees the locks of a process that dies.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// The two lock files beside a database.
#[derive(Debug)]
pub(super) struct Turnstile {
    next: File,
    write: File,
}

/// The right to write, until dropped.
#[derive(Debug)]
pub(super) struct Pass<'a>(&'a File);

impl Turnstile {
    pub(super) fn open(database: &Path) -> io::Result<Self> {
        let open = |suffix: &str| {
            let mut path = database.as_os_str().to_owned();
            path.push(suffix);
            OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(path)
        };
        Ok(Self {
            next: open(".next.lock")?,
            write: open(".write.lock")?,
        })
    }

    /// Waits for its turn.
    pub(super) fn pass(&self) -> io::Result<Pass<'_>> {
        self.next.lock()?;
        let write = self.write.lock();
        self.next.unlock()?;
        write.map(|()| Pass(&self.write))
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::error!(%error, "cannot free the write lock");
        }
    }
}
