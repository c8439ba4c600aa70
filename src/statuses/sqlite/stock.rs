//! The statements on the shared stock cache.

use std::time::Duration;

use rusqlite::{Connection, Error, OptionalExtension};

use super::super::CachedStock;
use crate::domain::{Sku, Timestamp};
use crate::inventory::StockLevel;

/// For how long a higher version stays. Longer, and a database that failed over and lost versions would be hidden
/// behind them (rule 7).
const VERSIONS_ORDER_FOR: Duration = Duration::from_millis(100);

/// What the cache says of an item.
pub(super) fn get(connection: &Connection, sku: &Sku) -> Result<Option<CachedStock>, Error> {
    connection
        .prepare_cached(
            "SELECT available, blocked, sold, version, cached_at FROM stock_cache WHERE sku = ?1",
        )?
        .query_row([sku.as_str()], |row| {
            Ok(CachedStock {
                level: StockLevel {
                    sku: sku.clone(),
                    available: row.get(0)?,
                    blocked: row.get(1)?,
                    sold: row.get(2)?,
                    version: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
                    earliest_hold: None,
                },
                cached_at: Timestamp::from_millis(row.get(4)?),
            })
        })
        .optional()
}

/// Puts a level in, unless a higher version is there that is neither old nor from the future.
pub(super) fn put(
    connection: &Connection,
    cached: &CachedStock,
    now: Timestamp,
) -> Result<(), Error> {
    let CachedStock { level, cached_at } = cached;
    connection
        .prepare_cached(
            "INSERT INTO stock_cache VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET
                 available = ?2, blocked = ?3, sold = ?4, version = ?5, cached_at = ?6
             WHERE version <= ?5 OR cached_at NOT BETWEEN ?7 AND ?8",
        )?
        .execute((
            level.sku.as_str(),
            level.available,
            level.blocked,
            level.sold,
            i64::try_from(level.version).unwrap_or(i64::MAX),
            cached_at.millis(),
            now.minus(VERSIONS_ORDER_FOR).millis(),
            now.millis(),
        ))?;
    Ok(())
}
