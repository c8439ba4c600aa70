//! Where Redis is: one server or a cluster, with or without TLS.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::percent_decode_str;

/// What keys begin with unless the URL says otherwise.
const PREFIX: &str = "oms:";

/// The longest prefix, in bytes: it is in every key.
const PREFIX_BYTES_MAX: usize = 64;

/// The port of a host that names none.
const PORT: u16 = 6379;

/// The URL of a Redis or Valkey server, or of a cluster.
///
/// `redis://[[user]:password@]host[:port][/db]`, `redis-cluster://[[user]:password@]host[:port],host[:port]…`, and
/// `rediss://`, `rediss-cluster://` for TLS. Parameters: `prefix` of all keys (`oms:`), `tls-ca`, a file with the
/// certificates that are trusted instead of the system's. User and password are percent-decoded. Neither `Display`
/// nor `Debug` shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    tls: bool,
    cluster: bool,
    user: Option<String>,
    password: Option<String>,
    hosts: Vec<(String, u16)>,
    db: u32,
    prefix: String,
    tls_ca: Option<PathBuf>,
}

/// A text that is no URL of Redis. None of these repeats what may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// Another scheme, or none.
    #[error(
        "not a URL of Redis: expected redis://, rediss://, redis-cluster:// or rediss-cluster://"
    )]
    Scheme,
    /// A character of the password that stands for something else in a URL.
    #[error(
        "`@` or `#` after the host: in a user or password write `/` as %2F, `?` as %3F, `#` as %23 and `@` as %40"
    )]
    NotEncoded,
    /// `user@host`.
    #[error("a user without a password: write user:password@host")]
    UserWithoutPassword,
    /// Percent-encoded bytes that are no text.
    #[error("the {0} is not UTF-8 once decoded")]
    NotUtf8(&'static str),
    /// Nothing where a host belongs.
    #[error("a host is missing: write redis://host:6379, or redis-cluster://host:6379,host:6379")]
    NoHost,
    /// Several hosts without a cluster.
    #[error("several hosts: write redis-cluster:// (or rediss-cluster://) if they are one cluster")]
    ManyHosts,
    /// No port number.
    #[error("the port of `{host}` is no number from 1 to 65535")]
    Port {
        /// Whose port it is.
        host: String,
    },
    /// Something else than a number after the host.
    #[error("the database after the host is no number: write redis://host:6379/0")]
    Database,
    /// A database of a cluster.
    #[error("a cluster has only the database 0")]
    DatabaseOfCluster,
    /// A parameter that nobody knows.
    #[error("`{0}` is no parameter of a Redis URL: known are prefix and tls-ca")]
    UnknownParameter(String),
    /// The same parameter twice.
    #[error("`{0}` is given twice")]
    Twice(&'static str),
    /// A prefix that would break hash tags, patterns or key listings.
    #[error("the prefix must have 1 to {PREFIX_BYTES_MAX} letters, digits, `:`, `.`, `_` or `-`")]
    Prefix,
    /// A CA for a connection that is not encrypted.
    #[error("tls-ca needs rediss:// or rediss-cluster://")]
    CaWithoutTls,
}

impl RedisUrl {
    /// Has a relative `tls-ca` start at this folder.
    #[must_use]
    pub fn relative_to(mut self, base: &Path) -> Self {
        self.tls_ca = self.tls_ca.map(|ca| base.join(ca));
        self
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether the servers are a cluster.
    pub fn is_cluster(&self) -> bool {
        self.cluster
    }

    /// What all keys begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Hosts and ports, as they stand in messages.
    pub fn hosts(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(host_and_port).collect();
        hosts.join(",")
    }

    pub(super) fn endpoints(&self) -> &[(String, u16)] {
        &self.hosts
    }

    pub(super) fn db(&self) -> u32 {
        self.db
    }

    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    pub(super) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    pub(super) fn tls_ca(&self) -> Option<&Path> {
        self.tls_ca.as_deref()
    }
}

impl FromStr for RedisUrl {
    type Err = RedisUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or(RedisUrlError::Scheme)?;
        let (tls, cluster) = match scheme {
            "redis" => (false, false),
            "rediss" => (true, false),
            "redis-cluster" => (false, true),
            "rediss-cluster" => (true, true),
            _ => return Err(RedisUrlError::Scheme),
        };
        let (authority, path, query) = parts(rest)?;
        let (user, password, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => {
                let (user, password) = parse_login(login)?;
                (user, Some(password), hosts)
            }
            None => (None, None, authority),
        };
        let hosts = hosts
            .split(',')
            .map(parse_host)
            .collect::<Result<Vec<_>, _>>()?;
        if hosts.len() > 1 && !cluster {
            return Err(RedisUrlError::ManyHosts);
        }
        let db = match path {
            "" => 0,
            number => number.parse().map_err(|_| RedisUrlError::Database)?,
        };
        if cluster && db != 0 {
            return Err(RedisUrlError::DatabaseOfCluster);
        }
        let parameters = Parameters::parse(query)?;
        if parameters.tls_ca.is_some() && !tls {
            return Err(RedisUrlError::CaWithoutTls);
        }
        Ok(Self {
            tls,
            cluster,
            user,
            password,
            hosts,
            db,
            prefix: parameters.prefix.unwrap_or_else(|| PREFIX.to_owned()),
            tls_ca: parameters.tls_ca,
        })
    }
}

/// The authority, the path without its slash, and the query.
fn parts(rest: &str) -> Result<(&str, &str, &str), RedisUrlError> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    if rest.contains(['@', '#']) {
        return Err(RedisUrlError::NotEncoded);
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    Ok((authority, path.strip_prefix('/').unwrap_or(path), query))
}

fn decode(text: &str, what: &'static str) -> Result<String, RedisUrlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded
        .map_err(|_| RedisUrlError::NotUtf8(what))?
        .into_owned())
}

