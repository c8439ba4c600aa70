//! Corrects stock.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mysql_async::Conn;
use uuid::Uuid;

use super::fault::Fault;
use super::lane::Job;
use super::read::{self, Lock};
use super::rows::{self, Fields};
use super::sales::{self, Fold};
use super::{sql, write};
use crate::domain::{Sku, Timestamp};
use crate::inventory::{Adjusted, Adjustment, StockLevel, corrected};

/// Locks the items in SKU order, then reads the corrections already made, so that a retry sees its first attempt
/// (rule 12). The same id for another item at the same time is a duplicate key, and the transaction is done again.
pub(super) struct Adjust {
    pub(super) adjustments: Vec<Adjustment>,
}

/// A correction as recorded: what a repeat must equal.
#[derive(Clone, PartialEq, Eq)]
struct Recorded {
    sku: Sku,
    by: i64,
    reason: String,
}

/// The items and corrections on which a list is decided, and what came of it so far.
struct Desk {
    levels: HashMap<Sku, StockLevel>,
    recorded: HashMap<Uuid, Recorded>,
    /// What was applied, with the level after it.
    applied: Vec<(Adjustment, StockLevel)>,
    /// How levels stand in their rows.
    fold: Fold,
}

impl Job for Adjust {
    type Done = Vec<Adjusted>;

    async fn run(&self, connection: &mut Conn) -> Result<Vec<Adjusted>, Fault> {
        let adjustments = &self.adjustments;
        let ids: BTreeSet<Uuid> = adjustments.iter().map(|adjustment| adjustment.id).collect();
        let skus = adjustments.iter().map(|adjustment| adjustment.sku.clone());
        let locks = read::items_questions(&skus.collect(), Lock::ForUpdate);
        let mut items = read::each(connection, locks, rows::item).await?;
        // What was sold of locked items can be folded by nobody else.
        let fold = sales::all(connection).await?.fold(&mut items);
        let mut desk = Desk {
            levels: items
                .into_iter()
                .map(|item| (item.level.sku.clone(), item.level))
                .collect(),
            recorded: recorded(connection, &ids).await?,
            applied: Vec::new(),
            fold,
        };
        let outcomes = adjustments.iter().map(|adjustment| desk.decide(adjustment));
        let outcomes = outcomes.collect();
        desk.write(connection).await?;
        Ok(outcomes)
    }
}

async fn recorded(
    connection: &mut Conn,
    ids: &BTreeSet<Uuid>,
) -> Result<HashMap<Uuid, Recorded>, Fault> {
    let keys: Vec<&[u8; 16]> = ids.iter().map(Uuid::as_bytes).collect();
    let place = (
        "adjustment_id, sku, units, reason",
        "adjustments",
        "adjustment_id",
    );
    let questions = read::by_key(place, &keys, Lock::None);
    let found = read::each(connection, questions, |row| {
        let mut fields = Fields::of(row);
        let id = fields.uuid()?;
        let recorded = Recorded {
            sku: fields.sku()?,
            by: fields.take()?,
            reason: fields.take()?,
        };
        Ok((id, recorded))
    });
    Ok(found.await?.into_iter().collect())
}

impl Desk {
    fn decide(&mut self, adjustment: &Adjustment) -> Adjusted {
        let asked = Recorded {
            sku: adjustment.sku.clone(),
            by: adjustment.by,
            reason: adjustment.reason.clone(),
        };
        let level = self.levels.get_mut(&adjustment.sku);
        if let Some(recorded) = self.recorded.get(&adjustment.id) {
            return match level {
                Some(level) if *recorded == asked => Adjusted::Repeated(level.clone()),
                _ => Adjusted::IdConflict,
            };
        }
        let Some(level) = level else {
            return Adjusted::UnknownSku;
        };
        let Some(available) = corrected(level.available, adjustment.by) else {
            return Adjusted::OutOfRange;
        };
        level.available = available;
        level.version += 1;
        let level = level.clone();
        self.recorded.insert(adjustment.id, asked);
        self.applied.push((adjustment.clone(), level.clone()));
        Adjusted::Applied(level)
    }

    async fn write(&self, connection: &mut Conn) -> Result<(), Fault> {
        // The last level of each item, and by how much it was corrected in all.
        let mut items: BTreeMap<&Sku, (&StockLevel, i64)> = BTreeMap::new();
        for (adjustment, level) in &self.applied {
            let (last, by) = items.entry(&level.sku).or_insert((level, 0));
            *last = level;
            *by += adjustment.by;
        }
        let rows: Vec<_> = items
            .iter()
            .map(|(sku, (level, by))| {
                let row = self.fold.row(level);
                (write::hex(sku.as_str()), row.available, row.version, by)
            })
            .collect();
        let columns =
            "available BIGINT PATH '$[1]', version BIGINT PATH '$[2]', units BIGINT PATH '$[3]'";
        let set = "items.available = new.available, items.version = new.version, \
                   items.adjusted = items.adjusted + new.units";
        write::update_items(connection, &rows, columns, set).await?;
        let now = read::now(connection).await?;
        let head = "INSERT INTO adjustments (adjustment_id, sku, units, reason, adjusted_at, available_after, \
                    stock_version) VALUES ";
        let row = |text: &mut String, row: &(Adjustment, StockLevel)| ledger_row(text, row, now);
        for statement in sql::inserts(head, &self.applied, "", row) {
            write::run(connection, statement).await?;
        }
        Ok(())
    }
}

fn ledger_row(text: &mut String, (adjustment, level): &(Adjustment, StockLevel), now: Timestamp) {
    sql::bytes(text, adjustment.id.as_bytes());
    text.push(',');
    sql::bytes(text, adjustment.sku.as_str().as_bytes());
    text.push(',');
    sql::number(text, adjustment.by);
    text.push(',');
    sql::bytes(text, adjustment.reason.as_bytes());
    text.push(',');
    sql::number(text, now.millis());
    text.push(',');
    sql::number(text, level.available);
    text.push(',');
    sql::number(text, level.version);
}
