//! The gateway on record.

use rusqlite::types::Type;
use rusqlite::{Connection, Error, params};

use super::{SqliteInventory, rows};
use crate::domain::{GatewayId, Timestamp};
use crate::inventory::{GatewayBinding, GatewayRecord};
use crate::ports::{self, Clock};

impl<C: Clock> GatewayBinding for SqliteInventory<C> {
    async fn gateway(&self) -> Result<Option<GatewayRecord>, ports::Error> {
        self.store.read("read the store's gateway", read)
    }

    async fn bind_gateway(
        &self,
        record: GatewayRecord,
        replaces: Option<GatewayId>,
    ) -> Result<GatewayRecord, ports::Error> {
        self.store
            .write("record the store's gateway", move |connection| {
                let present = read(connection)?;
                if let Some(present) = present
                    && replaces.as_ref() != Some(&present.id)
                {
                    return Ok(present);
                }
                connection.execute(
                    "UPDATE store SET gateway_id = ?1, gateway_location = ?2, gateway_since = ?3",
                    params![record.id.as_str(), record.location, record.since.millis()],
                )?;
                Ok(record)
            })
            .await
    }
}

fn read(connection: &Connection) -> Result<Option<GatewayRecord>, Error> {
    connection.query_row(
        "SELECT gateway_id, gateway_location, gateway_since FROM store",
        [],
        |row| {
            let Some(id) = row.get::<_, Option<String>>(0)? else {
                return Ok(None);
            };
            Ok(Some(GatewayRecord {
                id: GatewayId::new(&id).map_err(|source| rows::bad(0, Type::Text, source))?,
                location: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
                since: Timestamp::from_millis(row.get::<_, Option<i64>>(2)?.unwrap_or(i64::MIN)),
            }))
        },
    )
}
