//! The index of dead letters.

use rusqlite::types::Type;
use rusqlite::{Error, Row, params};

use super::SqliteInventory;
use super::rows;
use crate::domain::{OrderId, Original};
use crate::inventory::{DeadLetterIndex, DeadLetterRow, DeadLetterState};
use crate::ports::{self, Clock};

impl<C: Clock> DeadLetterIndex for SqliteInventory<C> {
    async fn record(&self, letters: Vec<DeadLetterRow>) -> Result<(), ports::Error> {
        self.store
            .write(format!("record {} dead letters", letters.len()), move |connection| {
                let mut insert = connection.prepare_cached(
                    "INSERT INTO dead_letters (topic, partition, message_offset, order_id, reason, detail, \
                     message_key, payload, recorded_at, state, original_bytes, original_sha256) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
                     ON CONFLICT (topic, partition, message_offset) DO NOTHING",
                )?;
                for letter in letters {
                    let letter = letter.with_bounded_detail();
                    let original = letter.original.as_ref();
                    insert.execute(params![
                        letter.topic,
                        letter.partition,
                        rows::stored(letter.offset),
                        letter.order_id.as_ref().map(OrderId::as_bytes),
                        letter.reason.as_str(),
                        letter.detail,
                        letter.key,
                        letter.payload,
                        letter.at.millis(),
                        letter.state.as_str(),
                        original.map(|whole| rows::stored(whole.bytes)),
                        original.map(|whole| &whole.sha256),
                    ])?;
                }
                Ok(())
            })
            .await
    }

    async fn letters(&self, after: u64, limit: usize) -> Result<Vec<DeadLetterRow>, ports::Error> {
        self.store.read("read dead letters", |connection| {
            connection
                .prepare_cached(
                    "SELECT letter_id, topic, partition, message_offset, order_id, reason, detail, message_key, \
                     payload, recorded_at, state, original_bytes, original_sha256 FROM dead_letters WHERE letter_id > ?1 ORDER BY letter_id LIMIT ?2",
                )?
                .query_map(params![rows::stored(after), i64::try_from(limit).unwrap_or(i64::MAX)], letter)?
                .collect()
        })
    }

    async fn mark(&self, ids: Vec<u64>, state: DeadLetterState) -> Result<u64, ports::Error> {
        self.store
            .write(
                format!("mark {} dead letters", ids.len()),
                move |connection| {
                    let mut update = connection.prepare_cached(
                    "UPDATE dead_letters SET state = ?2 WHERE letter_id = ?1 AND state = 'pending'",
                )?;
                    let mut marked = 0;
                    for id in &ids {
                        marked +=
                            update.execute(params![rows::stored(*id), state.as_str()])? as u64;
                    }
                    Ok(marked)
                },
            )
            .await
    }
}

fn letter(row: &Row<'_>) -> Result<DeadLetterRow, Error> {
    let reason: String = row.get(5)?;
    let state: String = row.get(10)?;
    Ok(DeadLetterRow {
        id: rows::number(row, 0)?,
        topic: row.get(1)?,
        partition: row.get(2)?,
        offset: rows::number(row, 3)?,
        order_id: row.get::<_, Option<[u8; 16]>>(4)?.map(OrderId::from_bytes),
        reason: reason
            .parse()
            .map_err(|source| rows::bad(5, Type::Text, source))?,
        detail: row.get(6)?,
        key: row.get(7)?,
        payload: row.get(8)?,
        at: rows::time(row, 9)?,
        state: DeadLetterState::from_text(&state).ok_or(Error::InvalidColumnType(
            10,
            state,
            Type::Text,
        ))?,
        original: match (row.get::<_, Option<i64>>(11)?, row.get(12)?) {
            (Some(bytes), Some(sha256)) => Some(Original {
                bytes: bytes.unsigned_abs(),
                sha256,
            }),
            _ => None,
        },
    })
}
