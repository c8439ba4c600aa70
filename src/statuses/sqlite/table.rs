//! The statements on statuses. All run inside a transaction of the store.

use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Row, Statement};

use super::super::{StatusChange, StatusEntry, Transition, Transitioned};
use crate::domain::{CartHash, OrderId, Reason, Status, Timestamp};

/// Bytes per change in a history.
const CHANGE_BYTES: usize = 9;

/// The longest history, 64 changes; the oldest go first. An order goes through seven at most, unless something writes
/// in circles.
const HISTORY_BYTES_MAX: u32 = 64 * 9;

/// What keeps a stored value from being read.
fn unreadable(
    column: usize,
    problem: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::FromSqlConversionFailure(column, Type::Blob, problem.into())
}

fn status(column: usize, code: u8) -> Result<Status, Error> {
    Status::from_code(code).ok_or_else(|| unreadable(column, format!("no status has code {code}")))
}

fn entry(row: &Row<'_>) -> Result<StatusEntry, Error> {
    let reason = match row.get_ref(1)?.as_str_or_null()? {
        Some(text) => Some(
            text.parse::<Reason>()
                .map_err(|error| unreadable(1, error))?,
        ),
        None => None,
    };
    Ok(StatusEntry {
        status: status(0, row.get(0)?)?,
        reason,
        cart_hash: row.get::<_, Option<[u8; 16]>>(2)?.map(CartHash::from_bytes),
        at: Timestamp::from_millis(row.get(3)?),
    })
}

const GET: &str =
    "SELECT status, reason, cart_hash, at FROM statuses WHERE order_id = ?1 AND expires_at > ?2";

/// The present statuses, `None` if missing or expired.
pub(super) fn get(
    connection: &Connection,
    ids: &[OrderId],
    now: Timestamp,
) -> Result<Vec<Option<StatusEntry>>, Error> {
    let mut select = connection.prepare_cached(GET)?;
    ids.iter().map(|id| get_one(&mut select, id, now)).collect()
}

fn get_one(
    select: &mut Statement<'_>,
    id: &OrderId,
    now: Timestamp,
) -> Result<Option<StatusEntry>, Error> {
    select
        .query_row((id.as_bytes(), now.millis()), entry)
        .optional()
}

/// At most `limit` entries after an order, by id.
pub(super) fn scan(
    connection: &Connection,
    after: Option<OrderId>,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<(OrderId, StatusEntry)>, Error> {
    // No id is shorter than the empty one.
    let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
    connection
        .prepare_cached(
            "SELECT status, reason, cart_hash, at, order_id FROM statuses
             WHERE order_id > ?1 AND expires_at > ?2 ORDER BY order_id LIMIT ?3",
        )?
        .query_map(
            (
                after,
                now.millis(),
                i64::try_from(limit).unwrap_or(i64::MAX),
            ),
            |row| Ok((OrderId::from_bytes(row.get(4)?), entry(row)?)),
        )?
        .collect()
}

/// The statuses an order went through.
pub(super) fn history(
    connection: &Connection,
    id: OrderId,
    now: Timestamp,
) -> Result<Vec<StatusChange>, Error> {
    let packed: Option<Vec<u8>> = connection
        .prepare_cached("SELECT history FROM statuses WHERE order_id = ?1 AND expires_at > ?2")?
        .query_row((id.as_bytes(), now.millis()), |row| row.get(0))
        .optional()?;
    let packed = packed.unwrap_or_default();
    let (changes, rest) = packed.as_chunks::<CHANGE_BYTES>();
    if !rest.is_empty() {
        return Err(unreadable(0, "the history ends in the middle of a change"));
    }
    changes
        .iter()
        .rev()
        .skip_while(|[code, ..]| *code == 0)
        .map(|&[code, ref at @ ..]| {
            Ok(StatusChange {
                status: status(0, code)?,
                at: Timestamp::from_millis(i64::from_be_bytes(*at)),
            })
        })
        .collect()
}

/// Compare-and-set where "missing" is allowed. An expired entry is missing: it counts as bit 0, and neither its cart nor
/// its history lives on. A new history has room for seven changes: a row that keeps its size is overwritten where it
/// stands.
const SET_OR_INSERT: &str = "
    INSERT INTO statuses VALUES (?1, ?2, ?3, ?4, ?5, ?6, CAST(?7 || zeroblob(54) AS BLOB)) ON CONFLICT DO UPDATE SET
        status = ?2, reason = ?3, at = ?5, expires_at = ?6,
        cart_hash = ifnull(?4, iif(expires_at > ?8, cart_hash, NULL)),
        history = iif(expires_at > ?8, substr(CAST(?7 || history AS BLOB), 1,
            iif(substr(history, -9, 1) = x'00', 63, min(length(history) + 9, ?10))),
            CAST(?7 || zeroblob(54) AS BLOB))
    WHERE (?9 >> iif(expires_at > ?8, status, 0)) & 1";

/// Compare-and-set where "missing" is not allowed.
const SET: &str = "
    UPDATE statuses SET
        status = ?2, reason = ?3, at = ?5, expires_at = ?6, cart_hash = ifnull(?4, cart_hash),
        history = substr(CAST(?7 || history AS BLOB), 1,
            iif(substr(history, -9, 1) = x'00', 63, min(length(history) + 9, ?10)))
    WHERE order_id = ?1 AND expires_at > ?8 AND (?9 >> status) & 1";

/// Compare-and-set, each on its own: one statement where it succeeds, one more to tell why not. An order that is to
/// become more than INIT nearly always has a status, and replacing it costs half of what inserting it tries first.
pub(super) fn transition(
    connection: &Connection,
    batch: &[Transition],
    now: Timestamp,
) -> Result<Vec<Transitioned>, Error> {
    let mut set_or_insert = connection.prepare_cached(SET_OR_INSERT)?;
    let mut set = connection.prepare_cached(SET)?;
    let mut get = connection.prepare_cached(GET)?;
    let mut transition = |transition: &Transition| {
        let mut change = [0; CHANGE_BYTES];
        change[0] = transition.to.code();
        change[1..].copy_from_slice(&transition.at.millis().to_be_bytes());
        let values = (
            transition.order_id.as_bytes(),
            transition.to.code(),
            transition.reason.map(Reason::as_str),
            transition.cart_hash.as_ref().map(CartHash::as_bytes),
            transition.at.millis(),
            transition.expires_at.millis(),
            change,
            now.millis(),
            transition.from.bits(),
            HISTORY_BYTES_MAX,
        );
        let may_insert = transition.from.contains(None);
        let is_first = may_insert && transition.to == Status::Init;
        if (!is_first && set.execute(values)? == 1)
            || (may_insert && set_or_insert.execute(values)? == 1)
        {
            return Ok(Transitioned::Applied);
        }
        get_one(&mut get, &transition.order_id, now).map(Transitioned::Refused)
    };
    batch.iter().map(&mut transition).collect()
}
