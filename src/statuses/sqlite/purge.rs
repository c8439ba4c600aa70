//! Forgets expired entries, a few at a time.
//!
//! There is no index on the time of expiry, since every transition would have to maintain it. Instead the table is
//! walked in the order of its key, a window at a time. Time-ordered ids lie in the order in which they expire, so that
//! what is expired fills whole pages at the beginning, and deleting it frees these pages; other ids work, only
//! scattered. A walk notes when the next entry expires; until then, but for a minute at most, no other walk
//! begins, and purging costs nothing.

use std::time::Duration;

use rusqlite::{Connection, Error};

use crate::domain::Timestamp;

/// How many entries are looked at in one go: about a tenth of a millisecond.
const WINDOW: usize = 512;

/// A walk begins at least this often, since other processes write entries, too, that expire earlier than what was seen.
const WALK_EVERY: Duration = Duration::from_secs(60);

/// Where the walk stands.
#[derive(Debug, Default)]
pub(super) struct Purge {
    /// The last key looked at; empty before the first.
    cursor: Vec<u8>,
    /// When the earliest entry expires that this walk has passed.
    earliest: Option<Timestamp>,
    /// No walk begins before this.
    rests_until: Timestamp,
    /// When the last walk ended.
    walked_at: Timestamp,
    /// Transitions since the last window.
    transitions: usize,
}

impl Purge {
    /// Looks at a window for every window's worth of transitions, which keeps up with what is written.
    pub(super) fn after(
        &mut self,
        connection: &Connection,
        transitions: usize,
        next_expiry: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Error> {
        if let Some(at) = next_expiry {
            self.passes(at);
            self.rests_until = self.rests_until.min(at);
        }
        self.transitions += transitions;
        // A clock that has stepped back ends the rest.
        let rests = now < self.rests_until && now >= self.walked_at;
        if self.transitions < WINDOW || (self.cursor.is_empty() && rests) {
            return Ok(());
        }
        self.transitions = 0;
        self.window(connection, now)
    }

    fn window(&mut self, connection: &Connection, now: Timestamp) -> Result<(), Error> {
        let mut select = connection.prepare_cached(
            "SELECT order_id, expires_at FROM statuses WHERE order_id > ?1 ORDER BY order_id LIMIT ?2",
        )?;
        let limit = i64::try_from(WINDOW).unwrap_or(i64::MAX);
        let seen = select
            .query_map((&self.cursor, limit), |row| {
                Ok((row.get(0)?, Timestamp::from_millis(row.get(1)?)))
            })?
            .collect::<Result<Vec<(Vec<u8>, Timestamp)>, _>>()?;
        let mut delete = connection.prepare_cached("DELETE FROM statuses WHERE order_id = ?1")?;
        for (id, expires_at) in &seen {
            if *expires_at <= now {
                delete.execute([id])?;
            } else {
                self.passes(*expires_at);
            }
        }
        if seen.len() < WINDOW {
            let latest = now.plus(WALK_EVERY);
            self.rests_until = self.earliest.take().map_or(latest, |at| at.min(latest));
            self.walked_at = now;
            self.cursor.clear();
        } else if let Some((id, _)) = seen.into_iter().next_back() {
            self.cursor = id;
        }
        Ok(())
    }

    /// Notes an entry that expires later.
    fn passes(&mut self, expires_at: Timestamp) {
        self.earliest = Some(self.earliest.map_or(expires_at, |at| at.min(expires_at)));
    }
}
