//! Where a service is, and how it is spoken to: `http(s)://[user:password@]host[:port][/base][?parameters]`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::domain::{format_duration, parse_duration};

/// Parameters of every service.
const KNOWN: [&str; 4] = ["timeout", "connections", "tls-ca", "token-file"];

/// Parameters of a service that is stormed.
const KNOWN_OF_TARGETS: [&str; 2] = ["tls-ca", "token-file"];

/// The parameter of payment gateways only.
const CURRENCY: &str = "currency";

/// The most connections to one service.
const CONNECTIONS_MAX: usize = 65_536;

/// The longest time that one request may take.
const TIMEOUT_MAX: Duration = Duration::from_secs(3_600);

/// Where a service is. What stands before the `@` is never shown: a password, or a user that is a secret key.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl {
    /// Scheme, host, port and path; nothing else.
    location: Url,
    user: Option<(String, String)>,
    timeout: Option<Duration>,
    connections: Option<usize>,
    tls_ca: Option<PathBuf>,
    token_file: Option<PathBuf>,
    currency: Option<String>,
}

/// A text that says not where a service is. It shows no part of the text that could be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not HTTP, or not a URL.
    #[error("write a URL such as http://127.0.0.1:8080 or https://user:password@host/base")]
    NotHttp,
    /// An `@` where none can be: most likely a password that is not encoded.
    #[error(
        "there is an `@` after the host: write a password's /, ?, # and @ as %2F, %3F, %23 and %40"
    )]
    StrayAt,
    /// `#…`.
    #[error("it ends with a fragment, which no service sees")]
    Fragment,
    /// A user that is not text once decoded.
    #[error("user and password are no text")]
    User,
    /// A parameter that there is not.
    #[error("unknown parameter `{key}`; known are {known}")]
    UnknownParameter {
        /// Its name.
        key: String,
        /// The names that there are.
        known: String,
    },
    /// A parameter that is there twice.
    #[error("the parameter `{0}` is there twice")]
    Twice(String),
    /// A value that a parameter cannot have.
    #[error("{key}: {detail}")]
    Value {
        /// The parameter.
        key: &'static str,
        /// What is wrong with its value.
        detail: String,
    },
    /// Two ways to say who asks.
    #[error("it has a user and a token-file: give one of them")]
    TwoUsers,
    /// Certificates without TLS.
    #[error("tls-ca needs https://")]
    NoTls,
}

