//! Where the backends are: one URL per port.

use std::fmt;
use std::path::{Path, PathBuf};

use url::form_urlencoded;

use super::{parse_count, redact};

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

    /// An example of a URL this build can open for the port.
    const fn example(self) -> &'static str {
        match self {
            Self::Inventory | Self::Queue | Self::Statuses => "sqlite:PATH",
            Self::Payments => "simulated:?success=0.95",
        }
    }
}

/// Schemes of backends that the design knows and this build does not speak.
const NOT_IN_THIS_BUILD: [&str; 8] = [
    "mysql",
    "mariadb",
    "kafka",
    "redis",
    "rediss",
    "redis-cluster",
    "http",
    "https",
];

/// A URL that names no backend of a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// A backend that this build cannot speak to.
    #[error("`{url}`: this build speaks sqlite: and simulated: only; for {} write {}", port.as_str(), port.example())]
    NotInThisBuild {
        /// The URL, without passwords.
        url: String,
        /// Which port it is for.
        port: Port,
    },
    /// No backend that the port could have.
    #[error("`{url}` is no URL for {}; write one such as {}", port.as_str(), port.example())]
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
    /// A parameter that the backend does not have, or with a value it cannot have.
    #[error("`{url}`: {detail}")]
    Parameter {
        /// The URL, without passwords.
        url: String,
        /// What is wrong.
        detail: String,
    },
}

/// Where inventory, queue or statuses are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// In a SQLite file.
    Sqlite(SqliteUrl),
}

/// A SQLite file: `sqlite:PATH[?max_page_count=N]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteUrl {
    /// The file.
    pub path: PathBuf,
    /// The most pages it may have.
    pub max_page_count: Option<u32>,
}

/// Where the payment gateway is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentUrl {
    /// The simulated one.
    Simulated(SimulatedUrl),
}

/// The simulated gateway: `simulated:?success=0.95&…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedUrl {
    /// The URL without its ledger: how the gateway behaves.
    pub profile: String,
    /// The file that its ledger is in; none for `payments.db` in the data directory.
    pub ledger: Option<PathBuf>,
}

impl StoreUrl {
    /// Reads the URL of a store. A relative path starts at `base`.
    ///
    /// # Errors
    /// [`UrlError`], which shows no password.
    pub fn parse(port: Port, text: &str, base: &Path) -> Result<Self, UrlError> {
        let rest = match scheme(port, text)? {
            ("sqlite", rest) => rest,
            _ => return Err(unknown(port, text)),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        // `sqlite://host/path` would silently be a path at the root.
        let is_authority = path.starts_with("//") && !path.starts_with("///");
        if path.is_empty() || path.ends_with('/') || path == ":memory:" || is_authority {
            return Err(UrlError::NoPath { url: redact(text) });
        }
        let mut max_page_count = None;
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let wrong = |detail: String| UrlError::Parameter {
                url: redact(text),
                detail,
            };
            if key != "max_page_count" {
                return Err(wrong(format!(
                    "unknown parameter `{key}`; known is max_page_count"
                )));
            }
            let pages = parse_count(&value).map_err(|error| wrong(error.to_string()))?;
            max_page_count = match u32::try_from(pages) {
                Ok(pages @ 1..) => Some(pages),
                _ => return Err(wrong(format!("max_page_count {pages} is out of range"))),
            };
        }
        Ok(Self::Sqlite(SqliteUrl {
            path: base.join(path),
            max_page_count,
        }))
    }
}

impl PaymentUrl {
    /// Reads the URL of a payment gateway. A relative path starts at `base`.
    ///
    /// # Errors
    /// [`UrlError`], which shows no password.
    pub fn parse(text: &str, base: &Path) -> Result<Self, UrlError> {
        let rest = match scheme(Port::Payments, text)? {
            ("simulated", rest) => rest,
            _ => return Err(unknown(Port::Payments, text)),
        };
        let query = rest.strip_prefix('?').unwrap_or(rest);
        if query.len() == rest.len() && !rest.is_empty() {
            return Err(unknown(Port::Payments, text));
        }
        let is_ledger = |pair: &&str| pair.split('=').next() == Some("ledger");
        let (ledgers, behaviour): (Vec<&str>, Vec<&str>) = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .partition(is_ledger);
        let ledger = match ledgers.as_slice() {
            [] => None,
            [pair] => Some(ledger_path(pair).ok_or_else(|| UrlError::Parameter {
                url: redact(text),
                detail: "ledger names no file; write ledger=PATH".to_owned(),
            })?),
            _ => {
                return Err(UrlError::Parameter {
                    url: redact(text),
                    detail: "ledger is given twice".to_owned(),
                });
            }
        };
        let profile = if behaviour.is_empty() {
            "simulated:".to_owned()
        } else {
            format!("simulated:?{}", behaviour.join("&"))
        };
        Ok(Self::Simulated(SimulatedUrl {
            profile,
            ledger: ledger.map(|path| base.join(path)),
        }))
    }
}

