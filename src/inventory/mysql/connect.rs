//! Connections: their settings, and a deadline on every attempt.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};
use tokio::time::timeout;

use super::url::Tls;
use super::{MysqlUrl, fault};

/// How long one attempt to connect may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long a writing connection may be silent before the server cuts it and frees its locks, in seconds (rule 4).
const WRITE_WAIT_SECONDS: u32 = 10;

/// The same for a reading connection, which holds no locks.
const READ_WAIT_SECONDS: u32 = 120;

/// The same for audits and migrations, which may think for long between two statements.
const LONG_WAIT_SECONDS: u32 = 3_600;

/// How long a statement waits for a lock of a row or a table, in seconds (rule 4).
const LOCK_WAIT_SECONDS: u32 = 5;

/// The largest packet that is read or written; the server has a limit of its own.
const PACKET_BYTES_MAX: usize = 64 << 20;

/// Prepared statements kept per connection.
const STATEMENTS_MAX: usize = 64;

/// When the operating system begins to ask whether a silent server is still there.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Strict, whatever the server's default is: what does not fit is an error, never cut short.
const SQL_MODE: &str = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,\
     ONLY_FULL_GROUP_BY,NO_ENGINE_SUBSTITUTION";

/// The name that is asked for where any will do. To skip it, the library looks for this word in the text of the error
/// that the check of the certificate ends with; this version of rustls says in that text which name was expected, and
/// it checks the authority first. Should either change, such connections are refused, never let through.
const ANY_NAME: &str = "NotValidForName";

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Transactions that lock rows.
    Write,
    /// Reads, each on its own.
    Read,
    /// One consistent snapshot for as long as it takes.
    Audit,
    /// Changes of the schema.
    Migrate,
}

impl Purpose {
    const fn wait_seconds(self) -> u32 {
        match self {
            Self::Write => WRITE_WAIT_SECONDS,
            Self::Read => READ_WAIT_SECONDS,
            Self::Audit | Self::Migrate => LONG_WAIT_SECONDS,
        }
    }

    /// How long a kept connection may have been idle to be used again: well below when the server cuts it.
    pub(super) const fn idle_max(self) -> Duration {
        Duration::from_secs(self.wait_seconds() as u64 / 2)
    }
}

/// A server, a database on it, and how to speak with it for one purpose.
#[derive(Clone)]
pub(super) struct Server {
    opts: Opts,
    /// The file of the authorities to trust, if one is named.
    ca: Option<PathBuf>,
    address: String,
    purpose: Purpose,
}

impl Server {
    pub(super) fn new(url: &MysqlUrl, purpose: Purpose) -> Self {
        Self::with(url, purpose, Some(url.database.clone()))
    }

    /// The server itself, for when the database is not there yet.
    pub(super) fn without_database(url: &MysqlUrl, purpose: Purpose) -> Self {
        Self::with(url, purpose, None)
    }

    fn with(url: &MysqlUrl, purpose: Purpose, database: Option<String>) -> Self {
        let isolation = match purpose {
            Purpose::Audit => "REPEATABLE READ",
            _ => "READ COMMITTED",
        };
        let setup = vec![
            format!("SET SESSION TRANSACTION ISOLATION LEVEL {isolation}"),
            format!(
                "SET SESSION sql_mode = '{SQL_MODE}', SESSION time_zone = '+00:00', SESSION wait_timeout = {}, \
                 SESSION innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}, SESSION lock_wait_timeout = {LOCK_WAIT_SECONDS}, \
                 SESSION autocommit = 1",
                purpose.wait_seconds()
            ),
        ];
        let opts = OptsBuilder::default()
            .ip_or_hostname(url.host.clone())
            .tcp_port(url.port)
            .user(Some(url.user.clone()))
            .pass(url.password.clone())
            .db_name(database)
            .ssl_opts(ssl(&url.tls))
            // The server's socket may be that of another machine or container.
            .prefer_socket(false)
            .tcp_keepalive(Some(KEEPALIVE))
            // Affected rows count what matched, not what differed.
            .client_found_rows(true)
            .max_allowed_packet(Some(PACKET_BYTES_MAX))
            .wait_timeout(Some(purpose.wait_seconds() as usize))
            .stmt_cache_size(STATEMENTS_MAX)
            // Run again whenever a connection is reset.
            .setup(setup);
        let ca = match &url.tls {
            Tls::Verified { ca, .. } | Tls::VerifiedAuthority { ca } => ca.clone(),
            Tls::Off | Tls::Required => None,
        };
        Self {
            opts: opts.into(),
            ca,
            address: url.address(),
            purpose,
        }
    }

    pub(super) fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// One connection, within 5 s.
    pub(super) async fn dial(&self) -> Result<Conn, NoConnection> {
        let failed = |cause: String, code| NoConnection {
            address: self.address.clone(),
            cause,
            code,
        };
        if let Some(ca) = &self.ca {
            // The library would not say which file it was.
            let readable = tokio::fs::read(ca).await;
            readable.map_err(|error| failed(format!("{}: {error}", ca.display()), None))?;
        }
        match timeout(CONNECT_MAX, Conn::new(self.opts.clone())).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(failed(fault::cause(&error), fault::code(&error))),
            Err(_) => Err(failed(
                format!("no answer within {} s", CONNECT_MAX.as_secs()),
                None,
            )),
        }
    }
}

impl fmt::Debug for Server {
    /// Without the options, which hold the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({}, {:?})", self.address, self.purpose)
    }
}

fn ssl(tls: &Tls) -> Option<SslOpts> {
    match tls {
        Tls::Off => None,
        Tls::Required => Some(
            SslOpts::default()
                .with_danger_accept_invalid_certs(true)
                .with_danger_skip_domain_validation(true),
        ),
        Tls::VerifiedAuthority { ca } => Some(
            trusting(ca.as_deref())
                .with_danger_skip_domain_validation(true)
                .with_danger_tls_hostname_override(Some(ANY_NAME)),
        ),
        Tls::Verified { ca, name } => {
            let ssl = trusting(ca.as_deref());
            Some(match name {
                Some(name) => ssl.with_danger_tls_hostname_override(Some(name.clone())),
                None => ssl,
            })
        }
    }
}

/// Trusts the authorities in this file only, or the built-in ones.
fn trusting(ca: Option<&Path>) -> SslOpts {
    let ssl = SslOpts::default();
    match ca {
        Some(ca) => ssl
            .with_root_certs(vec![ca.to_owned().into()])
            .with_disable_built_in_roots(true),
        None => ssl,
    }
}

/// A server could not be reached, or did not let us in.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no connection to {address}: {cause}")]
pub(crate) struct NoConnection {
    address: String,
    cause: String,
    /// The server's error number, if it was the server who refused.
    pub(super) code: Option<u16>,
}
