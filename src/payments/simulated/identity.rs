//! Which ledger it is, and whose payments it holds.

use std::sync::Arc;

use rusqlite::Connection;
use uuid::Uuid;

use super::Simulated;
use crate::domain::GatewayId;
use crate::payments::{GatewayIdentity, Identity};
use crate::ports::{Clock, Error};
use crate::sqlite::Store;

fn ledger_id(connection: &Connection) -> Result<Uuid, rusqlite::Error> {
    connection.query_row("SELECT ledger_id FROM ledger", [], |row| {
        row.get(0).map(Uuid::from_bytes)
    })
}

fn store_id(connection: &Connection) -> Result<Option<Uuid>, rusqlite::Error> {
    connection.query_row("SELECT store_id FROM ledger", [], |row| {
        Ok(row.get::<_, Option<[u8; 16]>>(0)?.map(Uuid::from_bytes))
    })
}

/// The path that another process finds the file by.
fn location(store: &Store) -> String {
    let path = store.path();
    let absolute = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    absolute.map_or_else(
        |_| path.display().to_string(),
        |path| path.display().to_string(),
    )
}

impl<C: Clock> GatewayIdentity for Simulated<C> {
    async fn identity(&self) -> Result<Identity, Error> {
        let id = self.store.read("read the ledger's id", ledger_id)?;
        Ok(Identity {
            id: GatewayId::simulated(id),
            location: location(&self.store),
        })
    }

    /// That the ledger can be read. An outage counts from the first call of the flow, not from here.
    async fn probe(&self) -> Result<(), Error> {
        self.store.read("read the ledger's id", ledger_id).map(drop)
    }

    async fn store(&self) -> Result<Option<Uuid>, Error> {
        self.store
            .read("read whose payments the ledger holds", store_id)
    }

    async fn bind_store(&self, store: Uuid) -> Result<Uuid, Error> {
        // Most processes find it recorded: they need not wait for a turn to write.
        if let Some(recorded) = self.store().await? {
            return Ok(recorded);
        }
        Arc::clone(&self.store)
            .write(
                "record whose payments the ledger holds",
                move |connection| {
                    connection.execute(
                        "UPDATE ledger SET store_id = ?1 WHERE store_id IS NULL",
                        [store.as_bytes()],
                    )?;
                    Ok(store_id(connection)?.unwrap_or(store))
                },
            )
            .await
    }
}
