//! Where the backends are: one URL per port.

use std::fmt;
use std::path::Path;

use super::{SqliteUrl, redact};
use crate::http_client::HttpUrl;
use crate::inventory::mysql::MysqlUrl;
use crate::payments::simulated::Profile;
use crate::queue::kafka::KafkaUrl;
use crate::statuses::redis::RedisUrl;

/// Which port a URL is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Port {
    /// Stock and decided orders.
    Inventory,
    /// The log of accepted carts.
    Queue,
    /// The status store.
    Statuses,
    /// The payment gateway.
    Payments,
}

impl Port {
    /// Its name in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Queue => "queue",
            Self::Statuses => "statuses",
            Self::Payments => "payments",
        }
    }

    /// The URLs that the port can have.
    const fn examples(self) -> &'static str {
        match self {
            Self::Inventory => {
                "sqlite:PATH, mysql://user:password@host/database or http://host:8080"
            }
            Self::Queue => "sqlite:PATH or kafka://host:9092/topic",
            Self::Statuses => {
                "sqlite:PATH, redis://host:6379 or redis-cluster://host:6379,host:6379"
            }
            Self::Payments => "simulated:?success=0.95 or https://host/base",
        }
    }
}

/// A URL that names no backend of a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// No backend that the port could have.
    #[error("`{url}` is no URL for {}; write {}", port.as_str(), port.examples())]
    Unknown {
        /// The URL, without passwords.
        url: String,
        /// Which port it is for.
        port: Port,
    },
    /// No path, or one that is no file.
    #[error("`{url}` names no file; write sqlite:PATH")]
    NoPath {
        /// The URL, without passwords.
        url: String,
    },
    /// What the backend's own URL cannot have: a parameter that is unknown, a host that is missing, and so on.
    #[error("`{url}`: {detail}")]
    Backend {
        /// The URL, without passwords.
        url: String,
        /// What is wrong.
        detail: String,
    },
}

/// Where the inventory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InventoryUrl {
    /// In a SQLite file.
    Sqlite(SqliteUrl),
    /// In a MySQL or MariaDB database.
    Mysql(MysqlUrl),
    /// Behind the inventory service of another oms.
    Http(HttpUrl),
}

/// Where the queue is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueUrl {
    /// In a SQLite file.
    Sqlite(SqliteUrl),
    /// A Kafka topic.
    Kafka(KafkaUrl),
}

/// Where the statuses are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusUrl {
    /// In a SQLite file.
    Sqlite(SqliteUrl),
    /// In Redis.
    Redis(RedisUrl),
}

/// Where the payment gateway is.
#[derive(Debug, Clone, PartialEq)]
pub enum PaymentUrl {
    /// The simulated one.
    Simulated(SimulatedUrl),
    /// One that is spoken to over HTTP.
    Http(HttpUrl),
}

/// The simulated gateway: `simulated:?success=0.95&…`.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedUrl {
    text: String,
    /// How it behaves, and where its ledger is if the URL says so.
    pub profile: Profile,
}

impl InventoryUrl {
    /// Reads the URL of an inventory. A relative path starts at `base`.
    ///
    /// # Errors
    /// [`UrlError`], which shows no password.
    pub fn parse(text: &str, base: &Path) -> Result<Self, UrlError> {
        match scheme(Port::Inventory, text)? {
            ("sqlite", rest) => SqliteUrl::parse(text, rest, base).map(Self::Sqlite),
            ("mysql" | "mariadb", _) => MysqlUrl::parse(text)
                .map(|url| Self::Mysql(url.relative_to(base)))
                .map_err(|error| backend(text, &error)),
            ("http" | "https", _) => HttpUrl::parse(text)
                .map(|url| Self::Http(url.relative_to(base)))
                .map_err(|error| backend(text, &error)),
            _ => Err(unknown(Port::Inventory, text)),
        }
    }
}

impl QueueUrl {
    /// Reads the URL of a queue. A relative path starts at `base`.
    ///
    /// # Errors
    /// [`UrlError`], which shows no password.
    pub fn parse(text: &str, base: &Path) -> Result<Self, UrlError> {
        match scheme(Port::Queue, text)? {
            ("sqlite", rest) => SqliteUrl::parse(text, rest, base).map(Self::Sqlite),
            ("kafka", _) => KafkaUrl::parse(text)
                .map(Self::Kafka)
                .map_err(|error| backend(text, &error)),
            _ => Err(unknown(Port::Queue, text)),
        }
    }
}

impl StatusUrl {
    /// Reads the URL of a status store. A relative path starts at `base`.
    ///
    /// # Errors
    /// [`UrlError`], which shows no password.
    pub fn parse(text: &str, base: &Path) -> Result<Self, UrlError> {
        match scheme(Port::Statuses, text)? {
            ("sqlite", rest) => SqliteUrl::parse(text, rest, base).map(Self::Sqlite),
            ("redis" | "rediss" | "redis-cluster" | "rediss-cluster", _) => text
                .parse::<RedisUrl>()
                .map(|url| Self::Redis(url.relative_to(base)))
                .map_err(|error| backend(text, &error)),
            _ => Err(unknown(Port::Statuses, text)),
        }
    }
}

