//! Flags, environment, file and defaults become one [`Config`].

use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use toml::Spanned;

use super::file::File;
use super::{
    Error, InventoryUrl, Origin, PaymentUrl, QueueUrl, Sourced, SqliteUrl, StatusUrl, UrlText,
    ValueError, parse_count,
};
use crate::domain::{format_duration, parse_duration};
use crate::flow::Settings;
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
}

const HOLD: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(30 * 86_400);
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
            }
        }
        let duration =
            |name, setting: &Sourced<Duration>| entry(name, setting, &format_duration(**setting));
        vec![
            entry("data-dir", &self.data_dir, &self.data_dir.display()),
            entry("inventory-url", &self.inventory, &self.inventory.value),
            entry("queue-url", &self.queue, &self.queue.value),
            entry("status-url", &self.statuses, &self.statuses.value),
            entry("payment-url", &self.payments, &self.payments.value),
            entry("listen", &self.listen, &self.listen.value),
            duration("hold", &self.hold),
            duration("wait", &self.wait),
            duration("payment-timeout", &self.payment_timeout),
            entry("backlog-max", &self.backlog_max, &self.backlog_max.value),
            entry("batch-max", &self.batch_max, &self.batch_max.value),
        ]
    }
}

/// What a URL setting is called in each place.
#[derive(Clone, Copy)]
struct UrlNames {
    name: &'static str,
    flag: &'static str,
    variable: &'static str,
    variable_file: &'static str,
}

const INVENTORY_URL: UrlNames = UrlNames {
    name: "inventory-url",
    flag: "--inventory-url",
    variable: "OMS_INVENTORY_URL",
    variable_file: "OMS_INVENTORY_URL_FILE",
};
const QUEUE_URL: UrlNames = UrlNames {
    name: "queue-url",
    flag: "--queue-url",
    variable: "OMS_QUEUE_URL",
    variable_file: "OMS_QUEUE_URL_FILE",
};
const STATUS_URL: UrlNames = UrlNames {
    name: "status-url",
    flag: "--status-url",
    variable: "OMS_STATUS_URL",
    variable_file: "OMS_STATUS_URL_FILE",
};
const PAYMENT_URL: UrlNames = UrlNames {
    name: "payment-url",
    flag: "--payment-url",
    variable: "OMS_PAYMENT_URL",
    variable_file: "OMS_PAYMENT_URL_FILE",
};

/// Where values are looked for below the flags.
struct Sources<'a> {
    system: &'a System<'a>,
    file: &'a File,
}

