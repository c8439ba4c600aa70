//! Schemas of the embedded stores, one per port, each with its own version, so that ports may share a file or not.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::{APPLICATION_ID, port_error};
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
}

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the file is a SQLite database of another program; choose another path")]
    Foreign,
    #[error(
        "its {scope} schema has version {found}, and this program knows up to {known}; use a newer oms"
    )]
    Newer {
        scope: &'static str,
        found: u32,
        known: u32,
    },
}

/// Brings the schemas up to date, in one transaction, so that concurrent starts cannot meet halfway.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    scopes: &[Scope],
) -> Result<(), Error> {
    let action = || format!("migrate {}", path.display());
    let failed = |source| port_error(action(), source);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let found: i32 = transaction
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(failed)?;
    let tables: i64 = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if found != APPLICATION_ID {
        if found != 0 || tables != 0 {
            return Err(
                Error::permanent(format!("open {}", path.display())).because(Refused::Foreign)
            );
        }
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(failed)?;
        transaction
            .execute_batch("CREATE TABLE oms_schema (scope TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;")
            .map_err(failed)?;
    }
    for &scope in scopes {
        let found: u32 = transaction
            .query_row(
                "SELECT version FROM oms_schema WHERE scope = ?1",
                [scope.as_str()],
                |row| row.get(0),
            )
            .optional()
            .map_err(failed)?
            .unwrap_or(0);
        let steps = scope.steps();
        let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        if found > known {
            let refused = Refused::Newer {
                scope: scope.as_str(),
                found,
                known,
            };
            return Err(Error::permanent(format!("open {}", path.display())).because(refused));
        }
        for step in steps.iter().skip(found as usize) {
            transaction.execute_batch(step).map_err(failed)?;
        }
        if found < known {
            transaction
                .execute(
                    "INSERT INTO oms_schema VALUES (?1, ?2) ON CONFLICT (scope) DO UPDATE SET version = excluded.version",
                    (scope.as_str(), known),
                )
                .map_err(failed)?;
        }
    }
    transaction.commit().map_err(failed)
}
