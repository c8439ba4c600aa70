//! The schema: its versions, and who may use which.
//!
//! DDL commits by itself on these servers, so that a migration may stop halfway: every statement of a step can be run
//! again. Steps run under a lock of the server, so that several processes may migrate at once.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::MysqlUrl;
use super::connect::{NoConnection, Purpose, Server};
use super::fault::Fault;
use super::read;
use super::rows::NOW;
use crate::ports::Error;

/// The steps, oldest first; step n brings version n - 1 to n. Never edit one that was released: add another.
const STEPS: &[&str] = &[include_str!("../../../migrations/mysql/0001_initial.sql")];

/// How long a migration waits for another to finish, in seconds.
const LOCK_SECONDS: u32 = 60;

/// The lock, one per database: locks are known to the whole server.
const LOCK_NAME: &str = "CONCAT('oms.', LEFT(SHA2(DATABASE(), 256), 32))";

/// Access denied to a database, wrong user or password, unknown database, access denied for this kind of user.
const NOT_LET_IN: [u16; 4] = [1044, 1045, UNKNOWN_DATABASE, 1698];
const UNKNOWN_DATABASE: u16 = 1049;

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The version it found, 0 for an empty database.
    pub from: u32,
    /// The version it left.
    pub to: u32,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the database does not exist; run `oms migrate`")]
    NoDatabase,
    #[error("the database is empty; run `oms migrate`")]
    Empty,
    #[error(
        "its schema has version {found}, and this program needs {}; run `oms migrate`",
        known()
    )]
    Older { found: u32 },
    #[error(
        "its schema has version {found}, and this program knows up to {}; use a newer oms",
        known()
    )]
    Newer { found: u32 },
    #[error("it holds tables of another program; name a database of its own")]
    Foreign,
    #[error("the server is {0}; MySQL 8.4 or MariaDB 10.11 is the oldest that is supported")]
    OldServer(String),
    #[error("another migration has been going on for {LOCK_SECONDS} s")]
    Busy,
}

/// What a database is to us.
enum Found {
    /// Nothing is in it yet.
    Empty,
    /// One of ours.
    Ours(u32),
    /// Somebody else's.
    Foreign,
}

/// The version this program brings it to.
fn known() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// Whether the database can be used as it is.
pub(super) async fn check(url: &MysqlUrl) -> Result<(), Error> {
    let action = format!("open {url}");
    let mut connection = match Server::new(url, Purpose::Migrate).dial().await {
        Ok(connection) => connection,
        Err(error) if error.code == Some(UNKNOWN_DATABASE) => {
            return Err(Error::permanent(action).because(Refused::NoDatabase));
        }
        Err(error) => return Err(not_connected(action, error)),
    };
    let looked = async {
        supported(&mut connection).await?;
        Ok::<_, Problem>(look(&mut connection).await?)
    };
    let refused = match looked.await {
        Ok(Found::Ours(found)) if found == known() => None,
        Ok(Found::Ours(found)) if found > known() => Some(Refused::Newer { found }),
        Ok(Found::Ours(found)) => Some(Refused::Older { found }),
        Ok(Found::Empty) => Some(Refused::Empty),
        Ok(Found::Foreign) => Some(Refused::Foreign),
        Err(problem) => return Err(problem.of(action)),
    };
    // Nobody waits for the answer to a farewell.
    drop(connection);
    refused.map_or(Ok(()), |refused| {
        Err(Error::permanent(action).because(refused))
    })
}

/// Makes the database if need be, and brings its schema up to date.
pub(super) async fn migrate(url: &MysqlUrl) -> Result<Migrated, Error> {
    let action = format!("migrate {url}");
    let mut connection = match Server::new(url, Purpose::Migrate).dial().await {
        Ok(connection) => connection,
        Err(error) if error.code == Some(UNKNOWN_DATABASE) => {
            create_database(url, &action).await?;
            let made = Server::new(url, Purpose::Migrate).dial().await;
            made.map_err(|error| not_connected(action.clone(), error))?
        }
        Err(error) => return Err(not_connected(action, error)),
    };
    let migrated = migrate_locked(&mut connection).await;
    migrated.map_err(|problem| problem.of(action))
}

