//! Checkpoints of the audit.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::fault::Fault;
use super::{sql, write};
use crate::domain::Timestamp;
use crate::inventory::audit::orders::StoredCheckpoint;
use crate::inventory::{Checkpoint, Coverage};

/// Items in one statement.
const ITEMS_MAX: usize = 10_000;

/// Number, time of the audit, orders, checksum.
type CheckpointRow = (u64, i64, u64, u64);

async fn row(connection: &mut Conn) -> Result<Option<CheckpointRow>, Fault> {
    let query = "SELECT checkpoint, audited_at, orders, checksum FROM checkpoints \
         ORDER BY checkpoint DESC LIMIT 1";
    Ok(connection.query_first(query).await?)
}

/// The last checkpoint.
pub(super) async fn last(connection: &mut Conn) -> Result<Option<Checkpoint>, Fault> {
    let row = row(connection).await?;
    Ok(row.map(|(number, audited_at, orders, _)| Checkpoint {
        number,
        audited_at: Timestamp::from_millis(audited_at),
        orders,
    }))
}

/// The same with its checksum.
pub(super) async fn stored(connection: &mut Conn) -> Result<Option<StoredCheckpoint>, Fault> {
    let row = row(connection).await?;
    Ok(row.map(|(number, _, orders, checksum)| StoredCheckpoint {
        number,
        orders,
        checksum,
    }))
}

/// Writes a checkpoint, unless another audit has written one since this one read the last. The key of `checkpoints` is
/// the guard: of two at once, the second gets a duplicate key, and finds the first when it is run again.
pub(super) async fn write(
    connection: &mut Conn,
    coverage: &Coverage,
    audited_at: Timestamp,
) -> Result<bool, Fault> {
    let number = coverage.number;
    let own = (
        number,
        audited_at.millis(),
        coverage.orders,
        coverage.checksum,
    );
    let last = row(connection).await?;
    if last == Some(own) {
        // Its COMMIT was done, and the answer was lost.
        return Ok(true);
    }
    if last.map_or(0, |(last, ..)| last) + 1 != number {
        return Ok(false);
    }
    connection
        .exec_drop("INSERT INTO checkpoints (checkpoint, audited_at, orders, checksum) VALUES (?, ?, ?, ?)", own)
        .await?;
    let mut covered = 0;
    for range in &coverage.batches {
        let statement = format!(
            "UPDATE batches FORCE INDEX (PRIMARY) SET checkpoint = {number} \
             WHERE checkpoint = 0 AND batch_id BETWEEN {} AND {}",
            range.first, range.last
        );
        covered += write::run(connection, statement).await?;
    }
    if covered != coverage.batch_count() {
        return Err(Fault::Miscounted {
            expected: usize::try_from(coverage.batch_count()).unwrap_or(usize::MAX),
            affected: covered,
        });
    }
    for part in coverage.sold.chunks(ITEMS_MAX) {
        let rows: Vec<_> = part
            .iter()
            .map(|sold| (write::hex(sold.sku.as_str()), sold.units))
            .collect();
        let json = serde_json::to_string(&rows).expect("strings and numbers always serialise");
        let mut statement = String::from(
            "INSERT INTO covered_sales (sku, units) SELECT UNHEX(new.sku), new.units FROM JSON_TABLE(_utf8mb4 ",
        );
        sql::bytes(&mut statement, json.as_bytes());
        statement.push_str(
            ", '$[*]' COLUMNS (sku VARCHAR(128) PATH '$[0]', units BIGINT PATH '$[1]')) AS new WHERE TRUE \
             ON DUPLICATE KEY UPDATE covered_sales.units = covered_sales.units + new.units",
        );
        write::run(connection, statement).await?;
    }
    Ok(true)
}
