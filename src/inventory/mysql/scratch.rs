//! A database of its own on the server of a store, for measurements that must not touch the store.

use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::MysqlUrl;
use super::connect::{Purpose, Server};
use super::durability::Durability;
use super::fault::{self, Fault, Meaning};
use super::schema::not_connected;
use crate::ports::Error;

/// Access denied to a database, or for lack of a privilege.
const DENIED: [u16; 3] = [1044, 1142, 1227];

/// Attempts to drop the database: connections that were cut off may hold its tables for a moment.
const DROPS_MAX: u32 = 3;

/// Pause between them. The server itself waits 5 s for the tables.
const DROP_PAUSE: Duration = Duration::from_millis(200);

/// A database that is removed when the measurement is over.
#[derive(Clone)]
pub(crate) struct ScratchDatabase {
    url: MysqlUrl,
    server: Server,
}

/// The user lacks a privilege.
#[derive(Debug, thiserror::Error)]
#[error(
    "the user `{user}` may not create databases; as an administrator, run GRANT ALL PRIVILEGES ON \
     `oms\\_bench\\_%`.* TO '{user}'@'HOST'"
)]
struct NotAllowed {
    user: String,
}

impl ScratchDatabase {
    /// Creates the database `name` on the server of `store`.
    ///
    /// # Errors
    /// When the server cannot be reached, or the user may not create databases.
    pub(crate) async fn create(store: &MysqlUrl, name: &str) -> Result<Self, Error> {
        let url = store.with_database(name);
        let action = format!("create the database {name} on {}", url.address());
        let mut connection = Server::without_database(&url, Purpose::Migrate)
            .dial()
            .await
            .map_err(|error| not_connected(action.clone(), error))?;
        let statement = format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4");
        match connection.query_drop(statement).await {
            Ok(()) => Ok(Self {
                server: Server::new(&url, Purpose::Write),
                url,
            }),
            Err(error) if fault::code(&error).is_some_and(|code| DENIED.contains(&code)) => {
                let user = url.user.clone();
                Err(Error::permanent(action).because(NotAllowed { user }))
            }
            Err(error) => Err(Error::unavailable(action).because(Fault::from(error))),
        }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &MysqlUrl {
        &self.url
    }

    /// A connection to it, as the adapter has them: READ COMMITTED, autocommit, bounded waits.
    ///
    /// # Errors
    /// When the server cannot be reached, or has no connection left.
    pub(crate) async fn connection(&self) -> Result<Conn, Error> {
        let dialled = self.server.dial().await;
        dialled.map_err(|error| not_connected(format!("connect to {}", self.url), error))
    }

    /// Settings of a store's server with which a crash can lose what was committed, in words.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub(crate) async fn warnings(store: &MysqlUrl) -> Result<Vec<String>, Error> {
        let action = format!("read settings of {}", store.address());
        let dialled = Server::without_database(store, Purpose::Read).dial().await;
        let mut connection = dialled.map_err(|error| not_connected(action.clone(), error))?;
        let durability = Durability::read(&mut connection).await;
        durability
            .map(Durability::warnings)
            .map_err(|fault| Error::unavailable(action).because(fault))
    }

    /// Drops the database.
    ///
    /// # Errors
    /// When it is still there.
    pub(crate) async fn remove(&self) -> Result<(), Error> {
        let mut attempt = 1;
        loop {
            match self.drop_once().await {
                Ok(()) => return Ok(()),
                Err(fault) if attempt == DROPS_MAX => {
                    let (name, address) = (self.url.database(), self.url.address());
                    let action = format!("drop the database {name} on {address}");
                    return Err(Error::unavailable(action).because(fault));
                }
                Err(_) => tokio::time::sleep(DROP_PAUSE).await,
            }
            attempt += 1;
        }
    }

    async fn drop_once(&self) -> Result<(), Fault> {
        let server = Server::without_database(&self.url, Purpose::Migrate);
        let mut connection = server.dial().await?;
        let statement = format!("DROP DATABASE IF EXISTS `{}`", self.url.database());
        Ok(connection.query_drop(statement).await?)
    }
}

/// Rolls a transaction back that another one was in the way of, so that it can be tried again.
///
/// # Errors
/// When it failed for another reason, or cannot be rolled back.
pub(crate) async fn roll_back_conflict(
    connection: &mut Conn,
    action: &str,
    error: mysql_async::Error,
) -> Result<(), Error> {
    let fault = Fault::from(error);
    if fault.meaning() != Meaning::Again {
        return Err(failed(action, fault));
    }
    tracing::debug!(%fault, action, "trying a transaction again");
    let rolled_back = connection.query_drop("ROLLBACK").await;
    rolled_back.map_err(|error| failed(action, error))
}

/// The error of a statement of a measurement.
pub(crate) fn failed(action: &str, error: impl Into<Fault>) -> Error {
    Error::unavailable(action).because(error.into())
}
