//! The gateway on record.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::MysqlInventory;
use super::fault::Fault;
use super::lane::Ask;
use super::rows::Fields;
use crate::domain::{GatewayId, Timestamp};
use crate::inventory::{GatewayBinding, GatewayRecord};
use crate::ports;

impl GatewayBinding for MysqlInventory {
    async fn gateway(&self) -> Result<Option<GatewayRecord>, ports::Error> {
        let ask = Ask((), |connection, ()| Box::pin(read(connection, "")));
        self.reading.read("read the store's gateway", &ask).await
    }

    async fn bind_gateway(
        &self,
        record: GatewayRecord,
        replaces: Option<GatewayId>,
    ) -> Result<GatewayRecord, ports::Error> {
        let ask = Ask((record, replaces), |connection, (record, replaces)| {
            Box::pin(bind(connection, record, replaces.as_ref()))
        });
        self.writing
            .transact("record the store's gateway", &ask)
            .await
    }
}

async fn bind(
    connection: &mut Conn,
    record: &GatewayRecord,
    replaces: Option<&GatewayId>,
) -> Result<GatewayRecord, Fault> {
    // The lock has concurrent first starts wait for each other.
    if let Some(present) = read(connection, " FOR UPDATE").await?
        && replaces != Some(&present.id)
    {
        return Ok(present);
    }
    let values = (
        record.id.as_str(),
        record.location.as_str(),
        record.since.millis(),
    );
    connection
        .exec_drop(
            "UPDATE store SET gateway_id = ?, gateway_location = ?, gateway_since = ? WHERE only_row = 1",
            values,
        )
        .await?;
    Ok(record.clone())
}

async fn read(connection: &mut Conn, lock: &str) -> Result<Option<GatewayRecord>, Fault> {
    let query = format!(
        "SELECT gateway_id, gateway_location, gateway_since FROM store WHERE only_row = 1{lock}"
    );
    let row: Option<Row> = connection.query_first(query).await?;
    let Some(row) = row else { return Ok(None) };
    let mut fields = Fields::of(row);
    let Some(id) = fields.maybe_gateway_id()? else {
        return Ok(None);
    };
    Ok(Some(GatewayRecord {
        id,
        location: fields.maybe()?.unwrap_or_default(),
        since: fields
            .maybe_time()?
            .unwrap_or(Timestamp::from_millis(i64::MIN)),
    }))
}
