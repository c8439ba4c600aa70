//! What the store promises where another process stands in the way (rule 4).

use std::fs::File;

use tokio::time::Instant;

use super::testing::TestFile;
use super::{Scope, Store, WRITE_WAIT_MAX};
use crate::ports::ErrorKind;

/// The lock that a process holds while it writes.
fn write_lock(store: &Store) -> File {
    let mut path = store.path().canonicalize().unwrap().into_os_string();
    path.push(".write.lock");
    File::options().write(true).open(path).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_write_behind_a_stopped_writer_is_given_up_in_time_and_never_made() {
    let file = TestFile::new(Scope::Queue);
    let store = file.open();
    let stopped = write_lock(&store);
    stopped.lock().unwrap();
    let began = Instant::now();
    let given_up = store
        .write("write behind it", |connection| {
            connection.execute_batch("CREATE TABLE given_up (number)")
        })
        .await;
    let error = given_up.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(began.elapsed().as_secs(), WRITE_WAIT_MAX.as_secs());
    // Reads go on meanwhile.
    let tables = |name: &'static str| {
        store.read("look for a table", move |connection| {
            connection
                .prepare("SELECT 1 FROM sqlite_master WHERE name = ?1")?
                .exists([name])
        })
    };
    assert!(!tables("given_up").unwrap());
    // From here on a thread does the work, which simulated time would not wait for.
    tokio::time::resume();
    stopped.unlock().unwrap();
    store
        .write("write after it", |connection| {
            connection.execute_batch("CREATE TABLE made (number)")
        })
        .await
        .unwrap();
    assert!(tables("made").unwrap());
    assert!(
        !tables("given_up").unwrap(),
        "what was said not to be done was done later"
    );
}
