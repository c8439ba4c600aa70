//! A wall clock that follows tokio's time and can be set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use oms::domain::Timestamp;
use oms::ports::Clock;
use tokio::time::Instant;

/// Where the wall clock of tests begins, in Unix milliseconds.
const BASE_UNIX_MS: i64 = 1_700_000_000_000;

/// Base + tokio time that has passed + what it was stepped by. A clone is the same clock.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    stepped_ms: AtomicI64,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self(Arc::new(Inner {
            started: Instant::now(),
            stepped_ms: AtomicI64::new(0),
        }))
    }
}

impl ManualClock {
    /// Another clock that shows the same time and is set on its own.
    pub fn another(&self) -> Self {
        Self(Arc::new(Inner {
            started: self.0.started,
            stepped_ms: AtomicI64::new(self.0.stepped_ms.load(Ordering::SeqCst)),
        }))
    }

    /// Steps the clock forward; waits do not notice.
    pub fn forward(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap();
        self.0.stepped_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Steps the clock back; waits do not notice.
    pub fn back(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap();
        self.0.stepped_ms.fetch_sub(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let elapsed_ms = i64::try_from(self.0.started.elapsed().as_millis()).unwrap();
        Timestamp::from_millis(BASE_UNIX_MS + elapsed_ms + self.0.stepped_ms.load(Ordering::SeqCst))
    }
}
