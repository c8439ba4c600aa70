//! The statements on the ledger. All run inside a transaction of the store.

use rusqlite::{Connection, Error, OptionalExtension, Statement};

use super::draw::{Draw, Outcome, draw};
use super::{Attempt, Cancelled, Charge, ChargeRecord, LedgerEntry, LedgerQuery, Profile, Verdict};
use crate::domain::{Money, OrderId, Timestamp};

/// Every attempt so far has timed out: another one may be made.
const OPEN: u8 = 0;
const CAPTURED: u8 = 1;
const DECLINED: u8 = 2;
/// Cancelled before it was captured.
const FENCED: u8 = 3;

/// The gateway's words for a decline.
pub(super) const DECLINE: &str = "declined by the bank";

/// What a charge came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Charged {
    /// The verdict was there already.
    Before(Verdict),
    /// This attempt has come to this.
    Now(Draw),
    /// The key stands for another charge.
    Conflict,
}

/// What a refund came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refunded {
    /// It is returned: now, or before.
    Done,
    /// Nothing was captured.
    NotCaptured,
    /// More than was captured.
    TooMuch(Money),
    /// Another amount was returned before.
    Conflict(Money),
}

/// A row.
struct Row {
    state: u8,
    customer: Option<String>,
    amount: Money,
    at: Timestamp,
    refunded: Money,
    refunds: u64,
    refunded_at: Option<Timestamp>,
}

const ROW: &str = "SELECT state, customer, amount, at, refunded, refunds, refunded_at FROM charges WHERE order_id = ?1";

impl Row {
    fn read(connection: &Connection, id: OrderId) -> Result<Option<Self>, Error> {
        Self::query(&mut *connection.prepare_cached(ROW)?, id)
    }

    fn query(row: &mut Statement<'_>, id: OrderId) -> Result<Option<Self>, Error> {
        row.query_row([id.as_bytes()], |row| {
            Ok(Self {
                state: row.get(0)?,
                customer: row.get(1)?,
                amount: money(2, row.get::<_, Option<i64>>(2)?.unwrap_or(0))?,
                at: Timestamp::from_millis(row.get(3)?),
                refunded: money(4, row.get(4)?)?,
                refunds: count(row.get(5)?),
                refunded_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
            })
        })
        .optional()
    }

    fn verdict(&self) -> Option<Verdict> {
        match self.state {
            CAPTURED => Some(Verdict::Captured {
                amount: self.amount,
            }),
            DECLINED => Some(declined(DECLINE)),
            FENCED => Some(declined("cancelled")),
            _ => None,
        }
    }

    /// Whether the key was used for another charge. A key that was fenced before any charge came stands for all.
    fn conflicts(&self, charge: &Charge) -> bool {
        self.customer.as_ref().is_some_and(|customer| {
            customer != charge.customer.as_str() || self.amount != charge.amount
        })
    }
}

pub(super) fn declined(reason: &str) -> Verdict {
    Verdict::Declined {
        reason: reason.to_owned(),
    }
}

