//! The contracts over the SQLite adapters: two stores on one file, as two processes have them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use oms::inventory::sqlite::SqliteInventory;
use oms::queue::sqlite::SqliteQueue;
use oms::sqlite::{Options, Scope, Store};
use oms::statuses::sqlite::SqliteStatuses;
use tempfile::TempDir;

use super::damage::Tamper;
use super::{Fixture, Opened};
use crate::model::ManualClock;

/// Opens a new file twice.
fn open<T>(
    scope: Scope,
    adapter: impl Fn(Arc<Store>, ManualClock) -> Result<T, oms::ports::Error>,
) -> Opened<T> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let clock = ManualClock::default();
    let open = || {
        let options = Options {
            path: folder.path().join("oms.db"),
            max_page_count: None,
        };
        let store = Store::open(options, &[scope]).unwrap();
        adapter(Arc::new(store), clock.clone()).unwrap()
    };
    let (port, other) = (open(), open());
    let path = folder.path().join("oms.db");
    let fixture = Fixture::new(port, other, clock, folder);
    Ok(fixture.tampered_by(move |what| Box::pin(tamper(path.clone(), what))))
}

/// Changes a file as somebody with `sqlite3` would.
#[expect(
    clippy::unused_async,
    reason = "the stores of other adapters are awaited"
)]
pub(super) async fn tamper(path: PathBuf, what: Tamper) {
    let client = rusqlite::Connection::open(path).unwrap();
    client.busy_timeout(Duration::from_secs(10)).unwrap();
    client.execute_batch(&what.sql()).unwrap();
}

mod damage {
    crate::contracts::damage::damage_suite!("sqlite", #[tokio::test], super::open_inventory);
}

mod unreadable {
    crate::contracts::damage::unreadable_suite!("sqlite", #[tokio::test], super::open_inventory);
}

#[expect(
    clippy::unused_async,
    reason = "the stores of other adapters are awaited"
)]
async fn open_inventory() -> Opened<SqliteInventory<ManualClock>> {
    open(Scope::Inventory, SqliteInventory::open)
}

#[expect(
    clippy::unused_async,
    reason = "the stores of other adapters are awaited"
)]
async fn open_queue() -> Opened<SqliteQueue<ManualClock>> {
    open(Scope::Queue, SqliteQueue::open)
}

#[expect(
    clippy::unused_async,
    reason = "the stores of other adapters are awaited"
)]
async fn open_statuses() -> Opened<SqliteStatuses<ManualClock>> {
    open(Scope::Statuses, SqliteStatuses::open)
}

mod reserve {
    crate::contracts::reserve::reserve_suite!("sqlite", #[tokio::test], super::open_inventory);
}

mod reads {
    crate::contracts::reads::reads_suite!("sqlite", #[tokio::test], super::open_inventory);
}

mod settle {
    crate::contracts::settle::settle_suite!("sqlite", #[tokio::test], super::open_inventory);
}

mod races {
    crate::contracts::races::races_suite!("sqlite", #[tokio::test], super::open_inventory);
}

mod administration {
    crate::contracts::administration::administration_suite!("sqlite", #[tokio::test], super::open_inventory);
}

mod dead_letters {
    crate::contracts::dead_letters::dead_letters_suite!("sqlite", #[tokio::test], super::open_inventory);
}

mod audit {
    crate::contracts::audit::audit_suite!("sqlite", #[tokio::test], super::open_inventory);
}

mod queue {
    crate::contracts::queue::queue_suite!("sqlite", #[tokio::test], super::open_queue);
}

mod statuses {
    crate::contracts::statuses::statuses_suite!("sqlite", #[tokio::test], super::open_statuses);
}
