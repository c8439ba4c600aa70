//! Schemas of the embedded stores, one per port, each with its own version, so that ports may share a file or not.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::APPLICATION_ID;
use super::error::{Refused, open_error, port_error};
use crate::ports::Error;

/// Whose schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Items, orders, corrections, refunds.
    Inventory,
    /// The log.
    Queue,
    /// Statuses and the stock cache.
    Statuses,
    /// The simulated gateway's ledger.
    Payments,
}

impl Scope {
    /// Its name in the schema table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Queue => "queue",
            Self::Statuses => "statuses",
            Self::Payments => "payments",
        }
    }

    /// Its steps, oldest first; step n brings version n - 1 to n. Never edit one that was released: add another.
    const fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Inventory => &[include_str!(
                "../../migrations/sqlite/inventory/0001_initial.sql"
            )],
            Self::Queue => &[include_str!(
                "../../migrations/sqlite/queue/0001_initial.sql"
            )],
            Self::Statuses => &[include_str!(
                "../../migrations/sqlite/statuses/0001_initial.sql"
            )],
            Self::Payments => &[include_str!(
                "../../migrations/sqlite/payments/0001_initial.sql"
            )],
        }
    }

    /// The version this program brings it to.
    fn known(self) -> u32 {
        u32::try_from(self.steps().len()).unwrap_or(u32::MAX)
    }
}

/// What a file is to us.
enum File {
    /// Nothing is in it yet.
    Empty,
    /// One of ours, with the versions of the schemas asked for.
    Ours(Vec<u32>),
    /// Somebody else's.
    Foreign,
}

/// Whether the file has these schemas already, in the versions of this program. Writes nothing.
///
/// # Errors
/// When the file belongs to another program or to a newer version.
pub(super) fn is_current(
    connection: &mut Connection,
    path: &Path,
    scopes: &[Scope],
) -> Result<bool, Error> {
    let looked = connection
        .transaction_with_behavior(TransactionBehavior::Deferred)
        .and_then(|snapshot| look(&snapshot, scopes))
        .map_err(|source| open_error(path, source))?;
    check(&looked, path, scopes)?;
    Ok(match looked {
        File::Ours(found) => {
            let known = scopes.iter().map(|scope| scope.known());
            found.into_iter().eq(known)
        }
        File::Empty | File::Foreign => false,
    })
}

/// Brings the schemas up to date, in one transaction, so that concurrent starts cannot meet halfway.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    scopes: &[Scope],
) -> Result<(), Error> {
    let failed = |source| port_error(format!("migrate {}", path.display()), source);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let looked = look(&transaction, scopes).map_err(failed)?;
    check(&looked, path, scopes)?;
    let found = match looked {
        File::Ours(found) => found,
        File::Empty | File::Foreign => {
            claim(&transaction).map_err(failed)?;
            vec![0; scopes.len()]
        }
    };
    for (&scope, found) in scopes.iter().zip(found) {
        bring_up(&transaction, scope, found).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

fn look(connection: &Connection, scopes: &[Scope]) -> Result<File, rusqlite::Error> {
    let owner: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if owner != APPLICATION_ID {
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        return Ok(if owner == 0 && tables == 0 {
            File::Empty
        } else {
            File::Foreign
        });
    }
    let version = |scope: &Scope| {
        connection
            .query_row(
                "SELECT version FROM oms_schema WHERE scope = ?1",
                [scope.as_str()],
                |row| row.get(0),
            )
            .optional()
            .map(Option::unwrap_or_default)
    };
    scopes
        .iter()
        .map(version)
        .collect::<Result<_, _>>()
        .map(File::Ours)
}

fn check(looked: &File, path: &Path, scopes: &[Scope]) -> Result<(), Error> {
    match looked {
        File::Foreign => Err(Refused::Foreign.of(path)),
        File::Empty => Ok(()),
        File::Ours(found) => {
            let newer = scopes
                .iter()
                .zip(found)
                .find(|(scope, found)| **found > scope.known());
            newer.map_or(Ok(()), |(scope, &found)| {
                Err(Refused::Newer {
                    scope: scope.as_str(),
                    found,
                    known: scope.known(),
                }
                .of(path))
            })
        }
    }
}

/// Makes an empty file ours.
fn claim(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.execute_batch(
        "CREATE TABLE oms_schema (scope TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;",
    )
}

fn bring_up(connection: &Connection, scope: Scope, found: u32) -> Result<(), rusqlite::Error> {
    for step in scope.steps().iter().skip(found as usize) {
        connection.execute_batch(step)?;
    }
    if found < scope.known() {
        connection.execute(
            "INSERT INTO oms_schema VALUES (?1, ?2)
             ON CONFLICT (scope) DO UPDATE SET version = excluded.version",
            (scope.as_str(), scope.known()),
        )?;
    }
    Ok(())
}
