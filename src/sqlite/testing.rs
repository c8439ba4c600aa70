//! What the adapters' own tests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::space::FreeBytes;
use super::{Options, Scope, Store};
use crate::domain::Timestamp;
use crate::ports::Clock;

/// A clock that stands still until it is set.
#[derive(Debug, Clone)]
pub(crate) struct ManualClock(Arc<AtomicI64>);

impl Default for ManualClock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(1_700_000_000_000)))
    }
}

impl ManualClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.step(i64::try_from(by.as_millis()).unwrap());
    }

    pub(crate) fn turn_back(&self, by: Duration) {
        self.step(-i64::try_from(by.as_millis()).unwrap());
    }

    fn step(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A file in a folder of its own. Each store opened on it stands for a process.
#[derive(Debug)]
pub(crate) struct TestFile {
    folder: TempDir,
    scope: Scope,
}

impl TestFile {
    pub(crate) fn new(scope: Scope) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            scope,
        }
    }

    pub(crate) fn open(&self) -> Arc<Store> {
        self.open_on(Arc::new(super::space::free_bytes))
    }

    /// A process on a disk that says so much is free.
    pub(super) fn open_on(&self, free: FreeBytes) -> Arc<Store> {
        let options = Options {
            path: self.folder.path().join("test.db"),
            max_page_count: None,
        };
        Arc::new(Store::open_on(options, &[self.scope], free).unwrap())
    }
}

/// Awaits something that must happen soon, even on a busy machine.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("this happens within 20 s")
}