impl HttpUrl {
    /// Reads the URL of a service. Its parameters are `timeout=10s` (of one request), `connections=64` (the most at
    /// once), `tls-ca=PATH` (trust the authorities in this PEM file, and no others) and `token-file=PATH` (a bearer
    /// token). User and password are sent as basic authentication.
    ///
    /// # Errors
    /// [`UrlError`], which shows no password.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        Self::read(text, &KNOWN)
    }

    /// Reads the URL of a payment gateway, which can also have `currency=EUR`.
    ///
    /// # Errors
    /// [`UrlError`], which shows no password.
    pub fn parse_gateway(text: &str) -> Result<Self, UrlError> {
        let mut known = KNOWN.to_vec();
        known.push(CURRENCY);
        Self::read(text, &known)
    }

    /// Reads the URL of a service that is to be stormed, which can have `tls-ca` and `token-file` only: how many
    /// connections there are and how long an answer may take is up to the storm.
    ///
    /// # Errors
    /// [`UrlError`], which shows no password.
    pub fn parse_target(text: &str) -> Result<Self, UrlError> {
        Self::read(text, &KNOWN_OF_TARGETS)
    }

    fn read(text: &str, known: &[&str]) -> Result<Self, UrlError> {
        let mut url = Url::parse(text).map_err(|_| UrlError::NotHttp)?;
        if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
            return Err(UrlError::NotHttp);
        }
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        if url.path().contains('@') || url.query().is_some_and(|query| query.contains('@')) {
            return Err(UrlError::StrayAt);
        }
        let user = user_of(&url)?;
        let parameters = url.clone();
        url.set_query(None);
        // These cannot fail: there is a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let mut read = Self {
            location: url,
            user,
            timeout: None,
            connections: None,
            tls_ca: None,
            token_file: None,
            currency: None,
        };
        for (key, value) in parameters.query_pairs() {
            if !known.contains(&&*key) {
                return Err(UrlError::UnknownParameter {
                    key: key.chars().take(32).collect(),
                    known: known.join(", "),
                });
            }
            read.set(&key, &value)?;
        }
        if read.user.is_some() && read.token_file.is_some() {
            return Err(UrlError::TwoUsers);
        }
        if read.tls_ca.is_some() && !read.is_secure() {
            return Err(UrlError::NoTls);
        }
        Ok(read)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), UrlError> {
        let taken = match key {
            "timeout" => self.timeout.replace(timeout(value)?).is_some(),
            "connections" => self.connections.replace(connections(value)?).is_some(),
            "tls-ca" => self.tls_ca.replace(file("tls-ca", value)?).is_some(),
            "token-file" => self
                .token_file
                .replace(file("token-file", value)?)
                .is_some(),
            _ => self.currency.replace(currency(value)?).is_some(),
        };
        if taken {
            return Err(UrlError::Twice(key.to_owned()));
        }
        Ok(())
    }

    /// With the files that it names by relative paths in a folder.
    #[must_use]
    pub fn relative_to(mut self, base: &Path) -> Self {
        for path in [&mut self.tls_ca, &mut self.token_file] {
            *path = path.take().map(|path| base.join(path));
        }
        self
    }

    /// How long one request may take, if it says.
    pub const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The most connections at once, if it says.
    pub const fn connections(&self) -> Option<usize> {
        self.connections
    }

    /// The currency of charges, if it says.
    pub fn currency(&self) -> Option<&str> {
        self.currency.as_deref()
    }

    /// `https`.
    pub(super) fn is_secure(&self) -> bool {
        self.location.scheme() == "https"
    }

    /// The host as it stands in a URL: an IPv6 address in brackets.
    pub(super) fn host(&self) -> &str {
        self.location.host_str().unwrap_or_default()
    }

    /// The port, named or not.
    pub(super) fn port(&self) -> u16 {
        self.location.port_or_known_default().unwrap_or(80)
    }

    /// Scheme, host, port and base path: the same for every way to write them, and without user and parameters.
    pub fn place(&self) -> String {
        let (scheme, host, port) = (self.location.scheme(), self.host(), self.port());
        format!("{scheme}://{host}:{port}{}", self.base())
    }

    /// Host and port as the header `Host` has them.
    pub(super) fn authority(&self) -> String {
        match self.location.port() {
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_owned(),
        }
    }

    /// What stands before every path; without a slash at its end.
    pub(super) fn base(&self) -> &str {
        self.location.path().trim_end_matches('/')
    }

    /// User and password, decoded.
    pub(super) fn user(&self) -> Option<(&str, &str)> {
        let (user, password) = self.user.as_ref()?;
        Some((user, password))
    }

    pub(super) fn tls_ca(&self) -> Option<&Path> {
        self.tls_ca.as_deref()
    }

    pub(super) fn token_file(&self) -> Option<&Path> {
        self.token_file.as_deref()
    }
}

fn user_of(url: &Url) -> Result<Option<(String, String)>, UrlError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decoded = |text: &str| match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(UrlError::User),
    };
    let user = decoded(url.username())?;
    // Basic authentication ends the user at the first colon.
    if user.contains(':') {
        return Err(UrlError::User);
    }
    Ok(Some((user, decoded(url.password().unwrap_or_default())?)))
}

fn wrong(key: &'static str, detail: impl Into<String>) -> UrlError {
    UrlError::Value {
        key,
        detail: detail.into(),
    }
}

fn timeout(value: &str) -> Result<Duration, UrlError> {
    let timeout = parse_duration(value).map_err(|error| wrong("timeout", error.to_string()))?;
    if timeout.is_zero() || timeout > TIMEOUT_MAX {
        let most = format_duration(TIMEOUT_MAX);
        return Err(wrong("timeout", format!("more than 0 and at most {most}")));
    }
    Ok(timeout)
}

fn connections(value: &str) -> Result<usize, UrlError> {
    match value.parse() {
        Ok(connections @ 1..=CONNECTIONS_MAX) => Ok(connections),
        _ => Err(wrong(
            "connections",
            format!("a whole number from 1 to {CONNECTIONS_MAX} is needed"),
        )),
    }
}

fn file(key: &'static str, value: &str) -> Result<PathBuf, UrlError> {
    if value.is_empty() {
        return Err(wrong(key, "it names no file"));
    }
    Ok(PathBuf::from(value))
}

