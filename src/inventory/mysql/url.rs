//! The URL of a MySQL or MariaDB database.

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use url::Url;

/// The port where none is named.
const PORT: u16 = 3306;

/// The longest name of a database, in characters.
const DATABASE_CHARS_MAX: usize = 64;

/// What stands where the password stood.
const HIDDEN: &str = "***";

/// Where a database is and how to get in: `mysql://user:password@host:port/database?tls=…`, also `mariadb://`.
///
/// Neither `Display` nor `Debug` shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct MysqlUrl {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) database: String,
    pub(super) tls: Tls,
}

/// How the connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tls {
    /// Not at all.
    Off,
    /// Encrypted, whoever answers.
    Required,
    /// Encrypted, and the certificate is checked: issued by a known authority, whatever its name is.
    VerifiedAuthority {
        /// As of `Verified`.
        ca: Option<PathBuf>,
    },
    /// Encrypted, and the certificate is checked: issued by a known authority, and for this name.
    Verified {
        /// A file with the authorities to trust instead of the built-in ones, in PEM.
        ca: Option<PathBuf>,
        /// The name that the certificate must have, if not that of the host.
        name: Option<String>,
    },
}

/// A text that is no URL of a MySQL database. Shows no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not a URL, or parts of it are missing.
    #[error("{0}; expected mysql://user:password@host:3306/database")]
    Shape(String),
    /// A query parameter that is unknown.
    #[error("unknown parameter `{0}`; known are tls, tls-ca, tls-name")]
    UnknownParameter(String),
    /// A query parameter with a value that is unknown, or that fits no other.
    #[error("{0}")]
    Parameter(String),
}

impl MysqlUrl {
    /// Reads a URL. User, password and database may be percent-encoded.
    ///
    /// Parameters: `tls=off|required|verify-ca|verify-identity` (off if left out). Both that verify take `tls-ca=PATH`
    /// (trust these authorities only); `verify-identity` also takes `tls-name=NAME` (the name in the certificate, if
    /// not that of the host). For `verify-identity` the certificate must have subject alternative names, which those
    /// that MySQL makes for itself lack; `verify-ca` takes these, too.
    ///
    /// # Errors
    /// [`UrlError`], which shows no password.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let shape = |what: &str| UrlError::Shape(what.to_owned());
        let url = Url::parse(text).map_err(|error| {
            shape(&format!(
                "{error} (in user and password, characters such as / ? # @ are written %2F %3F %23 %40)"
            ))
        })?;
        if !["mysql", "mariadb"].contains(&url.scheme()) {
            return Err(shape("the scheme is neither mysql nor mariadb"));
        }
        let decoded = |part: &str, what: &str| {
            let text = percent_decode_str(part).decode_utf8();
            text.map(String::from)
                .map_err(|_| shape(&format!("the {what} is not UTF-8")))
        };
        let host = url.host_str().unwrap_or_default();
        let database = decoded(url.path().trim_start_matches('/'), "database")?;
        let user = decoded(url.username(), "user")?;
        if host.is_empty() || user.is_empty() || url.fragment().is_some() {
            let missing = if host.is_empty() { "host" } else { "user" };
            return Err(match url.fragment() {
                Some(_) => shape("the URL has a fragment (#)"),
                None => shape(&format!("the {missing} is missing")),
            });
        }
        if database.is_empty()
            || database.contains('/')
            || database.chars().count() > DATABASE_CHARS_MAX
        {
            return Err(shape("the path does not name one database"));
        }
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(PORT),
            user,
            password: url
                .password()
                .map(|password| decoded(password, "password"))
                .transpose()?,
            database,
            tls: tls(&url)?,
        })
    }

    /// Has a relative `tls-ca` start at this folder.
    #[must_use]
    pub fn relative_to(mut self, base: &Path) -> Self {
        if let Tls::Verified { ca: Some(ca), .. } | Tls::VerifiedAuthority { ca: Some(ca) } =
            &mut self.tls
        {
            *ca = base.join(&ca);
        }
        self
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Another database on the same server.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Self {
        Self {
            database: database.to_owned(),
            ..self.clone()
        }
    }

    /// `host:port`, for messages.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

fn tls(url: &Url) -> Result<Tls, UrlError> {
    let (mut mode, mut ca, mut name) = (None, None, None);
    for (key, value) in url.query_pairs() {
        let place = match key.as_ref() {
            "tls" => &mut mode,
            "tls-ca" => &mut ca,
            "tls-name" => &mut name,
            unknown => return Err(UrlError::UnknownParameter(unknown.to_owned())),
        };
        let wrong = |what: &str| UrlError::Parameter(format!("parameter `{key}` {what}"));
        if value.is_empty() {
            return Err(wrong("has no value"));
        }
        if place.replace(value.into_owned()).is_some() {
            return Err(wrong("is given twice"));
        }
    }
    match mode.as_deref() {
        Some("verify-identity") => Ok(Tls::Verified {
            ca: ca.map(PathBuf::from),
            name,
        }),
        Some("verify-ca") if name.is_none() => Ok(Tls::VerifiedAuthority {
            ca: ca.map(PathBuf::from),
        }),
        Some("verify-ca") => Err(UrlError::Parameter(
            "tls-name needs tls=verify-identity: verify-ca takes any name".to_owned(),
        )),
        None | Some("off" | "required") if ca.is_some() || name.is_some() => {
            Err(UrlError::Parameter(
                "tls-ca needs tls=verify-ca or tls=verify-identity, and tls-name the latter"
                    .to_owned(),
            ))
        }
        None | Some("off") => Ok(Tls::Off),
        Some("required") => Ok(Tls::Required),
        Some(other) => Err(UrlError::Parameter(format!(
            "tls={other} is unknown; known are off, required, verify-ca, verify-identity"
        ))),
    }
}

impl fmt::Display for MysqlUrl {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mysql://{}", self.user)?;
        if self.password.is_some() {
            write!(f, ":{HIDDEN}")?;
        }
        write!(f, "@{}/{}", self.address(), self.database)?;
        match &self.tls {
            Tls::Off => Ok(()),
            Tls::Required => f.write_str("?tls=required"),
            Tls::VerifiedAuthority { ca } => {
                f.write_str("?tls=verify-ca")?;
                ca.iter()
                    .try_for_each(|ca| write!(f, "&tls-ca={}", ca.display()))
            }
            Tls::Verified { ca, name } => {
                f.write_str("?tls=verify-identity")?;
                if let Some(ca) = ca {
                    write!(f, "&tls-ca={}", ca.display())?;
                }
                name.iter()
                    .try_for_each(|name| write!(f, "&tls-name={name}"))
            }
        }
    }
}

