//! Flags, environment, file and defaults become one [`Config`].

use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::file::File;
use super::sources::{INVENTORY_URL, PAYMENT_URL, QUEUE_URL, STATUS_URL, Sources};
use super::{Error, InventoryUrl, PaymentUrl, QueueUrl, Sourced, SqliteUrl, StatusUrl, UrlText};
use crate::domain::format_duration;
use crate::flow::Settings;
use crate::http::RateLimits;
use crate::worker;

/// Everything the program is told, valid.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the embedded stores are, unless their URLs say otherwise.
    pub data_dir: Sourced<PathBuf>,
    /// Stock and decided orders.
    pub inventory: Sourced<InventoryUrl>,
    /// The log of accepted carts.
    pub queue: Sourced<QueueUrl>,
    /// The status store.
    pub statuses: Sourced<StatusUrl>,
    /// The payment gateway.
    pub payments: Sourced<PaymentUrl>,
    /// Where the HTTP API listens.
    pub listen: Sourced<SocketAddr>,
    /// Where the HTTP API serves operators and other oms processes, if that is elsewhere.
    pub internal_listen: Sourced<Option<SocketAddr>>,
    /// The file with the tokens that requests need.
    pub tokens: Sourced<Option<PathBuf>>,
    /// The certificate of the HTTP API, with its chain.
    pub tls_cert: Sourced<Option<PathBuf>>,
    /// The key of that certificate.
    pub tls_key: Sourced<Option<PathBuf>>,
    /// The most requests per customer and per address.
    pub rate_limit: Sourced<RateLimits>,
    /// How long the HTTP API still takes requests after it was told to end.
    pub drain_delay: Sourced<Duration>,
    /// How long items are held for an order that is not settled.
    pub hold: Sourced<Duration>,
    /// How long placing an order waits for its decision.
    pub wait: Sourced<Duration>,
    /// How long one payment may take; see [`Config::settings`] for what it comes to.
    pub payment_timeout: Sourced<Duration>,
    /// More carts than this waiting for the worker: new ones are turned away.
    pub backlog_max: Sourced<u64>,
    /// The most carts a worker decides in one transaction.
    pub batch_max: Sourced<u64>,
}

/// What the command line says; none where it says nothing.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--inventory-url`.
    pub inventory_url: Option<UrlText>,
    /// `--queue-url`.
    pub queue_url: Option<UrlText>,
    /// `--status-url`.
    pub status_url: Option<UrlText>,
    /// `--payment-url`.
    pub payment_url: Option<UrlText>,
}

/// What surrounds the process.
pub struct System<'a> {
    /// Looks up an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// Where `oms.toml` is looked for.
    pub folder: &'a Path,
}

/// A setting as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its name, as in `oms.toml`.
    pub name: &'static str,
    /// Its value, without passwords.
    pub value: String,
    /// Where it came from.
    pub origin: String,
    /// The environment variable that says so, if one does.
    #[serde(skip)]
    pub variable: Option<&'static str>,
}

const HOLD: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(30 * 86_400);
/// How long requests may still be taken after a signal, at most.
pub const DRAIN_DELAY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(600);
const WAIT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(86_400);
const PAYMENT_TIMEOUT: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(3_600);

impl Config {
    /// Reads the environment and the configuration file of this process.
    ///
    /// # Errors
    /// The first thing that is wrong, with where it was said.
    pub fn load(flags: &Flags) -> Result<Self, Error> {
        Self::load_from(
            flags,
            &System {
                variable: &|name| std::env::var_os(name),
                folder: Path::new(""),
            },
        )
    }