fn currency(value: &str) -> Result<String, UrlError> {
    if value.len() == 3 && value.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(value.to_owned());
    }
    Err(wrong(
        CURRENCY,
        "three capital letters such as EUR are needed",
    ))
}

impl fmt::Display for HttpUrl {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = if self.user.is_some() { "***@" } else { "" };
        let (scheme, authority) = (self.location.scheme(), self.authority());
        write!(f, "{scheme}://{hidden}{authority}{}", self.base())?;
        let path = |path: &PathBuf| path.display().to_string();
        let parameters = [
            ("timeout", self.timeout.map(format_duration)),
            ("connections", self.connections.map(|most| most.to_string())),
            ("tls-ca", self.tls_ca.as_ref().map(path)),
            ("token-file", self.token_file.as_ref().map(path)),
            (CURRENCY, self.currency.clone()),
        ];
        let mut mark = '?';
        for (key, value) in parameters {
            if let Some(value) = value {
                write!(f, "{mark}{key}={value}")?;
                mark = '&';
            }
        }
        Ok(())
    }
}

impl fmt::Debug for HttpUrl {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_host_base_and_parameters() {
        let url =
            HttpUrl::parse("https://pay.example:8443/base/?timeout=2s&connections=8&tls-ca=ca.pem");
        let url = url.unwrap().relative_to(Path::new("/etc/oms"));
        assert!(url.is_secure());
        assert_eq!(
            (url.host(), url.port(), url.base()),
            ("pay.example", 8443, "/base")
        );
        assert_eq!(url.timeout(), Some(Duration::from_secs(2)));
        assert_eq!(url.connections(), Some(8));
        assert_eq!(url.tls_ca(), Some(Path::new("/etc/oms/ca.pem")));
        assert_eq!(
            url.to_string(),
            "https://pay.example:8443/base?timeout=2s&connections=8&tls-ca=/etc/oms/ca.pem"
        );
        let plain = HttpUrl::parse("http://[::1]").unwrap();
        assert_eq!(
            (plain.host(), plain.port(), plain.base()),
            ("[::1]", 80, "")
        );
        assert_eq!(plain.authority(), "[::1]");
        let gateway = HttpUrl::parse_gateway("http://pay?currency=GBP").unwrap();
        assert_eq!(gateway.currency(), Some("GBP"));
        assert!(HttpUrl::parse_target("https://shop?tls-ca=ca.pem").is_ok());
        assert!(HttpUrl::parse_target("https://shop?connections=5").is_err());
    }

    #[test]
    fn user_and_password_are_decoded_and_never_shown() {
        for (text, user, password) in [
            ("http://shop:hunter2@pay", "shop", "hunter2"),
            ("http://hunter2@pay/x", "hunter2", ""),
            ("http://:hunter2@pay", "", "hunter2"),
            ("http://a:hunter2%40%2F+%C3%A4@pay", "a", "hunter2@/+ä"),
        ] {
            let url = HttpUrl::parse(text).unwrap();
            assert_eq!(url.user(), Some((user, password)));
            let shown = format!("{url} {url:?} {url:#?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.starts_with("http://***@pay"), "{shown}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for text in [
            "hunter2",
            "ftp://x:hunter2@pay",
            "http://",
            "http://u:hun/hunter2@pay",
            "http://u:hun?hunter2@pay",
            "http://u:1/hunter2@pay",
            "http://u:1?hunter2@pay",
            "http://u:1#hunter2@pay",
            "http://u:%ffhunter2@pay",
            "http://u%3A:hunter2@pay",
            "http://u:hunter2@pay?time=1s",
            "http://u:hunter2@pay?currency=EUR",
            "http://u:hunter2@pay?timeout=1s&timeout=2s",
            "http://u:hunter2@pay?timeout=0s",
            "http://u:hunter2@pay?timeout=10",
            "http://u:hunter2@pay?connections=0",
            "http://u:hunter2@pay?tls-ca=",
            "http://u:hunter2@pay?tls-ca=ca.pem",
            "http://u:hunter2@pay?token-file=t",
        ] {
            let error = HttpUrl::parse(text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2"), "{text}: {shown}");
        }
        for text in ["http://pay?currency=euro", "http://pay?currency=eur"] {
            assert!(HttpUrl::parse_gateway(text).is_err(), "{text}");
        }
    }
}
