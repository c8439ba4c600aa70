//! What exists for one measurement, and is removed after it: a database or a folder, and keys in Redis.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::try_join_all;

use crate::config::{InventoryUrl, SqliteUrl};
use crate::domain::Sku;
use crate::inventory::mysql::ScratchDatabase;
use crate::ports::Error;
use crate::statuses::redis::{self, Connection, RedisUrl};

/// Commands that are under way at the same time while keys are deleted.
const DELETES_AT_ONCE: usize = 1_000;

/// Attempts to remove a folder: a write that was given up may make a file in it for a moment.
const REMOVALS_MAX: u32 = 10;

/// Pause between them.
const REMOVAL_PAUSE: Duration = Duration::from_millis(50);

/// Where strategies are measured.
pub(super) struct Scratch {
    pub(super) store: ScratchStore,
    pub(super) keys: Option<ScratchKeys>,
}

pub(super) enum ScratchStore {
    Mysql(ScratchDatabase),
    Sqlite(ScratchFolder),
}

impl Scratch {
    /// Removes all of it, also when part of it cannot be removed.
    ///
    /// # Errors
    /// What is still there.
    pub(super) async fn remove(&self) -> Result<(), Error> {
        let store = match &self.store {
            ScratchStore::Mysql(database) => database.remove().await,
            ScratchStore::Sqlite(folder) => folder.remove().await,
        };
        let keys = match &self.keys {
            Some(keys) => keys.remove().await,
            None => Ok(()),
        };
        store.and(keys)
    }
}

/// A folder beside a store's file: on the same disk.
pub(super) struct ScratchFolder {
    path: PathBuf,
    /// Whether the folder around it was made for it.
    made_parent: bool,
}

impl ScratchFolder {
    /// Makes the folder `name` beside a store's file.
    pub(super) fn create(store: &SqliteUrl, name: &str) -> Result<Self, Error> {
        let parent = store.path.parent().unwrap_or(Path::new("."));
        let made_parent = !parent.as_os_str().is_empty() && !parent.exists();
        let path = parent.join(name);
        fs::create_dir_all(&path).map_err(|source| {
            Error::unavailable(format!("make the folder {}", path.display())).because(source)
        })?;
        Ok(Self { path, made_parent })
    }

    /// The file of the strategies that are plain SQL.
    pub(super) fn orders(&self) -> PathBuf {
        self.path.join("orders.db")
    }

    /// The file of the inventory of oms.
    pub(super) fn inventory(&self) -> PathBuf {
        self.path.join("oms.db")
    }

    async fn remove(&self) -> Result<(), Error> {
        let mut attempt = 1;
        loop {
            match fs::remove_dir_all(&self.path) {
                Ok(()) => break,
                Err(source) if attempt == REMOVALS_MAX => {
                    let action = format!("remove the folder {}", self.path.display());
                    return Err(Error::unavailable(action).because(source));
                }
                Err(_) => tokio::time::sleep(REMOVAL_PAUSE).await,
            }
            attempt += 1;
        }
        if self.made_parent
            && let Some(parent) = self.path.parent()
        {
            // Something else may be in it by now.
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    }
}

impl ScratchStore {
    /// Where the inventory of oms is in it.
    pub(super) fn inventory_url(&self) -> InventoryUrl {
        match self {
            Self::Mysql(database) => InventoryUrl::Mysql(database.url().clone()),
            Self::Sqlite(folder) => InventoryUrl::Sqlite(SqliteUrl {
                path: folder.inventory(),
                max_page_count: None,
            }),
        }
    }
}

/// Counters in Redis under a prefix of their own, which the prefix of the store's keys begins.
#[derive(Clone)]
pub(super) struct ScratchKeys {
    connection: Connection,
    prefix: String,
    /// Items that have a counter.
    items: u32,
}

impl ScratchKeys {
    /// Connects. Makes no key.
    pub(super) async fn connect(url: &RedisUrl, name: &str, items: u32) -> Result<Self, Error> {
        Ok(Self {
            connection: redis::connection(url).await?,
            prefix: format!("{}{name}:", url.prefix()),
            items,
        })
    }

    pub(super) fn connection(&self) -> Connection {
        self.connection.clone()
    }

    /// The key of an item's counter.
    pub(super) fn counter(&self, sku: &Sku) -> String {
        format!("{}{sku}", self.prefix)
    }

    /// Goes by the connection of the callers: what they have sent before is done before.
    async fn remove(&self) -> Result<(), Error> {
        let numbers: Vec<u32> = (1..=self.items).collect();
        for numbers in numbers.chunks(DELETES_AT_ONCE) {
            let deletes = numbers.iter().map(async |number| {
                let mut delete = ::redis::cmd("DEL");
                delete.arg(self.counter(&Sku::synthetic(*number)));
                self.connection().ask(&delete).await
            });
            try_join_all(deletes).await.map_err(|source| {
                Error::unavailable(format!("delete the keys {}*", self.prefix)).because(source)
            })?;
        }
        Ok(())
    }
}
