//! Opens the configured backends.

use std::sync::Arc;

use super::places::{self, Place};
use super::{AnyInventory, AnyPayments, AnyQueue, AnyStatuses};
use crate::clock::SystemClock;
use crate::config::{Config, InventoryUrl, PaymentUrl, Port, QueueUrl, StatusUrl};
use crate::flow::{Flow, Settings};
use crate::inventory::http::HttpInventory;
use crate::inventory::mysql::MysqlInventory;
use crate::inventory::sqlite::SqliteInventory;
use crate::payments::http::HttpPayments;
use crate::payments::simulated::Simulated;
use crate::ports::{Backends, Error};
use crate::queue::kafka::KafkaQueue;
use crate::queue::sqlite::SqliteQueue;
use crate::rng::{OrderIds, Rng};
use crate::sqlite::{Options, Scope, Store};
use crate::statuses::redis::RedisStatuses;
use crate::statuses::sqlite::SqliteStatuses;

/// The backends that the program runs on.
pub type OmsPorts = Backends<AnyInventory, AnyQueue, AnyStatuses, AnyPayments, SystemClock>;

/// Opens the configured backends. Files that are missing are made, older schemas of files migrated; ports that name the
/// same file share one store. Servers must be migrated ([`super::migrate`]).
///
/// # Errors
/// What kept one from being opened: which one, where, and what to do.
pub async fn open(config: &Config) -> Result<OmsPorts, Error> {
    let files = Files::open(places::places(config)?)?;
    Ok(Backends {
        inventory: match &config.inventory.value {
            InventoryUrl::Sqlite(_) => AnyInventory::Sqlite(SqliteInventory::open(
                files.store(Port::Inventory)?,
                SystemClock,
            )?),
            InventoryUrl::Mysql(url) => AnyInventory::Mysql(MysqlInventory::connect(url).await?),
            InventoryUrl::Http(url) => AnyInventory::Http(HttpInventory::connect(url).await?),
        },
        queue: match &config.queue.value {
            QueueUrl::Sqlite(_) => {
                AnyQueue::Sqlite(SqliteQueue::open(files.store(Port::Queue)?, SystemClock)?)
            }
            QueueUrl::Kafka(url) => AnyQueue::Kafka(KafkaQueue::connect(url.clone()).await?),
        },
        statuses: match &config.statuses.value {
            StatusUrl::Sqlite(_) => AnyStatuses::Sqlite(SqliteStatuses::open(
                files.store(Port::Statuses)?,
                SystemClock,
            )?),
            StatusUrl::Redis(url) => {
                AnyStatuses::Redis(RedisStatuses::connect(url, SystemClock).await?)
            }
        },
        payments: match &config.payments.value {
            PaymentUrl::Simulated(gateway) => AnyPayments::Simulated(Simulated::open(
                files.store(Port::Payments)?,
                gateway.profile.clone(),
                SystemClock,
            )?),
            PaymentUrl::Http(url) => AnyPayments::Http(HttpPayments::open(url)?),
        },
        clock: SystemClock,
    })
}

/// Opens an inventory alone, made and migrated if need be.
///
/// # Errors
/// As [`open`]; or when it cannot be migrated.
pub(crate) async fn open_inventory(url: &InventoryUrl) -> Result<AnyInventory, Error> {
    Ok(match url {
        InventoryUrl::Sqlite(file) => {
            let options = Options {
                path: file.path.clone(),
                max_page_count: file.max_page_count,
            };
            let store = Arc::new(Store::open(options, &[Scope::Inventory])?);
            AnyInventory::Sqlite(SqliteInventory::open(store, SystemClock)?)
        }
        InventoryUrl::Mysql(url) => {
            MysqlInventory::migrate(url).await?;
            AnyInventory::Mysql(MysqlInventory::connect(url).await?)
        }
        InventoryUrl::Http(url) => AnyInventory::Http(HttpInventory::connect(url).await?),
    })
}

/// Starts the flow on its ports, on the current tokio runtime.
pub fn start(ports: OmsPorts, settings: Settings) -> Flow<OmsPorts> {
    Flow::start(ports, settings, OrderIds::new(Rng::from_system()))
}

/// Open files, and the ports in each.
struct Files(Vec<(Arc<Store>, Vec<Port>)>);

impl Files {
    fn open(places: Vec<Place>) -> Result<Self, Error> {
        places
            .into_iter()
            .map(|place| Ok((place.open()?, place.ports)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn store(&self, port: Port) -> Result<Arc<Store>, Error> {
        self.0
            .iter()
            .find(|(_, ports)| ports.contains(&port))
            .map(|(store, _)| Arc::clone(store))
            .ok_or_else(|| Error::permanent(format!("find the store of {}", port.as_str())))
    }
}