fn ledger_path(pair: &str) -> Option<String> {
    let (_, path) = form_urlencoded::parse(pair.as_bytes()).next()?;
    (!path.is_empty()).then(|| path.into_owned())
}

/// Splits a URL after its scheme; a scheme that this build does not speak is an error.
fn scheme(port: Port, text: &str) -> Result<(&str, &str), UrlError> {
    let Some((scheme, rest)) = text.split_once(':') else {
        return Err(unknown(port, text));
    };
    if NOT_IN_THIS_BUILD.contains(&scheme) {
        return Err(UrlError::NotInThisBuild {
            url: redact(text),
            port,
        });
    }
    Ok((scheme, rest))
}

fn unknown(port: Port, text: &str) -> UrlError {
    UrlError::Unknown {
        url: redact(text),
        port,
    }
}

impl fmt::Display for StoreUrl {
    /// Without passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => {
                write!(f, "sqlite:{}", file.path.display())?;
                match file.max_page_count {
                    Some(pages) => write!(f, "?max_page_count={pages}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for PaymentUrl {
    /// Without passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simulated(gateway) => {
                f.write_str(&redact(&gateway.profile))?;
                match &gateway.ledger {
                    Some(path) => {
                        let first = !gateway.profile.contains('?');
                        let mark = if first { '?' } else { '&' };
                        write!(f, "{mark}ledger={}", path.display())
                    }
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(text: &str) -> Result<StoreUrl, UrlError> {
        StoreUrl::parse(Port::Queue, text, Path::new("base"))
    }

    #[test]
    fn a_sqlite_url_names_a_file_and_its_bound() {
        for (text, path, pages) in [
            ("sqlite:oms.db", "base/oms.db", None),
            ("sqlite:/a b/oms.db", "/a b/oms.db", None),
            ("sqlite:///x/oms.db", "///x/oms.db", None),
            ("sqlite:o.db?max_page_count=64", "base/o.db", Some(64)),
        ] {
            let expected = SqliteUrl {
                path: path.into(),
                max_page_count: pages,
            };
            assert_eq!(store(text), Ok(StoreUrl::Sqlite(expected)), "{text}");
        }
        for text in [
            "sqlite:",
            "sqlite:dir/",
            "sqlite::memory:",
            "sqlite://host/x",
            "sqlite:a?pages=3",
            "sqlite:a?max_page_count=0",
            "sqlite:a?max_page_count=many",
            "simulated:",
            "oms.db",
            "",
        ] {
            assert!(store(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_backend_of_another_build_is_refused_without_its_password() {
        let error = store("kafka://u:hunter2@a:9092/carts").unwrap_err();
        assert!(matches!(error, UrlError::NotInThisBuild { .. }));
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn the_ledger_is_told_apart_from_the_behaviour() {
        let parse = |text| PaymentUrl::parse(text, Path::new("base"));
        for (text, profile, ledger) in [
            ("simulated:", "simulated:", None),
            ("simulated:?success=1", "simulated:?success=1", None),
            (
                "simulated:?seed=7&ledger=p.db&success=0.5",
                "simulated:?seed=7&success=0.5",
                Some("base/p.db"),
            ),
        ] {
            let expected = SimulatedUrl {
                profile: profile.to_owned(),
                ledger: ledger.map(PathBuf::from),
            };
            assert_eq!(parse(text), Ok(PaymentUrl::Simulated(expected)), "{text}");
        }
        for text in [
            "simulated:success=1",
            "simulated:?ledger=",
            "simulated:?ledger=a&ledger=b",
            "http://pay",
            "sqlite:x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