impl PaymentUrl {
    /// Reads the URL of a payment gateway. A relative path starts at `base`.
    ///
    /// # Errors
    /// [`UrlError`], which shows no password.
    pub fn parse(text: &str, base: &Path) -> Result<Self, UrlError> {
        match scheme(Port::Payments, text)? {
            ("simulated", _) => {
                let mut profile = Profile::parse(text).map_err(|error| backend(text, &error))?;
                profile.ledger = profile.ledger.map(|path| base.join(path));
                Ok(Self::Simulated(SimulatedUrl {
                    text: text.to_owned(),
                    profile,
                }))
            }
            ("http" | "https", _) => HttpUrl::parse_gateway(text)
                .map(|url| Self::Http(url.relative_to(base)))
                .map_err(|error| backend(text, &error)),
            _ => Err(unknown(Port::Payments, text)),
        }
    }
}

impl Default for PaymentUrl {
    /// The simulated gateway, always paying.
    fn default() -> Self {
        Self::Simulated(SimulatedUrl {
            text: "simulated:".to_owned(),
            profile: Profile::default(),
        })
    }
}

/// Splits a URL after its scheme.
fn scheme(port: Port, text: &str) -> Result<(&str, &str), UrlError> {
    text.split_once(':').ok_or_else(|| unknown(port, text))
}

fn unknown(port: Port, text: &str) -> UrlError {
    UrlError::Unknown {
        url: redact(text),
        port,
    }
}

pub(super) fn backend(text: &str, error: &impl ToString) -> UrlError {
    UrlError::Backend {
        url: redact(text),
        detail: error.to_string(),
    }
}

impl fmt::Display for InventoryUrl {
    /// Without passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => file.fmt(f),
            Self::Mysql(server) => server.fmt(f),
            Self::Http(service) => service.fmt(f),
        }
    }
}

impl fmt::Display for QueueUrl {
    /// Without passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => file.fmt(f),
            Self::Kafka(brokers) => brokers.fmt(f),
        }
    }
}

impl fmt::Display for StatusUrl {
    /// Without passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => file.fmt(f),
            Self::Redis(servers) => servers.fmt(f),
        }
    }
}

impl fmt::Display for PaymentUrl {
    /// Without passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simulated(gateway) => f.write_str(&redact(&gateway.text)),
            Self::Http(gateway) => gateway.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_server_is_named_by_its_url_and_never_with_its_password() {
        let base = Path::new("base");
        let shown = [
            InventoryUrl::parse("mysql://u:hunter2@db:3306/oms", base).map(|url| url.to_string()),
            InventoryUrl::parse("mariadb://u:hunter2@db/oms", base).map(|url| url.to_string()),
            InventoryUrl::parse("https://u:hunter2@stock/", base).map(|url| url.to_string()),
            QueueUrl::parse("kafka://a:9092,b/carts?sasl.password=hunter2", base)
                .map(|url| url.to_string()),
            StatusUrl::parse("rediss://:hunter2@cache:6379/1", base).map(|url| url.to_string()),
            StatusUrl::parse("redis-cluster://u:hunter2@a:1,b:2", base).map(|url| url.to_string()),
            PaymentUrl::parse("http://u:hunter2@pay/v2", base).map(|url| url.to_string()),
        ];
        for url in shown {
            let url = url.unwrap();
            assert!(!url.contains("hunter2"), "{url}");
        }
    }

    #[test]
    fn what_a_server_cannot_have_is_refused_without_the_password() {
        let base = Path::new("base");
        let refused = [
            InventoryUrl::parse("mysql://u:hunter2@db:3306/oms?nonsense=1", base).err(),
            InventoryUrl::parse("mysql://u:hunter2@db:3306", base).err(),
            InventoryUrl::parse("kafka://u:hunter2@db/oms", base).err(),
            InventoryUrl::parse("http://u:hunter2@stock?nonsense=1", base).err(),
            QueueUrl::parse("kafka://a/carts?sasl.password=hunter2&nonsense=1", base).err(),
            QueueUrl::parse("redis://:hunter2@a", base).err(),
            StatusUrl::parse("redis://:hunter2@a/0?nonsense=1", base).err(),
            StatusUrl::parse("mysql://u:hunter2@db/oms", base).err(),
            PaymentUrl::parse("http://u:hunter2@pay?nonsense=1", base).err(),
        ];
        for error in refused {
            let error = error.unwrap().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_simulated_gateway_is_checked_before_anything_is_opened() {
        let parse = |text| PaymentUrl::parse(text, Path::new("base"));
        let Ok(PaymentUrl::Simulated(gateway)) = parse("simulated:?success=0.5&ledger=p.db") else {
            panic!("refused")
        };
        assert_eq!(gateway.profile.ledger, Some(PathBuf::from("base/p.db")));
        assert_eq!(parse("simulated:"), Ok(PaymentUrl::default()));
        for text in [
            "simulated:success=1",
            "simulated:?succes=1",
            "simulated:?success=2",
            "simulated:?success=0.9&unknown=0.2",
            "simulated:?latency=20",
            "simulated:?ledger=",
            "simulated:?ledger=a&ledger=b",
            "sqlite:x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
