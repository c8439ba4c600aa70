//! Keeps a fault that repeats from filling the log: a call site writes a few warnings, then is silent for a while.
//!
//! This is done where lines are formatted, not where they are logged: so it holds for every warning of the program and
//! of its libraries, and no call site has to think of it. The first line after a silence says how many were left out.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::flow::UNRECORDED_LOG;

/// How long a call site's lines are counted together.
const PERIOD: Duration = Duration::from_secs(10);

/// How many warnings and errors one call site writes in a period; different orders may have something to say.
const LINES_MAX: u32 = 5;

/// Formats as `F` does, but leaves out warnings and errors of a call site that has written many of them just now.
/// Lines below a warning were asked for, and are all written.
#[derive(Debug)]
pub(super) struct Limited<F> {
    inner: F,
    period: Duration,
    /// One entry for each call site that ever warned: the program's text bounds it.
    counts: Mutex<HashMap<Identifier, Count>>,
}

/// What a call site wrote since its period began.
#[derive(Debug)]
struct Count {
    since: Instant,
    written: u32,
    left_out: u64,
}

/// What to do with a line.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// Write it, and say first how many were left out.
    Write {
        left_out: u64,
    },
    LeaveOut,
}

impl<F> Limited<F> {
    pub(super) fn new(inner: F) -> Self {
        Self {
            inner,
            period: PERIOD,
            counts: Mutex::default(),
        }
    }

    fn decide(&self, event: &Event<'_>) -> Decision {
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN || metadata.target() == UNRECORDED_LOG {
            return Decision::Write { left_out: 0 };
        }
        let now = Instant::now();
        let mut counts = self.counts.lock();
        let count = counts.entry(metadata.callsite()).or_insert(Count {
            since: now,
            written: 0,
            left_out: 0,
        });
        if now.duration_since(count.since) >= self.period {
            count.since = now;
            count.written = 0;
        }
        if count.written >= LINES_MAX {
            count.left_out += 1;
            return Decision::LeaveOut;
        }
        count.written += 1;
        Decision::Write {
            left_out: std::mem::take(&mut count.left_out),
        }
    }
}

impl<S, N, F> FormatEvent<S, N> for Limited<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let left_out = match self.decide(event) {
            Decision::LeaveOut => return Ok(()),
            Decision::Write { left_out } => left_out,
        };
        if left_out > 0 {
            writeln!(writer, "({left_out} lines like the next one were left out)")?;
        }
        self.inner.format_event(context, writer, event)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::fmt::format::Format;

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// What is written of what `log` logs, when periods last this long.
    fn logged(period: Duration, log: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        let format = Limited {
            period,
            ..Limited::new(Format::default().without_time())
        };
        let subscriber = tracing_subscriber::fmt()
            .with_writer(lines.clone())
            .with_max_level(Level::DEBUG)
            .with_ansi(false)
            .event_format(format)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = lines.0.lock();
        let text = String::from_utf8_lossy(&bytes);
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_call_site_that_repeats_itself_writes_a_few_lines_only() {
        let lines = logged(Duration::from_secs(3_600), || {
            for number in 0..1_000 {
                tracing::warn!(number, "the disk is full");
                if number == 500 {
                    tracing::warn!("something else");
                }
            }
        });
        let full = lines
            .iter()
            .filter(|line| line.contains("the disk is full"));
        assert_eq!(full.count(), LINES_MAX as usize, "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("something else")));
    }

    #[test]
    fn the_first_line_after_a_silence_says_how_many_were_left_out() {
        let period = Duration::from_millis(200);
        let lines = logged(period, || {
            let began = Instant::now();
            let mut logged = 0;
            // Long enough that at least one period ends.
            while began.elapsed() < period * 3 {
                tracing::warn!("the disk is full");
                logged += 1;
                std::thread::yield_now();
            }
            assert!(logged > LINES_MAX);
        });
        let told = lines.iter().position(|line| line.contains("left out"));
        let told = told.unwrap_or_else(|| panic!("{lines:?}"));
        assert!(lines[told].starts_with('('), "{lines:?}");
        assert!(lines[told + 1].contains("the disk is full"), "{lines:?}");
    }

    #[test]
    fn what_was_asked_for_and_what_is_recorded_nowhere_else_is_all_written() {
        let lines = logged(Duration::from_secs(3_600), || {
            for _ in 0..100 {
                tracing::debug!("detail");
                tracing::error!(target: UNRECORDED_LOG, "a message");
            }
        });
        assert_eq!(lines.len(), 200);
    }
}
