//! What `oms doctor` asks of each backend.

use super::places::{self, Health, Place};
use crate::config::{Config, InventoryUrl, PaymentUrl, Port, QueueUrl, StatusUrl};
use crate::domain::format_duration;
use crate::inventory::http::HttpInventory;
use crate::inventory::mysql::{MysqlInventory, MysqlUrl};
use crate::payments::GatewayIdentity;
use crate::payments::http::HttpPayments;
use crate::ports::Error;
use crate::queue::kafka::KafkaQueue;
use crate::sqlite::Room;
use crate::statuses::redis;

/// What one backend says of itself.
#[derive(Debug)]
pub struct Examined {
    /// Which port it serves first.
    pub port: Port,
    /// Where it is, without passwords.
    pub location: String,
    /// How it is, in words, and what should be otherwise; or why it cannot be used.
    pub state: Result<(String, Vec<String>), Error>,
}

/// Examines every configured backend.
///
/// # Errors
/// When the configured files contradict each other.
pub async fn examine(config: &Config) -> Result<Vec<Examined>, Error> {
    let mut examined = Vec::new();
    for place in places::places(config)? {
        examined.push(Examined {
            port: place.ports.first().copied().unwrap_or(Port::Inventory),
            location: place.options.path.display().to_string(),
            state: place
                .examine()
                .await
                .map(|health| (of_file(&place, &health), scarce(&health))),
        });
    }
    examined.extend(inventory(&config.inventory.value).await);
    examined.extend(queue(&config.queue.value).await);
    examined.extend(statuses(&config.statuses.value).await);
    examined.extend(payments(&config.payments.value).await);
    Ok(examined)
}

fn of_file(place: &Place, health: &Health) -> String {
    let ports: Vec<&str> = place.ports.iter().copied().map(Port::as_str).collect();
    let versions: Vec<String> = health
        .versions
        .iter()
        .map(|(schema, version)| format!("{schema} v{version}"))
        .collect();
    let bound = match place.options.max_page_count {
        Some(_) => format!(" of {} at most", health.bytes_max),
        None => String::new(),
    };
    let room = match health.room {
        Some(room) => format!("; disk: {room}"),
        None => String::new(),
    };
    format!(
        "holds {}; schemas {}; writable; {} bytes{bound}{room}",
        ports.join(", "),
        versions.join(", "),
        health.bytes
    )
}

/// What to say where space runs out.
fn scarce(health: &Health) -> Vec<String> {
    let warning = |room: &Room| {
        format!(
            "space runs out ({room}): the log is kept short, which costs speed, and with less than is required writes are refused"
        )
    };
    (health.room.iter())
        .filter(|room| room.is_scarce())
        .map(warning)
        .collect()
}

async fn inventory(url: &InventoryUrl) -> Option<Examined> {
    let state = match url {
        InventoryUrl::Sqlite(_) => return None,
        InventoryUrl::Mysql(url) => mysql(url).await,
        InventoryUrl::Http(url) => HttpInventory::connect(url)
            .await
            .map(|_| ("the inventory service answers".to_owned(), Vec::new())),
    };
    Some(Examined {
        port: Port::Inventory,
        location: url.to_string(),
        state,
    })
}

async fn mysql(url: &MysqlUrl) -> Result<(String, Vec<String>), Error> {
    let inventory = MysqlInventory::connect(url).await?;
    let warnings = inventory.durability_warnings().await?;
    let words = "answers, and its schema is this program's".to_owned();
    Ok((words, warnings))
}

async fn queue(url: &QueueUrl) -> Option<Examined> {
    let QueueUrl::Kafka(kafka) = url else {
        return None;
    };
    let state = KafkaQueue::check(kafka).await.map(|check| {
        let insync = check
            .min_insync_replicas
            .map_or_else(|| "unknown".to_owned(), |count| count.to_string());
        let kept = check
            .retention
            .map_or_else(|| "for ever".to_owned(), format_duration);
        let lag: Vec<String> = check
            .lag
            .iter()
            .map(|one| format!("{}: {}", one.partition, one.lag))
            .collect();
        let words = format!(
            "{} brokers; topic {} with {} partitions, replication {}, min.insync.replicas {insync}, kept {kept}; \
             lag of group {} by partition: {}",
            check.brokers,
            check.topic,
            check.lag.len(),
            check.replication,
            check.group,
            lag.join(", "),
        );
        (words, check.warnings)
    });
    Some(Examined {
        port: Port::Queue,
        location: url.to_string(),
        state,
    })
}

async fn statuses(url: &StatusUrl) -> Option<Examined> {
    let StatusUrl::Redis(servers) = url else {
        return None;
    };
    let state = redis::check(servers).await.map(|check| {
        let mut words = vec![
            format!("{}, {}", check.version, check.mode),
            format!("{} nodes with data", check.nodes),
            format!("maxmemory-policy {}", check.maxmemory_policy),
            format!("{} bytes", check.used_memory),
        ];
        words.extend(check.notes);
        let words = words.join("; ");
        (words, check.warnings)
    });
    Some(Examined {
        port: Port::Statuses,
        location: url.to_string(),
        state,
    })
}

async fn payments(url: &PaymentUrl) -> Option<Examined> {
    let PaymentUrl::Http(gateway) = url else {
        return None;
    };
    let state = match HttpPayments::open(gateway) {
        Ok(gateway) => gateway
            .probe()
            .await
            .map(|()| ("the gateway answers".to_owned(), Vec::new())),
        Err(error) => Err(error),
    };
    Some(Examined {
        port: Port::Payments,
        location: url.to_string(),
        state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(free: u64) -> Health {
        Health {
            versions: vec![("queue".to_owned(), 1)],
            bytes: 4_096,
            bytes_max: i64::MAX,
            room: Some(Room {
                free,
                required: 9 << 20,
            }),
        }
    }

    #[test]
    fn a_file_is_told_with_the_space_it_has_and_needs_and_little_space_is_a_warning() {
        let place = Place {
            ports: vec![Port::Queue],
            options: crate::sqlite::Options {
                path: "oms.db".into(),
                max_page_count: None,
            },
        };
        let told = of_file(&place, &health(100 << 20));
        assert!(
            told.ends_with("disk: 100 MiB free, 9 MiB required"),
            "{told}"
        );
        assert_eq!(scarce(&health(1 << 30)), Vec::<String>::new());
        let warnings = scarce(&health(100 << 20));
        assert!(
            warnings.len() == 1 && warnings[0].contains("100 MiB free, 9 MiB required"),
            "{warnings:?}"
        );
        let unknown = Health {
            room: None,
            ..health(0)
        };
        assert!(scarce(&unknown).is_empty());
        assert!(!of_file(&place, &unknown).contains("disk"));
    }
}
