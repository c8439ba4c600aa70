//! Where a setting's value is looked for below the flags: in the environment, then in the configuration file.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::file::File;
use super::load::System;
use super::{Error, Origin, Sourced, ValueError, parse_count};
use crate::domain::{format_duration, parse_duration};
use crate::http::RateLimits;

/// What a URL setting is called in each place.
#[derive(Clone, Copy)]
pub(super) struct UrlNames {
    name: &'static str,
    flag: &'static str,
    variable: &'static str,
    variable_file: &'static str,
}

/// All names of a URL setting follow from its own.
macro_rules! url_names {
    ($name:literal, $variable:literal) => {
        UrlNames {
            name: $name,
            flag: concat!("--", $name),
            variable: $variable,
            variable_file: concat!($variable, "_FILE"),
        }
    };
}

pub(super) const INVENTORY_URL: UrlNames = url_names!("inventory-url", "OMS_INVENTORY_URL");
pub(super) const QUEUE_URL: UrlNames = url_names!("queue-url", "OMS_QUEUE_URL");
pub(super) const STATUS_URL: UrlNames = url_names!("status-url", "OMS_STATUS_URL");
pub(super) const PAYMENT_URL: UrlNames = url_names!("payment-url", "OMS_PAYMENT_URL");

/// Where values are looked for below the flags.
pub(super) struct Sources<'a> {
    pub(super) system: &'a System<'a>,
    pub(super) file: &'a File,
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

    pub(super) fn data_dir(&self, flag: Option<&Path>) -> Result<Sourced<PathBuf>, Error> {
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

    pub(super) fn url<T>(
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

    pub(super) fn listen(
        &self,
        key: Option<&Spanned<String>>,
    ) -> Result<Sourced<SocketAddr>, Error> {
        let default = SocketAddr::from(([127, 0, 0, 1], 8080));
        self.text("listen", "OMS_LISTEN", key, default, |text| {
            text.parse()
                .map_err(|_| ValueError::Listen(text.chars().take(64).collect()))
        })
    }

    pub(super) fn internal_listen(
        &self,
        key: Option<&Spanned<String>>,
    ) -> Result<Sourced<Option<SocketAddr>>, Error> {
        self.text(
            "internal-listen",
            "OMS_INTERNAL_LISTEN",
            key,
            None,
            |text| {
                text.parse()
                    .map(Some)
                    .map_err(|_| ValueError::Listen(text.chars().take(64).collect()))
            },
        )
    }

    pub(super) fn rate_limit(
        &self,
        key: Option<&Spanned<String>>,
    ) -> Result<Sourced<RateLimits>, Error> {
        let none = RateLimits::default();
        self.text("rate-limit", "OMS_RATE_LIMIT", key, none, str::parse)
    }

    /// A file. In the configuration file, a relative path starts at that file's folder.
    pub(super) fn path(
        &self,
        name: &'static str,
        variable: &'static str,
        key: Option<&Spanned<String>>,
    ) -> Result<Sourced<Option<PathBuf>>, Error> {
        if let Some(path) = (self.system.variable)(variable).filter(|path| !path.is_empty()) {
            let origin = Origin::Environment(variable);
            return Ok(Sourced {
                value: Some(PathBuf::from(path)),
                origin,
            });
        }
        let Some(path) = key else {
            return Ok(Sourced::by_default(None));
        };
        let value = match path.get_ref().as_str() {
            "" => Err(ValueError::Empty),
            path => Ok(Some(self.file.folder().join(path))),
        };
        valid(name, self.origin(path), value)
    }

    pub(super) fn duration(
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

    pub(super) fn count(
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