impl Sources<'_> {
    /// An environment variable as text; an empty one counts as unset.
    fn variable(&self, name: &'static str, setting: &'static str) -> Result<Option<String>, Error> {
        let Some(value) = (self.system.variable)(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        match value.into_string() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Error::Value {
                name: setting,
                origin: Origin::Environment(name),
                source: ValueError::NotText,
            }),
        }
    }

    fn origin<T>(&self, value: &Spanned<T>) -> Origin {
        Origin::File {
            path: self.file.path.clone(),
            line: self.file.line_of(value),
        }
    }

    /// A value as text from environment or file, parsed; else the default.
    fn text<T, E: Into<ValueError>>(
        &self,
        name: &'static str,
        variable: &'static str,
        key: Option<&Spanned<String>>,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Sourced<T>, Error> {
        let (text, origin) = match (self.variable(variable, name)?, key) {
            (Some(text), _) => (text, Origin::Environment(variable)),
            (None, Some(value)) => (value.get_ref().clone(), self.origin(value)),
            (None, None) => return Ok(Sourced::by_default(default)),
        };
        valid(name, origin, parse(&text))
    }

    fn data_dir(&self, flag: Option<&Path>) -> Result<Sourced<PathBuf>, Error> {
        let name = "data-dir";
        let (path, origin) = if let Some(path) = flag {
            (path.to_path_buf(), Origin::Flag("--data-dir"))
        } else if let Some(path) =
            (self.system.variable)("OMS_DATA_DIR").filter(|path| !path.is_empty())
        {
            (PathBuf::from(path), Origin::Environment("OMS_DATA_DIR"))
        } else if let Some(path) = &self.file.keys.data_dir {
            // An empty path must not become the file's own folder.
            let joined = match path.get_ref().as_str() {
                "" => PathBuf::new(),
                path => self.file.folder().join(path),
            };
            (joined, self.origin(path))
        } else {
            return Ok(Sourced::by_default(PathBuf::from("./oms-data")));
        };
        let valid_path = if path.as_os_str().is_empty() {
            Err(ValueError::Empty)
        } else {
            Ok(path)
        };
        valid(name, origin, valid_path)
    }

    fn url<T>(
        &self,
        names: UrlNames,
        flag: Option<&str>,
        key: Option<&Spanned<String>>,
        default: T,
        parse: impl FnOnce(&str, &Path) -> Result<T, super::UrlError>,
    ) -> Result<Sourced<T>, Error> {
        let here = Path::new("");
        let (text, origin, base) = if let Some(text) = flag {
            (text.to_owned(), Origin::Flag(names.flag), here)
        } else if let Some((text, origin)) = self.url_variable(names)? {
            (text, origin, here)
        } else if let Some(value) = key {
            let origin = self.origin(value);
            (value.get_ref().clone(), origin, self.file.folder())
        } else {
            return Ok(Sourced::by_default(default));
        };
        valid(names.name, origin, parse(text.trim(), base))
    }

    /// The URL that the environment gives, itself or by the name of a file.
    fn url_variable(&self, names: UrlNames) -> Result<Option<(String, Origin)>, Error> {
        let text = self.variable(names.variable, names.name)?;
        let path = (self.system.variable)(names.variable_file).filter(|path| !path.is_empty());
        match (text, path) {
            (Some(_), Some(_)) => Err(Error::Twice {
                variable: names.variable,
            }),
            (Some(text), None) => Ok(Some((text, Origin::Environment(names.variable)))),
            (None, Some(path)) => {
                let path = PathBuf::from(path);
                match std::fs::read_to_string(&path) {
                    Ok(text) => Ok(Some((text, Origin::UrlFile(names.variable_file)))),
                    Err(source) => Err(Error::Read { path, source }),
                }
            }
            (None, None) => Ok(None),
        }
    }

    fn listen(&self, key: Option<&Spanned<String>>) -> Result<Sourced<SocketAddr>, Error> {
        let default = SocketAddr::from(([127, 0, 0, 1], 8080));
        self.text("listen", "OMS_LISTEN", key, default, |text| {
            text.parse()
                .map_err(|_| ValueError::Listen(text.chars().take(64).collect()))
        })
    }

    fn duration(
        &self,
        name: &'static str,
        variable: &'static str,
        key: Option<&Spanned<String>>,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Result<Sourced<Duration>, Error> {
        self.text(name, variable, key, default, |text| {
            within(parse_duration(text)?, &range, |duration| {
                format_duration(*duration)
            })
        })
    }

    fn count(
        &self,
        name: &'static str,
        variable: &'static str,
        key: Option<&Spanned<u64>>,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<Sourced<u64>, Error> {
        let (count, origin) = match (self.variable(variable, name)?, key) {
            (Some(text), _) => {
                let origin = Origin::Environment(variable);
                (parse_count(&text).map_err(ValueError::from), origin)
            }
            (None, Some(value)) => (Ok(*value.get_ref()), self.origin(value)),
            (None, None) => return Ok(Sourced::by_default(default)),
        };
        let count = count.and_then(|count| within(count, &range, u64::to_string));
        valid(name, origin, count)
    }
}

fn within<T: PartialOrd>(
    value: T,
    range: &RangeInclusive<T>,
    show: impl Fn(&T) -> String,
) -> Result<T, ValueError> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(ValueError::OutOfRange {
        value: show(&value),
        least: show(range.start()),
        most: show(range.end()),
    })
}

fn valid<T, E: Into<ValueError>>(
    name: &'static str,
    origin: Origin,
    value: Result<T, E>,
) -> Result<Sourced<T>, Error> {
    match value {
        Ok(value) => Ok(Sourced { value, origin }),
        Err(source) => Err(Error::Value {
            name,
            origin,
            source: source.into(),
        }),
    }
}
