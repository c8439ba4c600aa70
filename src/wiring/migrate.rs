//! Brings schemas and topics up to date.

use super::places;
use crate::clock::SystemClock;
use crate::config::{Config, InventoryUrl, QueueUrl, StatusUrl};
use crate::inventory::http::HttpInventory;
use crate::inventory::mysql::MysqlInventory;
use crate::ports::Error;
use crate::queue::kafka::KafkaQueue;
use crate::statuses::redis::RedisStatuses;

/// A schema that is up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// Whose it is: `inventory`, `queue` and so on.
    pub schema: String,
    /// Its version, where it has one.
    pub version: Option<u32>,
    /// Where it is, without passwords.
    pub store: String,
}

/// Migrates every configured store that has something to migrate. May be repeated, and run from several places at once.
///
/// # Errors
/// When a store cannot be opened, or is of a newer version.
pub async fn migrate(config: &Config) -> Result<Vec<Migrated>, Error> {
    let mut migrated = Vec::new();
    for place in places::places(config)? {
        // Files migrate as they are opened.
        let health = place.examine().await?;
        let store = place.options.path.display().to_string();
        migrated.extend(
            health
                .versions
                .into_iter()
                .map(|(schema, version)| Migrated {
                    schema,
                    version: Some(version),
                    store: store.clone(),
                }),
        );
    }
    migrated.extend(migrate_servers(config).await?);
    Ok(migrated)
}

/// Migrates the configured servers only: files migrate as they are opened.
///
/// # Errors
/// As [`migrate`].
pub async fn migrate_servers(config: &Config) -> Result<Vec<Migrated>, Error> {
    let mut migrated = Vec::new();
    if let InventoryUrl::Mysql(url) = &config.inventory.value {
        let done = MysqlInventory::migrate(url).await?;
        migrated.push(Migrated {
            schema: "inventory".to_owned(),
            version: Some(done.to),
            store: url.to_string(),
        });
    }
    if let QueueUrl::Kafka(url) = &config.queue.value {
        KafkaQueue::migrate(url).await?;
        migrated.push(Migrated {
            schema: "queue".to_owned(),
            version: None,
            store: url.to_string(),
        });
    }
    Ok(migrated)
}

/// Makes sure that the servers answer which have no schema of their own: Redis, and an inventory service.
///
/// # Errors
/// Which one does not, and where.
pub async fn reach_unmigrated(config: &Config) -> Result<(), Error> {
    if let InventoryUrl::Http(url) = &config.inventory.value {
        HttpInventory::connect(url).await?;
    }
    if let StatusUrl::Redis(url) = &config.statuses.value {
        RedisStatuses::connect(url, SystemClock).await?;
    }
    Ok(())
}
