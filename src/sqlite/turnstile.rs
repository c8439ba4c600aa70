//! Fair turns between the writers of several processes.
//!
//! SQLite's own busy handler polls, and starves against a busy committer. Two advisory file locks make a queue: take
//! `next`, take `write`, free `next`. Whoever waits for `write` is the only one; the kernel wakes it at once, and
//! frees the locks of a process that dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// The two lock files beside a database.
#[derive(Debug)]
pub(super) struct Turnstile {
    next: File,
    write: File,
}

/// The right to write, until dropped.
#[derive(Debug)]
pub(super) struct Pass<'a>(&'a File);

/// How often [`Turnstile::pass_within`] looks.
const POLL: Duration = Duration::from_millis(1);

impl Turnstile {
    /// Opens or creates the lock files.
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

    /// Waits for its turn, however long that takes: only for a thread that nobody needs to join.
    pub(super) fn pass(&self) -> io::Result<Pass<'_>> {
        lock(&self.next)?;
        let pass = lock(&self.write).map(|()| Pass(&self.write));
        self.next.unlock()?;
        pass
    }

    /// Waits for its turn for a limited time; `None` if it did not come.
    pub(super) fn pass_within(&self, most: Duration) -> io::Result<Option<Pass<'_>>> {
        let deadline = Instant::now() + most;
        if !lock_until(&self.next, deadline)? {
            return Ok(None);
        }
        let taken =
            lock_until(&self.write, deadline).map(|taken| taken.then_some(Pass(&self.write)));
        self.next.unlock()?;
        taken
    }
}

fn lock(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn lock_until(file: &File, deadline: Instant) -> io::Result<bool> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(error);
            }
            Err(_) if Instant::now() >= deadline => return Ok(false),
            Err(_) => std::thread::sleep(POLL),
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::error!(%error, "cannot free the write lock");
        }
    }
}