fn parse_login(login: &str) -> Result<(Option<String>, String), RedisUrlError> {
    let (user, password) = login
        .split_once(':')
        .ok_or(RedisUrlError::UserWithoutPassword)?;
    let (user, password) = (decode(user, "user")?, decode(password, "password")?);
    if password.is_empty() {
        return Err(RedisUrlError::UserWithoutPassword);
    }
    Ok((Some(user).filter(|user| !user.is_empty()), password))
}

fn parse_host(text: &str) -> Result<(String, u16), RedisUrlError> {
    let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (
            host,
            Some(rest.strip_prefix(':').ok_or(RedisUrlError::NoHost)?),
        ),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err(RedisUrlError::NoHost);
    }
    let port = match port {
        None => PORT,
        Some(port) => {
            port.parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| RedisUrlError::Port {
                    host: host.to_owned(),
                })?
        }
    };
    Ok((host.to_owned(), port))
}

#[derive(Default)]
struct Parameters {
    prefix: Option<String>,
    tls_ca: Option<PathBuf>,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, RedisUrlError> {
        let mut parameters = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let twice = match key {
                "prefix" => parameters.prefix.replace(parse_prefix(value)?).is_some(),
                "tls-ca" => {
                    let path = PathBuf::from(decode(value, "path of tls-ca")?);
                    parameters.tls_ca.replace(path).is_some()
                }
                _ => {
                    let shown = key.chars().take(32).collect();
                    return Err(RedisUrlError::UnknownParameter(shown));
                }
            };
            if twice {
                let key = if key == "prefix" { "prefix" } else { "tls-ca" };
                return Err(RedisUrlError::Twice(key));
            }
        }
        Ok(parameters)
    }
}

fn parse_prefix(value: &str) -> Result<String, RedisUrlError> {
    let prefix = decode(value, "prefix")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":._-".contains(&byte);
    if prefix.is_empty() || prefix.len() > PREFIX_BYTES_MAX || !prefix.bytes().all(plain) {
        return Err(RedisUrlError::Prefix);
    }
    Ok(prefix)
}

fn host_and_port((host, port): &(String, u16)) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.tls, self.cluster) {
            (false, false) => "redis",
            (true, false) => "rediss",
            (false, true) => "redis-cluster",
            (true, true) => "rediss-cluster",
        };
        write!(f, "{scheme}://")?;
        if self.password.is_some() {
            write!(f, "{}:***@", self.user.as_deref().unwrap_or_default())?;
        }
        f.write_str(&self.hosts())?;
        if self.db != 0 {
            write!(f, "/{}", self.db)?;
        }
        let mut separator = '?';
        if self.prefix != PREFIX {
            write!(f, "{separator}prefix={}", self.prefix)?;
            separator = '&';
        }
        if let Some(path) = &self.tls_ca {
            write!(f, "{separator}tls-ca={}", path.display())?;
        }
        Ok(())
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

#[cfg(test)]
mod tests;
