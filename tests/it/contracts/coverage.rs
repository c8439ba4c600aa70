//! Says which adapters the contract suites covered, and which they skipped.

use std::collections::BTreeMap;
use std::io::Write;

use parking_lot::Mutex;

#[derive(Debug, Default)]
struct Count {
    ran: usize,
    skipped: usize,
}

static COUNTS: Mutex<BTreeMap<(&str, &str), Count>> = Mutex::new(BTreeMap::new());

/// A case of a suite has held over an adapter.
pub fn ran(suite: &'static str, adapter: &'static str, of: usize) {
    count(suite, adapter, of, |count| count.ran += 1);
}

/// A case of a suite could not be run over an adapter.
pub fn skipped(suite: &'static str, adapter: &'static str, of: usize, why: &str) {
    count(suite, adapter, of, |count| {
        if count.skipped == 0 {
            say(&format!("SKIPPED: {suite} over {adapter}: {why}"));
        }
        count.skipped += 1;
    });
}

fn count(suite: &'static str, adapter: &'static str, of: usize, add: impl FnOnce(&mut Count)) {
    let mut counts = COUNTS.lock();
    let count = counts.entry((adapter, suite)).or_default();
    add(count);
    if count.ran + count.skipped == of {
        say(&format!(
            "contract of {suite} over {adapter}: {} cases held, {} skipped",
            count.ran, count.skipped
        ));
    }
}

/// Past the capture of the test harness, which takes what the `print` macros write.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
