//! The lease that makes one member at a time the consumer.
//!
//! A row names the owner, an epoch that grows with every change of the owner, and until when the lease holds, by the
//! clock. The owner renews it as it polls and commits; of one that is gone it runs out, and the next member takes it
//! with a new epoch. A lease that ends further ahead than it is long was taken before the clock was stepped back, and
//! counts as run out.

use std::time::Duration;

use rusqlite::{Connection, Error};
use uuid::Uuid;

use crate::domain::Timestamp;

/// How long a lease holds: a member that is gone is replaced after this.
pub(super) const LEASE: Duration = Duration::from_secs(3);

/// With less than this left, the owner renews: so not every poll writes.
const RENEW_BELOW: Duration = Duration::from_secs(2);

/// A lease as its owner knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) epoch: i64,
    pub(super) until: Timestamp,
}

impl Held {
    /// How long it need not be renewed; `None` if that is due.
    pub(super) fn rests(&self, now: Timestamp) -> Option<Duration> {
        let left = self.until.since(now);
        (left > RENEW_BELOW && left <= LEASE).then(|| left.saturating_sub(RENEW_BELOW))
    }
}

/// The row.
#[derive(Debug, Clone, Copy)]
struct Row {
    epoch: i64,
    owner: Option<Uuid>,
    until: Timestamp,
}

impl Row {
    fn read(connection: &Connection) -> Result<Self, Error> {
        connection
            .prepare_cached("SELECT epoch, owner, lease_until FROM queue_group")?
            .query_row([], |row| {
                Ok(Self {
                    epoch: row.get(0)?,
                    owner: row.get::<_, Option<[u8; 16]>>(1)?.map(Uuid::from_bytes),
                    until: Timestamp::from_millis(row.get(2)?),
                })
            })
    }

    fn write(&self, connection: &Connection) -> Result<(), Error> {
        connection
            .prepare_cached("UPDATE queue_group SET epoch = ?1, owner = ?2, lease_until = ?3")?
            .execute((
                self.epoch,
                self.owner.map(Uuid::into_bytes),
                self.until.millis(),
            ))?;
        Ok(())
    }

    /// How long another than the owner has to wait for it; `None` if it is free.
    fn taken_for(&self, now: Timestamp) -> Option<Duration> {
        let left = self.until.since(now);
        (self.owner.is_some() && !left.is_zero() && left <= LEASE).then_some(left)
    }
}

/// What a member came to that asked for the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It has held it all the time, and holds it on.
    Renewed(Held),
    /// It has it now: it reads from the committed offset.
    Gained(Held),
    /// Another has it, for so long at most.
    Refused(Duration),
}

/// How long `member` has to wait for the lease, without writing; `None` if it is worth asking.
pub(super) fn taken_for(
    connection: &Connection,
    member: Uuid,
    now: Timestamp,
) -> Result<Option<Duration>, Error> {
    let row = Row::read(connection)?;
    Ok(row.taken_for(now).filter(|_| row.owner != Some(member)))
}

/// Takes or renews the lease, inside a write transaction.
pub(super) fn take(
    connection: &Connection,
    member: Uuid,
    held: Option<Held>,
    now: Timestamp,
) -> Result<Taken, Error> {
    let row = Row::read(connection)?;
    let mine = row.owner == Some(member);
    if !mine && let Some(left) = row.taken_for(now) {
        return Ok(Taken::Refused(left));
    }
    // One that ran out and that nobody took goes on: what its owner has read meanwhile is still only its own.
    let goes_on = mine && held.is_some_and(|held| held.epoch == row.epoch);
    let held = Held {
        epoch: if goes_on { row.epoch } else { row.epoch + 1 },
        until: now.plus(LEASE),
    };
    held_row(member, held).write(connection)?;
    Ok(if goes_on {
        Taken::Renewed(held)
    } else {
        Taken::Gained(held)
    })
}

/// Renews a lease; `None` if it was lost.
pub(super) fn renew(
    connection: &Connection,
    member: Uuid,
    held: Held,
    now: Timestamp,
) -> Result<Option<Held>, Error> {
    let row = Row::read(connection)?;
    if row.owner != Some(member) || row.epoch != held.epoch {
        return Ok(None);
    }
    let held = Held {
        until: now.plus(LEASE),
        ..held
    };
    held_row(member, held).write(connection)?;
    Ok(Some(held))
}

/// Whether a lease has had no other owner since. One that ran out and that nobody took counts: see [`take`].
pub(super) fn is_owner(connection: &Connection, member: Uuid, held: Held) -> Result<bool, Error> {
    let row = Row::read(connection)?;
    Ok(row.owner == Some(member) && row.epoch == held.epoch)
}

/// Gives a lease back, unless it was lost.
pub(super) fn release(connection: &Connection, member: Uuid) -> Result<(), Error> {
    let row = Row::read(connection)?;
    if row.owner == Some(member) {
        let free = Row { owner: None, ..row };
        free.write(connection)?;
    }
    Ok(())
}

fn held_row(member: Uuid, held: Held) -> Row {
    Row {
        epoch: held.epoch,
        owner: Some(member),
        until: held.until,
    }
}
