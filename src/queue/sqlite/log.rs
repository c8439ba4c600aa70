//! The statements on the log. All run inside a transaction of the store.

use std::time::Duration;

use rusqlite::{Connection, Error, OptionalExtension as _};

use super::super::{DeadLetter, Delivery, Message, Oldest, Position};
use super::PARTITION;
use crate::domain::Timestamp;

/// How long consumed messages are kept, for whoever wants to look. What is not consumed is kept for ever.
pub(super) const RETENTION: Duration = Duration::from_secs(7 * 86_400);

/// The most messages deleted at a time, so that nobody waits long for it.
pub(super) const TRIMMED_MAX: usize = 1_000;

/// The most bytes handed over in one poll, unless the first message alone is larger.
const POLL_BYTES_MAX: usize = 64 << 20;

fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn loaded(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The offset that the next message gets.
pub(super) fn end(connection: &Connection) -> Result<u64, Error> {
    // Only what is committed is ever trimmed: so offsets grow even when the table is empty.
    connection
        .prepare_cached(
            "SELECT max((SELECT ifnull(max(message_offset) + 1, 0) FROM queue_messages), committed) FROM queue_group",
        )?
        .query_row([], |row| row.get(0))
        .map(loaded)
}

/// The offset of the next message that the group has not processed.
pub(super) fn committed(connection: &Connection) -> Result<u64, Error> {
    connection
        .prepare_cached("SELECT committed FROM queue_group")?
        .query_row([], |row| row.get(0))
        .map(loaded)
}

pub(super) fn append(
    connection: &Connection,
    messages: &[Message],
    now: Timestamp,
) -> Result<Vec<Position>, Error> {
    let first = end(connection)?;
    let mut insert =
        connection.prepare_cached("INSERT INTO queue_messages VALUES (?1, ?2, ?3, ?4)")?;
    messages
        .iter()
        .zip(first..)
        .map(|(message, offset)| {
            insert.execute((stored(offset), now.millis(), &message.key, &message.payload))?;
            Ok(Position {
                partition: PARTITION,
                offset,
            })
        })
        .collect()
}

/// The first message that the group has not processed, and when it was published.
pub(super) fn oldest(connection: &Connection) -> Result<Option<Oldest>, Error> {
    let next = committed(connection)?;
    connection
        .prepare_cached(
            "SELECT message_offset, at FROM queue_messages WHERE message_offset >= ?1
             ORDER BY message_offset LIMIT 1",
        )?
        .query_row([stored(next)], |row| {
            Ok(Oldest {
                position: Position {
                    partition: PARTITION,
                    offset: loaded(row.get(0)?),
                },
                published_at: Timestamp::from_millis(row.get(1)?),
            })
        })
        .optional()
}

/// At most `max` messages from an offset on.
pub(super) fn read(connection: &Connection, from: u64, max: usize) -> Result<Vec<Delivery>, Error> {
    let mut select = connection.prepare_cached(
        "SELECT message_offset, key, payload FROM queue_messages WHERE message_offset >= ?1
         ORDER BY message_offset LIMIT ?2",
    )?;
    let mut rows = select.query((stored(from), i64::try_from(max).unwrap_or(i64::MAX)))?;
    let mut deliveries = Vec::new();
    let mut bytes = 0;
    while bytes < POLL_BYTES_MAX
        && let Some(row) = rows.next()?
    {
        let delivery = Delivery {
            position: Position {
                partition: PARTITION,
                offset: loaded(row.get(0)?),
            },
            key: row.get(1)?,
            payload: row.get(2)?,
        };
        bytes += delivery.key.len() + delivery.payload.len();
        deliveries.push(delivery);
    }
    Ok(deliveries)
}

/// The offset of the first message of a time or later. A clock that stepped back may have left earlier ones behind it:
/// they are read, too.
pub(super) fn first_since(connection: &Connection, since: Timestamp) -> Result<Option<u64>, Error> {
    connection
        .query_row(
            "SELECT min(message_offset) FROM queue_messages WHERE at >= ?1",
            [since.millis()],
            |row| row.get::<_, Option<i64>>(0),
        )
        .map(|offset| offset.map(loaded))
}

/// Keeps dead letters; one that is kept already (its message was delivered again) stays as it is.
pub(super) fn set_aside(
    connection: &Connection,
    letters: &[DeadLetter],
    now: Timestamp,
) -> Result<(), Error> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO queue_dead_letters VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
    )?;
    for DeadLetter {
        delivery,
        reason,
        original,
    } in letters
    {
        insert.execute((
            delivery.position.partition,
            stored(delivery.position.offset),
            reason,
            &delivery.key,
            &delivery.payload,
            now.millis(),
            original.as_ref().map(|whole| stored(whole.bytes)),
            original.as_ref().map(|whole| &whole.sha256),
        ))?;
    }
    Ok(())
}

/// Moves the group's offset to `next`, never back.
pub(super) fn advance(connection: &Connection, next: u64) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE queue_group SET committed = ?1 WHERE committed < ?1")?
        .execute([stored(next)])?;
    Ok(())
}

/// Deletes some consumed messages that are past their retention; returns whether there may be more.
pub(super) fn trim(connection: &Connection, now: Timestamp) -> Result<bool, Error> {
    // Looks at the oldest messages only: offsets grow with time, but for the steps of a clock.
    let deleted = connection
        .prepare_cached(
            "DELETE FROM queue_messages WHERE at < ?1 AND message_offset IN (
                 SELECT message_offset FROM queue_messages
                 WHERE message_offset < (SELECT committed FROM queue_group)
                 ORDER BY message_offset LIMIT ?2)",
        )?
        .execute((
            now.minus(RETENTION).millis(),
            i64::try_from(TRIMMED_MAX).unwrap_or(i64::MAX),
        ))?;
    Ok(deleted == TRIMMED_MAX)
}