    /// As [`Config::load`], with a given environment.
    ///
    /// # Errors
    /// The first thing that is wrong, with where it was said.
    pub fn load_from(flags: &Flags, system: &System<'_>) -> Result<Self, Error> {
        let file = File::find(flags.config.as_deref(), system.folder)?;
        let sources = Sources {
            system,
            file: &file,
        };
        let keys = &file.keys;
        let defaults = Settings::default();
        let data_dir = sources.data_dir(flags.data_dir.as_deref())?;
        let shared = SqliteUrl {
            path: data_dir.join("oms.db"),
            max_page_count: None,
        };
        Ok(Self {
            inventory: sources.url(
                INVENTORY_URL,
                flags.inventory_url.as_deref(),
                keys.inventory_url.as_ref(),
                InventoryUrl::Sqlite(shared.clone()),
                InventoryUrl::parse,
            )?,
            queue: sources.url(
                QUEUE_URL,
                flags.queue_url.as_deref(),
                keys.queue_url.as_ref(),
                QueueUrl::Sqlite(shared.clone()),
                QueueUrl::parse,
            )?,
            statuses: sources.url(
                STATUS_URL,
                flags.status_url.as_deref(),
                keys.status_url.as_ref(),
                StatusUrl::Sqlite(shared),
                StatusUrl::parse,
            )?,
            payments: sources.url(
                PAYMENT_URL,
                flags.payment_url.as_deref(),
                keys.payment_url.as_ref(),
                PaymentUrl::default(),
                PaymentUrl::parse,
            )?,
            listen: sources.listen(keys.listen.as_ref())?,
            internal_listen: sources.internal_listen(keys.internal_listen.as_ref())?,
            tokens: sources.path("tokens", "OMS_TOKENS_FILE", keys.tokens.as_ref())?,
            tls_cert: sources.path("tls-cert", "OMS_TLS_CERT", keys.tls_cert.as_ref())?,
            tls_key: sources.path("tls-key", "OMS_TLS_KEY", keys.tls_key.as_ref())?,
            rate_limit: sources.rate_limit(keys.rate_limit.as_ref())?,
            drain_delay: sources.duration(
                "drain-delay",
                "OMS_DRAIN_DELAY",
                keys.drain_delay.as_ref(),
                Duration::ZERO,
                DRAIN_DELAY,
            )?,
            hold: sources.duration("hold", "OMS_HOLD", keys.hold.as_ref(), defaults.hold, HOLD)?,
            wait: sources.duration("wait", "OMS_WAIT", keys.wait.as_ref(), defaults.wait, WAIT)?,
            payment_timeout: sources.duration(
                "payment-timeout",
                "OMS_PAYMENT_TIMEOUT",
                keys.payment_timeout.as_ref(),
                defaults.payment_timeout,
                PAYMENT_TIMEOUT,
            )?,
            backlog_max: sources.count(
                "backlog-max",
                "OMS_BACKLOG_MAX",
                keys.backlog_max.as_ref(),
                defaults.backlog_max,
                1..=1_000_000_000,
            )?,
            batch_max: sources.count(
                "batch-max",
                "OMS_BATCH_MAX",
                keys.batch_max.as_ref(),
                worker::Options::default().batch_max as u64,
                1..=100_000,
            )?,
            data_dir,
        })
    }

    /// The bounds that the flow keeps to. A payment gets at most half of the hold, so that there is time to settle.
    pub fn settings(&self) -> Settings {
        Settings {
            hold: *self.hold,
            wait: *self.wait,
            payment_timeout: self.payment_timeout.min(*self.hold / 2),
            backlog_max: *self.backlog_max,
        }
    }

    /// The file that the simulated gateway's ledger is in: the data directory's, whatever the other URLs are. None for
    /// another gateway.
    pub fn ledger(&self) -> Option<PathBuf> {
        let PaymentUrl::Simulated(gateway) = &self.payments.value else {
            return None;
        };
        let chosen = gateway.profile.ledger.clone();
        Some(chosen.unwrap_or_else(|| self.data_dir.join("payments.db")))
    }

    /// Every setting as it may be shown, named as in `oms.toml`.
    pub fn entries(&self) -> Vec<Entry> {
        fn entry<T>(name: &'static str, setting: &Sourced<T>, value: &impl ToString) -> Entry {
            Entry {
                name,
                value: value.to_string(),
                origin: setting.origin.to_string(),
                variable: setting.origin.variable(),
            }
        }
        fn optional<T>(
            name: &'static str,
            setting: &Sourced<Option<T>>,
            show: impl FnOnce(&T) -> String,
        ) -> Entry {
            let value = setting
                .value
                .as_ref()
                .map_or_else(|| "none".to_owned(), show);
            entry(name, setting, &value)
        }
        let shown = |path: &PathBuf| path.display().to_string();
        let duration =
            |name, setting: &Sourced<Duration>| entry(name, setting, &format_duration(**setting));
        vec![
            entry("data-dir", &self.data_dir, &self.data_dir.display()),
            entry("inventory-url", &self.inventory, &self.inventory.value),
            entry("queue-url", &self.queue, &self.queue.value),
            entry("status-url", &self.statuses, &self.statuses.value),
            entry("payment-url", &self.payments, &self.payments.value),
            entry("listen", &self.listen, &self.listen.value),
            optional("internal-listen", &self.internal_listen, |address| {
                address.to_string()
            }),
            optional("tokens", &self.tokens, shown),
            optional("tls-cert", &self.tls_cert, shown),
            optional("tls-key", &self.tls_key, shown),
            entry("rate-limit", &self.rate_limit, &self.rate_limit.value),
            duration("drain-delay", &self.drain_delay),
            duration("hold", &self.hold),
            duration("wait", &self.wait),
            duration("payment-timeout", &self.payment_timeout),
            entry("backlog-max", &self.backlog_max, &self.backlog_max.value),
            entry("batch-max", &self.batch_max, &self.batch_max.value),
        ]
    }
}