/// A database is found not to fit, or cannot be asked.
enum Problem {
    Refused(Refused),
    Fault(Fault),
}

impl Problem {
    fn of(self, action: String) -> Error {
        match self {
            Self::Refused(refused @ Refused::Busy) => Error::unavailable(action).because(refused),
            Self::Refused(refused) => Error::permanent(action).because(refused),
            Self::Fault(fault) => Error::unavailable(action).because(fault),
        }
    }
}

impl<E: Into<Fault>> From<E> for Problem {
    fn from(fault: E) -> Self {
        Self::Fault(fault.into())
    }
}

/// A wrong password stays wrong; a server that is away comes back.
pub(super) fn not_connected(action: String, error: NoConnection) -> Error {
    if error.code.is_some_and(|code| NOT_LET_IN.contains(&code)) {
        Error::permanent(action).because(error)
    } else {
        Error::unavailable(action).because(error)
    }
}

async fn create_database(url: &MysqlUrl, action: &str) -> Result<(), Error> {
    let mut connection = Server::without_database(url, Purpose::Migrate)
        .dial()
        .await
        .map_err(|error| not_connected(action.to_owned(), error))?;
    let name = url.database().replace('`', "``");
    let statement = format!("CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4");
    connection
        .query_drop(statement)
        .await
        .map_err(|error| Error::permanent(action).because(Fault::from(error)))
}

async fn migrate_locked(connection: &mut Conn) -> Result<Migrated, Problem> {
    supported(connection).await?;
    let lock = format!("SELECT COALESCE(GET_LOCK({LOCK_NAME}, {LOCK_SECONDS}), 0)");
    if read::number::<u8>(connection, &lock).await? != 1 {
        return Err(Problem::Refused(Refused::Busy));
    }
    // Should this fail, the end of the connection frees the lock.
    let migrated = bring_up(connection).await;
    if migrated.is_ok() {
        connection
            .query_drop(format!("DO RELEASE_LOCK({LOCK_NAME})"))
            .await?;
    }
    migrated
}

async fn bring_up(connection: &mut Conn) -> Result<Migrated, Problem> {
    let from = match look(connection).await? {
        Found::Ours(found) if found > known() => {
            return Err(Problem::Refused(Refused::Newer { found }));
        }
        Found::Foreign => return Err(Problem::Refused(Refused::Foreign)),
        Found::Ours(found) => found,
        Found::Empty => {
            // The first table, so that what follows is known to be ours even if it stops halfway.
            connection
                .query_drop(
                    "CREATE TABLE IF NOT EXISTS oms_schema \
                     (version INT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL) ENGINE = InnoDB",
                )
                .await?;
            0
        }
    };
    for (version, step) in (1_u32..).zip(STEPS).skip(from as usize) {
        connection.query_drop(*step).await?;
        connection
            .query_drop(format!("INSERT INTO oms_schema VALUES ({version}, {NOW})"))
            .await?;
    }
    Ok(Migrated { from, to: known() })
}

async fn look(connection: &mut Conn) -> Result<Found, Fault> {
    let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()";
    let ours = format!("{tables} AND table_name = 'oms_schema'");
    if read::number::<u64>(connection, &ours).await? > 0 {
        let version = "SELECT COALESCE(MAX(version), 0) FROM oms_schema";
        return Ok(Found::Ours(read::number(connection, version).await?));
    }
    let tables: u64 = read::number(connection, tables).await?;
    Ok(if tables == 0 {
        Found::Empty
    } else {
        Found::Foreign
    })
}

/// Older servers lack what the statements use, such as `JSON_TABLE`, or are not tested.
async fn supported(connection: &mut Conn) -> Result<(), Problem> {
    let version: String = read::number(connection, "SELECT VERSION()").await?;
    let oldest = if version.contains("MariaDB") {
        (10, 11)
    } else {
        (8, 4)
    };
    let (major, minor, _) = connection.server_version();
    if (major, minor) < oldest {
        return Err(Problem::Refused(Refused::OldServer(version)));
    }
    Ok(())
}