impl fmt::Debug for MysqlUrl {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_server_database_and_protection() {
        let url = MysqlUrl::parse("mariadb://o%40ms:p%2Fw%23@db.example:3307/shop%201").unwrap();
        assert_eq!(
            (url.host.as_str(), url.port, url.user.as_str()),
            ("db.example", 3307, "o@ms")
        );
        assert_eq!(url.password.as_deref(), Some("p/w#"));
        assert_eq!((url.database(), &url.tls), ("shop 1", &Tls::Off));
        let url = MysqlUrl::parse("mysql://root@[::1]/oms?tls=required").unwrap();
        assert_eq!(
            (url.host.as_str(), url.port, &url.password),
            ("::1", PORT, &None)
        );
        assert_eq!(
            (url.address(), url.tls),
            ("[::1]:3306".to_owned(), Tls::Required)
        );
        let text = "mysql://u:p@h/oms?tls=verify-identity&tls-ca=/etc/ca%20.pem&tls-name=db";
        let verified = Tls::Verified {
            ca: Some("/etc/ca .pem".into()),
            name: Some("db".to_owned()),
        };
        assert_eq!(MysqlUrl::parse(text).unwrap().tls, verified);
        let text = "mysql://u@h:3306/oms?tls=verify-ca&tls-ca=ca.pem";
        let url = MysqlUrl::parse(text)
            .unwrap()
            .relative_to(Path::new("/etc"));
        let shown = "mysql://u@h:3306/oms?tls=verify-ca&tls-ca=/etc/ca.pem";
        assert_eq!(url.to_string(), shown);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, said) in [
            ("mysql:oms", "host"),
            ("mysql://u@/oms", "host"),
            ("mysql://h/oms", "user"),
            ("mysql://u@h", "database"),
            ("mysql://u@h/", "database"),
            ("mysql://u@h/a/b", "database"),
            ("mysql://u@h/oms#x", "fragment"),
            ("mysql://u@h:99999/oms", "port"),
            ("postgres://u@h/oms", "scheme"),
            ("oms", "mysql://"),
            (
                "mysql://u@h/oms?ssl-mode=required",
                "known are tls, tls-ca, tls-name",
            ),
            ("mysql://u@h/oms?tls=verify", "verify-ca, verify-identity"),
            ("mysql://u@h/oms?tls=verify-ca&tls-name=x", "any name"),
            ("mysql://u@h/oms?tls=", "no value"),
            ("mysql://u@h/oms?tls=off&tls=off", "twice"),
            ("mysql://u@h/oms?tls-ca=x", "tls=verify-identity"),
            ("mysql://u@h/oms?tls=required&tls-name=x", "need"),
        ] {
            let error = MysqlUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn the_password_is_never_shown() {
        let url =
            MysqlUrl::parse("mysql://oms:hunter2@h/oms?tls=verify-identity&tls-ca=/ca").unwrap();
        let shown = "mysql://oms:***@h:3306/oms?tls=verify-identity&tls-ca=/ca";
        assert_eq!(format!("{url}"), shown);
        assert_eq!(format!("{url:?}"), shown);
        for text in [
            "mysql://oms:hun/hunter2@h/oms",
            "mysql://oms:hunter2@h/",
            "mysql://oms:hunter2@h:x/oms",
            "http://oms:hunter2@h/oms",
            "mysql://oms:%ff-hunter2@h/oms",
        ] {
            let error = MysqlUrl::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