fn money(column: usize, minor: i64) -> Result<Money, Error> {
    Money::new(minor).map_err(|error| {
        Error::FromSqlConversionFailure(column, rusqlite::types::Type::Integer, Box::new(error))
    })
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The number of a customer's next attempt.
const NEXT_NUMBER: &str = "SELECT ifnull(max(number), 0) + 1 FROM attempts WHERE customer = ?1";

fn number(next_number: &mut Statement<'_>, charge: &Charge) -> Result<u64, Error> {
    next_number
        .query_row([charge.customer.as_str()], |row| row.get(0))
        .map(count)
}

/// What a charge would come to now, without making it; `None` where that needs no attempt.
pub(super) fn foresee(
    connection: &Connection,
    profile: &Profile,
    charge: &Charge,
) -> Result<Option<Draw>, Error> {
    let row = Row::read(connection, charge.order_id)?;
    if row.is_some_and(|row| row.conflicts(charge) || row.verdict().is_some()) {
        return Ok(None);
    }
    let number = number(&mut *connection.prepare_cached(NEXT_NUMBER)?, charge)?;
    Ok(Some(draw(profile, &charge.customer, number)))
}

/// Charges each, unless its verdict is there.
pub(super) fn charge(
    connection: &Connection,
    profile: &Profile,
    charges: &[Charge],
    now: Timestamp,
) -> Result<Vec<Charged>, Error> {
    let mut row = connection.prepare_cached(ROW)?;
    let mut next_number = connection.prepare_cached(NEXT_NUMBER)?;
    let mut attempt =
        connection.prepare_cached("INSERT INTO attempts VALUES (?1, ?2, ?3, ?4, ?5)")?;
    // Captures are counted, not only noted, so that a second one would show.
    let mut book = connection.prepare_cached(
        "INSERT INTO charges VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, NULL)
         ON CONFLICT DO UPDATE SET state = ?4, at = ?5, captures = captures + ?6",
    )?;
    let mut one = |charge: &Charge| {
        if let Some(row) = Row::query(&mut row, charge.order_id)? {
            if row.conflicts(charge) {
                return Ok(Charged::Conflict);
            }
            if let Some(verdict) = row.verdict() {
                return Ok(Charged::Before(verdict));
            }
        }
        let number = number(&mut next_number, charge)?;
        let draw = draw(profile, &charge.customer, number);
        attempt.execute((
            charge.customer.as_str(),
            i64::try_from(number).unwrap_or(i64::MAX),
            charge.order_id.as_bytes(),
            draw.outcome.code(),
            now.millis(),
        ))?;
        let state = match draw.outcome {
            Outcome::TimedOut => OPEN,
            Outcome::Declined => DECLINED,
            Outcome::Captured | Outcome::AnswerLost => CAPTURED,
        };
        book.execute((
            charge.order_id.as_bytes(),
            charge.customer.as_str(),
            charge.amount.minor(),
            state,
            now.millis(),
            draw.outcome.is_captured(),
        ))?;
        Ok(Charged::Now(draw))
    };
    charges.iter().map(&mut one).collect()
}

/// The verdict, if there is one.
pub(super) fn lookup(connection: &Connection, id: OrderId) -> Result<Option<Verdict>, Error> {
    Ok(Row::read(connection, id)?.and_then(|row| row.verdict()))
}

/// What has happened under a key.
pub(super) fn record(connection: &Connection, id: OrderId) -> Result<Option<ChargeRecord>, Error> {
    Ok(Row::read(connection, id)?.map(|row| ChargeRecord {
        verdict: row.verdict(),
        refunded: Some(row.refunded),
    }))
}

/// Fences a key.
pub(super) fn cancel(
    connection: &Connection,
    id: OrderId,
    now: Timestamp,
) -> Result<Cancelled, Error> {
    match Row::read(connection, id)? {
        Some(row) if row.state == CAPTURED => {
            return Ok(Cancelled::Captured { amount: row.amount });
        }
        // A declined key never captures anything, and keeps its reason.
        Some(row) if row.state != OPEN => {}
        _ => {
            connection
                .prepare_cached(
                    "INSERT INTO charges VALUES (?1, NULL, NULL, ?2, ?3, 0, 0, 0, NULL)
                     ON CONFLICT DO UPDATE SET state = ?2, at = ?3",
                )?
                .execute((id.as_bytes(), FENCED, now.millis()))?;
        }
    }
    Ok(Cancelled::Fenced)
}

/// Returns a captured amount, once.
pub(super) fn refund(
    connection: &Connection,
    id: OrderId,
    amount: Money,
    now: Timestamp,
) -> Result<Refunded, Error> {
    let captured = Row::read(connection, id)?.filter(|row| row.state == CAPTURED);
    let Some(row) = captured else {
        return Ok(Refunded::NotCaptured);
    };
    if row.refunds > 0 {
        return Ok(if row.refunded == amount {
            Refunded::Done
        } else {
            Refunded::Conflict(row.refunded)
        });
    }
    if amount > row.amount {
        return Ok(Refunded::TooMuch(row.amount));
    }
    connection
        .prepare_cached(
            "UPDATE charges SET refunded = refunded + ?2, refunds = refunds + 1, refunded_at = ?3 WHERE order_id = ?1",
        )?
        .execute((id.as_bytes(), amount.minor(), now.millis()))?;
    Ok(Refunded::Done)
}

/// What became of a key, oldest first.
pub(super) fn attempts(connection: &Connection, id: OrderId) -> Result<Vec<Attempt>, Error> {
    let Some(row) = Row::read(connection, id)? else {
        return Ok(Vec::new());
    };
    // The attempts of a key are among those of its customer, which are few: they need no index of their own.
    let mut attempts = connection
        .prepare_cached(
            "SELECT at, outcome FROM attempts WHERE customer = ?1 AND order_id = ?2 ORDER BY number",
        )?
        .query_map((&row.customer, id.as_bytes()), |row| {
            let words = Outcome::words(row.get(1)?).unwrap_or("unknown");
            Ok(attempt(Timestamp::from_millis(row.get(0)?), words))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    if row.state == FENCED {
        attempts.push(attempt(row.at, "fenced"));
    }
    if let Some(at) = row.refunded_at {
        attempts.push(attempt(at, "refunded"));
    }
    Ok(attempts)
}

fn attempt(at: Timestamp, outcome: &str) -> Attempt {
    Attempt {
        at,
        outcome: outcome.to_owned(),
    }
}

/// The columns that [`entry`] reads.
const ENTRY: &str =
    "SELECT order_id, iif(state = 1, amount, 0), captures, refunded, refunds, at FROM charges";

fn entry(row: &rusqlite::Row<'_>) -> Result<LedgerEntry, Error> {
    Ok(LedgerEntry {
        order_id: OrderId::from_bytes(row.get(0)?),
        captured: money(1, row.get(1)?)?,
        captures: count(row.get(2)?),
        refunded: money(3, row.get(3)?)?,
        refunds: count(row.get(4)?),
        at: Timestamp::from_millis(row.get(5)?),
    })
}

/// Entries of the ledger.
pub(super) fn list(
    connection: &Connection,
    query: &LedgerQuery,
) -> Result<Vec<LedgerEntry>, Error> {
    let stored = |limit: &usize| i64::try_from(*limit).unwrap_or(i64::MAX);
    match query {
        LedgerQuery::After { key, limit } => {
            // No key is shorter than the empty one.
            let after = key.as_ref().map_or(&[][..], |id| id.as_bytes());
            let sql = format!("{ENTRY} WHERE order_id > ?1 ORDER BY order_id LIMIT ?2");
            let mut page = connection.prepare_cached(&sql)?;
            page.query_map((after, stored(limit)), entry)?.collect()
        }
        LedgerQuery::Keys(keys) => {
            let sql = format!("{ENTRY} WHERE order_id = ?1");
            let mut one = connection.prepare_cached(&sql)?;
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            let found = sorted
                .iter()
                .map(|id| one.query_row([id.as_bytes()], entry).optional());
            found.filter_map(Result::transpose).collect()
        }
        LedgerQuery::Captured { after, limit } => {
            let sql = format!(
                "{ENTRY} INDEXED BY charges_captured \
                 WHERE state = 1 AND (at, order_id) > (?1, ?2) ORDER BY at, order_id LIMIT ?3"
            );
            let mut page = connection.prepare_cached(&sql)?;
            let after = (after.captured_at.millis(), after.order_id.as_bytes());
            page.query_map((after.0, after.1, stored(limit)), entry)?
                .collect()
        }
    }
}
