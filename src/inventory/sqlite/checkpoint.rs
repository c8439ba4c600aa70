//! Checkpoints of the audit.

use rusqlite::{Connection, Error, OptionalExtension, params};

use super::rows;
use crate::domain::Timestamp;
use crate::inventory::audit::orders::StoredCheckpoint;
use crate::inventory::{Checkpoint, Coverage};

const LAST: &str = "SELECT checkpoint, audited_at, orders, checksum FROM checkpoints \
     ORDER BY checkpoint DESC LIMIT 1";

/// The last checkpoint.
pub(super) fn last(connection: &Connection) -> Result<Option<Checkpoint>, Error> {
    let mut statement = connection.prepare_cached(LAST)?;
    let read = statement.query_row([], |row| {
        Ok(Checkpoint {
            number: rows::number(row, 0)?,
            audited_at: rows::time(row, 1)?,
            orders: rows::number(row, 2)?,
        })
    });
    read.optional()
}

/// The same with its checksum.
pub(super) fn stored(connection: &Connection) -> Result<Option<StoredCheckpoint>, Error> {
    let mut statement = connection.prepare_cached(LAST)?;
    let read = statement.query_row([], |row| {
        Ok(StoredCheckpoint {
            number: rows::number(row, 0)?,
            orders: rows::number(row, 2)?,
            checksum: row.get::<_, i64>(3)?.cast_unsigned(),
        })
    });
    read.optional()
}

/// Writes a checkpoint, unless another audit has written one since this one read the last.
pub(super) fn write(
    connection: &Connection,
    coverage: &Coverage,
    audited_at: Timestamp,
) -> Result<bool, Error> {
    let number = rows::stored(coverage.number);
    if last(connection)?.map_or(0, |last| last.number) + 1 != coverage.number {
        return Ok(false);
    }
    connection
        .prepare_cached("INSERT INTO checkpoints (checkpoint, audited_at, orders, checksum) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            number,
            audited_at.millis(),
            rows::stored(coverage.orders),
            coverage.checksum.cast_signed(),
        ])?;
    let mut cover = connection.prepare_cached(
        "UPDATE batches SET checkpoint = ?1 WHERE checkpoint = 0 AND batch_id BETWEEN ?2 AND ?3",
    )?;
    let mut covered = 0;
    for range in &coverage.batches {
        covered += cover.execute(params![
            number,
            rows::stored(range.first),
            rows::stored(range.last)
        ])?;
    }
    if covered as u64 != coverage.batch_count() {
        return Err(Error::StatementChangedRows(covered));
    }
    let mut sell = connection.prepare_cached(
        "INSERT INTO covered_sales (sku, units) VALUES (?1, ?2) \
         ON CONFLICT (sku) DO UPDATE SET units = units + excluded.units",
    )?;
    for sold in &coverage.sold {
        sell.execute(params![sold.sku.as_str(), sold.units])?;
    }
    Ok(true)
}
