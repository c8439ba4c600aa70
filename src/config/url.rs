//! Where the backends are: one URL per port.

use std::fmt;
use std::path::{Path, PathBuf};

use url::form_urlencoded;

use super::{parse_count, redact};
use crate::payments::simulated::Profile;

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
#[derive(Debug, Clone, PartialEq)]
pub enum PaymentUrl {
    /// The simulated one.
    Simulated(SimulatedUrl),
}

/// The simulated gateway: `simulated:?success=0.95&…`.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedUrl {
    text: String,
    /// How it behaves, and where its ledger is if the URL says so.
    pub profile: Profile,
}

impl StoreUrl {
    /// Reads the URL of a store. A relative path starts at `base`.
    ///
    /// # Errors
    /// [`UrlError`], which shows no password.
    pub fn parse(port: Port, text: &str, base: &Path) -> Result<Self, UrlError> {
        let ("sqlite", rest) = scheme(port, text)? else {
            return Err(unknown(port, text));
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
        let ("simulated", _) = scheme(Port::Payments, text)? else {
            return Err(unknown(Port::Payments, text));
        };
        let mut profile = Profile::parse(text).map_err(|error| UrlError::Parameter {
            url: redact(text),
            detail: error.to_string(),
        })?;
        profile.ledger = profile.ledger.map(|path| base.join(path));
        Ok(Self::Simulated(SimulatedUrl {
            text: text.to_owned(),
            profile,
        }))
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
            Self::Simulated(gateway) => f.write_str(&redact(&gateway.text)),
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
    fn a_simulated_gateway_is_checked_before_anything_is_opened() {
        let parse = |text| PaymentUrl::parse(text, Path::new("base"));
        let PaymentUrl::Simulated(gateway) = parse("simulated:?success=0.5&ledger=p.db").unwrap();
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
            "http://pay",
            "sqlite:x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
