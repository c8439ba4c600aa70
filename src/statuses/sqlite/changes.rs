//! The log of changes, by which one process learns what another has written.
//!
//! Reading every status that somebody waits for, at every commit of anybody, would cost as much as all the rest. So
//! each batch of transitions leaves one row that says which orders changed; who follows reads the new rows, and then
//! only the statuses that somebody waits for.

use std::time::Duration;

use rusqlite::{Connection, Error};

use crate::domain::{OrderId, Status, Timestamp};

/// How long rows are kept. Who falls behind by more reads all statuses that somebody waits for.
const KEPT: Duration = Duration::from_secs(5);

/// How many old rows a new one takes along: more than one, so that they do not pile up.
const TRIMMED: i64 = 2;

/// The most rows read in one go.
const ROWS_MAX: i64 = 256;

/// Bytes per change in a row.
const CHANGE_BYTES: usize = 17;

/// Logs a batch.
pub(super) fn append(
    connection: &Connection,
    changes: impl Iterator<Item = (OrderId, Status)>,
    now: Timestamp,
) -> Result<(), Error> {
    let mut packed = Vec::with_capacity(changes.size_hint().1.unwrap_or(0) * CHANGE_BYTES);
    for (id, status) in changes {
        packed.extend_from_slice(id.as_bytes());
        packed.push(status.code());
    }
    if packed.is_empty() {
        return Ok(());
    }
    // Rows from before the clock was stepped back must go, too.
    connection
        .prepare_cached(
            "DELETE FROM status_changes WHERE at NOT BETWEEN ?1 AND ?2
                 AND seq IN (SELECT seq FROM status_changes ORDER BY seq LIMIT ?3)
                 AND seq < (SELECT max(seq) FROM status_changes)",
        )?
        .execute((now.minus(KEPT).millis(), now.plus(KEPT).millis(), TRIMMED))?;
    // The last row always stays, so that numbers never begin again.
    connection
        .prepare_cached("INSERT INTO status_changes (at, changes) VALUES (?1, ?2)")?
        .execute((now.millis(), packed))?;
    Ok(())
}

/// What somebody who follows the log finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// These orders came to these statuses; `more` says that there is more to read.
    Changes {
        changed: Vec<(OrderId, Status)>,
        more: bool,
    },
    /// The log does not reach back that far: anything may have changed.
    Gap,
}

/// Somebody who follows the log.
#[derive(Debug, Default)]
pub(super) struct Follower {
    /// The last row read; none before the first look.
    seen: Option<i64>,
}

impl Follower {
    /// Reads on. The first look is a gap.
    pub(super) fn look(&mut self, connection: &Connection) -> Result<Found, Error> {
        // Two statements: SQLite finds one end of a key at once, but not both in the same query.
        let (first, last): (Option<i64>, Option<i64>) = connection
            .prepare_cached(
                "SELECT (SELECT min(seq) FROM status_changes), (SELECT max(seq) FROM status_changes)",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (first, last) = (first.unwrap_or(1), last.unwrap_or(0));
        let Some(seen) = self.seen.filter(|seen| first <= seen + 1 && *seen <= last) else {
            self.seen = Some(last);
            return Ok(Found::Gap);
        };
        let mut changed = Vec::new();
        let mut select = connection.prepare_cached(
            "SELECT seq, changes FROM status_changes WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?;
        let mut rows = select.query((seen, ROWS_MAX))?;
        let mut read = seen;
        while let Some(row) = rows.next()? {
            read = row.get(0)?;
            let (packed, _) = row.get_ref(1)?.as_blob()?.as_chunks::<CHANGE_BYTES>();
            changed.extend(packed.iter().filter_map(|change| {
                let (id, code) = change.split_first_chunk::<16>()?;
                Some((OrderId::from_bytes(*id), Status::from_code(code[0])?))
            }));
        }
        self.seen = Some(read);
        Ok(Found::Changes {
            changed,
            more: read < last,
        })
    }
}
