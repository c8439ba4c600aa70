//! How dead letters are read and shown.

use serde::Serialize;

use crate::domain::{OrderId, Reason, Timestamp};
use crate::inventory::{DeadLetterIndex, DeadLetterRow, DeadLetterState};
use crate::ports::Error;

/// How many letters one read asks for.
pub(super) const PAGE: usize = 500;

/// A dead letter as `--json` prints it.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    id: u64,
    topic: &'a str,
    partition: u32,
    offset: u64,
    order_id: Option<OrderId>,
    reason: Reason,
    detail: &'a str,
    /// As text; what is no UTF-8 is replaced.
    key: String,
    /// As text; none where it is no UTF-8.
    payload: Option<&'a str>,
    /// In hexadecimal digits.
    payload_hex: String,
    /// Of a message that was cut: its length in bytes.
    original_bytes: Option<u64>,
    /// And its SHA-256.
    original_sha256: Option<&'a str>,
    at: Timestamp,
    state: DeadLetterState,
}

impl<'a> From<&'a DeadLetterRow> for Shown<'a> {
    fn from(row: &'a DeadLetterRow) -> Self {
        Self {
            id: row.id,
            topic: &row.topic,
            partition: row.partition,
            offset: row.offset,
            order_id: row.order_id,
            reason: row.reason,
            detail: &row.detail,
            key: String::from_utf8_lossy(&row.key).into_owned(),
            payload: std::str::from_utf8(&row.payload).ok(),
            payload_hex: hex(&row.payload),
            original_bytes: row.original.as_ref().map(|whole| whole.bytes),
            original_sha256: row.original.as_ref().map(|whole| whole.sha256.as_str()),
            at: row.at,
            state: row.state,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One letter by its number.
pub(super) async fn find(
    index: &impl DeadLetterIndex,
    id: u64,
) -> Result<Option<DeadLetterRow>, Error> {
    let Some(before) = id.checked_sub(1) else {
        return Ok(None);
    };
    let found = index.letters(before, 1).await?.into_iter().next();
    Ok(found.filter(|row| row.id == id))
}

/// These letters, in this order; all of them must be pending.
///
/// # Errors
/// When one does not exist, or was dealt with before.
pub(super) async fn pending(
    index: &impl DeadLetterIndex,
    ids: &[u64],
) -> anyhow::Result<Vec<DeadLetterRow>> {
    let mut rows = Vec::with_capacity(ids.len());
    for &id in ids {
        let row = find(index, id).await?.ok_or_else(|| unknown(id))?;
        if row.state != DeadLetterState::Pending {
            let state = row.state.as_str();
            anyhow::bail!("dead letter {id} is {state} already; nothing was done");
        }
        rows.push(row);
    }
    Ok(rows)
}

/// The error about a letter that does not exist.
pub(super) fn unknown(id: u64) -> anyhow::Error {
    anyhow::anyhow!("there is no dead letter {id}; `oms dead-letters list` shows those there are")
}
