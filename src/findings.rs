//! Findings: rows that contradict each other, or that cannot be read. Each is logged when it is met, and not again at
//! every attempt that meets it: one damaged item may hold thousands of orders.

use std::fmt::Display;
use std::sync::LazyLock;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::recent::{Bounds, Recent};

/// How long after a finding its subject is not logged again.
const QUIET_FOR: Duration = Duration::from_secs(60);

/// How many subjects are remembered; twice as many at most.
const SUBJECTS_KEPT: usize = 4_096;

/// The most findings logged in [`WINDOW`]; of the others their number is.
const LINES_MAX: u64 = 20;

/// See [`LINES_MAX`].
const WINDOW: Duration = Duration::from_secs(10);

static LOG: LazyLock<Mutex<Log>> = LazyLock::new(|| Mutex::new(Log::default()));

/// What was logged of late.
#[derive(Debug)]
struct Log {
    subjects: Recent<String, Instant>,
    window: Option<Instant>,
    lines: u64,
    omitted: u64,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            subjects: Recent::of(Bounds::of_small(SUBJECTS_KEPT)),
            window: None,
            lines: 0,
            omitted: 0,
        }
    }
}

/// What is to be logged.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// Nothing: it was said a moment ago, or too much was.
    None,
    /// The finding, and how many were left out before it.
    Finding { omitted: u64 },
}

impl Log {
    fn line(&mut self, subject: &str, now: Instant) -> Line {
        let said = self.subjects.get(&subject.to_owned());
        if said.is_some_and(|said| now.saturating_duration_since(*said) < QUIET_FOR) {
            return Line::None;
        }
        self.subjects.keep(subject.to_owned(), now, 0);
        let over = |began: Instant| now.saturating_duration_since(began) >= WINDOW;
        if self.window.is_none_or(over) {
            (self.window, self.lines) = (Some(now), 0);
        }
        if self.lines >= LINES_MAX {
            self.omitted += 1;
            return Line::None;
        }
        self.lines += 1;
        Line::Finding {
            omitted: std::mem::take(&mut self.omitted),
        }
    }
}

/// Logs that something is wrong with an order or an item, unless that was said a moment ago.
pub(crate) fn report(subject: &str, finding: &dyn Display) {
    if let Line::Finding { omitted } = LOG.lock().line(subject, Instant::now()) {
        tracing::error!(
            subject,
            %finding,
            omitted,
            "stored data contradict each other; `oms audit` shows what is wrong"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_logged_once_a_minute_and_few_are_at_once() {
        let mut log = Log::default();
        let began = Instant::now();
        assert_eq!(log.line("A", began), Line::Finding { omitted: 0 });
        assert_eq!(log.line("A", began + WINDOW), Line::None);
        let later = began + QUIET_FOR;
        assert_eq!(log.line("A", later), Line::Finding { omitted: 0 });
        let logged = (0..1_000).filter(|n| log.line(&n.to_string(), later) != Line::None);
        assert_eq!(logged.count() as u64, LINES_MAX - 1);
        let next = later + WINDOW;
        let omitted = 1_000 - (LINES_MAX - 1);
        assert_eq!(log.line("B", next), Line::Finding { omitted });
    }
}
