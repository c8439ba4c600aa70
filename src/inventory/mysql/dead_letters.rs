//! The index of dead letters.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Value};

use super::MysqlInventory;
use super::fault::Fault;
use super::lane::Ask;
use super::rows::Fields;
use super::sql;
use super::write;
use crate::domain::Original;
use crate::inventory::{DeadLetterIndex, DeadLetterRow, DeadLetterState};
use crate::ports;

impl DeadLetterIndex for MysqlInventory {
    async fn record(&self, letters: Vec<DeadLetterRow>) -> Result<(), ports::Error> {
        let action = format!("record {} dead letters", letters.len());
        let letters = letters.into_iter();
        let bounded: Vec<_> = letters.map(DeadLetterRow::with_bounded_detail).collect();
        let ask = Ask(bounded, |connection, letters| {
            Box::pin(record(connection, letters))
        });
        self.writing.transact(&action, &ask).await
    }

    async fn letters(&self, after: u64, limit: usize) -> Result<Vec<DeadLetterRow>, ports::Error> {
        let ask = Ask((after, limit), |connection, (after, limit)| {
            Box::pin(letters(connection, *after, *limit))
        });
        self.reading.read("read dead letters", &ask).await
    }

    async fn mark(&self, ids: Vec<u64>, state: DeadLetterState) -> Result<u64, ports::Error> {
        let action = format!("mark {} dead letters", ids.len());
        let mut sorted = ids;
        sorted.sort_unstable();
        let ask = Ask((sorted, state), |connection, (ids, state)| {
            Box::pin(mark(connection, ids, *state))
        });
        self.writing.transact(&action, &ask).await
    }
}

/// One statement per letter, with its values apart from the text: a payload may have megabytes, and letters are rare.
async fn record(connection: &mut Conn, letters: &[DeadLetterRow]) -> Result<(), Fault> {
    let statement = "INSERT INTO dead_letters (topic, log_partition, message_offset, order_id, reason, detail, \
         message_key, payload, recorded_at, state, original_bytes, original_sha256) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON DUPLICATE KEY UPDATE letter_id = letter_id";
    for letter in letters {
        let values: Vec<Value> = vec![
            letter.topic.as_bytes().into(),
            letter.partition.into(),
            letter.offset.into(),
            letter.order_id.map(|id| id.as_bytes().to_vec()).into(),
            letter.reason.as_str().into(),
            letter.detail.as_str().into(),
            letter.key.as_slice().into(),
            letter.payload.as_slice().into(),
            letter.at.millis().into(),
            letter.state.as_str().into(),
            letter.original.as_ref().map(|whole| whole.bytes).into(),
            letter
                .original
                .as_ref()
                .map(|whole| whole.sha256.as_str())
                .into(),
        ];
        connection
            .exec_drop(statement, Params::Positional(values))
            .await?;
    }
    Ok(())
}

async fn letters(
    connection: &mut Conn,
    after: u64,
    limit: usize,
) -> Result<Vec<DeadLetterRow>, Fault> {
    let query = format!(
        "SELECT letter_id, topic, log_partition, message_offset, order_id, reason, detail, message_key, payload, \
         recorded_at, state, original_bytes, original_sha256 FROM dead_letters WHERE letter_id > ? ORDER BY letter_id LIMIT {limit}"
    );
    let rows: Vec<Row> = connection.exec(query, (after,)).await?;
    rows.into_iter().map(letter).collect()
}

async fn mark(connection: &mut Conn, ids: &[u64], state: DeadLetterState) -> Result<u64, Fault> {
    let mut marked = 0;
    for part in ids.chunks(sql::LIST_MAX) {
        let numbers: Vec<String> = part.iter().map(u64::to_string).collect();
        let statement = format!(
            "UPDATE dead_letters FORCE INDEX (PRIMARY) SET state = '{}' \
             WHERE state = 'pending' AND letter_id IN ({})",
            state.as_str(),
            numbers.join(",")
        );
        marked += write::run(connection, statement).await?;
    }
    Ok(marked)
}

fn letter(row: Row) -> Result<DeadLetterRow, Fault> {
    let mut fields = Fields::of(row);
    Ok(DeadLetterRow {
        id: fields.count()?,
        topic: fields.take()?,
        partition: fields.take()?,
        offset: fields.count()?,
        order_id: fields.maybe_order_id()?,
        reason: fields.reason()?,
        detail: fields.take()?,
        key: fields.take()?,
        payload: fields.take()?,
        at: fields.time()?,
        state: fields.one_of(DeadLetterState::from_text)?,
        original: match (fields.maybe()?, fields.maybe()?) {
            (Some(bytes), Some(sha256)) => Some(Original { bytes, sha256 }),
            _ => None,
        },
    })
}
