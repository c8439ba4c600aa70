//! Units that confirmed orders have bought and that `items` still counts as blocked.
//!
//! Confirming a batch of orders appends their sum and locks no item. Whoever next holds an item's lock folds what was
//! sold of it into its counters, and deletes the rows in the same transaction: once, since it has locked them as well,
//! and never waits for it: rows that somebody else has locked are left to them. Stock as anybody sees it is the item
//! with what is not folded yet, and `available` is the same with and without.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::fault::Fault;
use super::lane::Ask;
use super::rows::Fields;
use super::transaction::{Answers, Transaction, Tx};
use super::{read, sql, write};
use crate::domain::{Order, Sku};
use crate::findings;
use crate::inventory::StockLevel;
use crate::inventory::decide::{Damage, ItemRow};

/// The most items whose sums are written back because nobody has locked them: more are left for a transaction that
/// locks them all.
const REST_MAX: usize = 2_000;

/// The most rows that one transaction folds for itself.
const FOLD_ROWS_MAX: usize = 256;

/// The most items in one row.
const ROW_ITEMS_MAX: usize = 10_000;

/// What was sold of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sale {
    sku: Sku,
    units: i64,
    /// How many changes of its stock that is.
    changes: u64,
}

/// What all rows say.
#[derive(Debug, Default)]
pub(super) struct Sales {
    rows: Vec<(u64, Vec<Sale>)>,
    /// Rows that this transaction has locked.
    mine: HashSet<u64>,
}

/// What becomes of the rows, and of the items that are locked.
#[derive(Debug, Default)]
pub(super) struct Fold {
    /// Items that take in what was sold, with all that was.
    folded: BTreeMap<Sku, StockLevel>,
    /// What is sold of an item, and not taken in now.
    pending: HashMap<Sku, Sale>,
    /// Rows that go.
    taken: Vec<u64>,
    /// What of them stays, in a row of its own.
    rest: Vec<Sale>,
    /// Whether so much is left that all of it should be folded.
    pub(super) is_overfull: bool,
}

/// Asks for all rows, and which of them this transaction may fold.
pub(super) fn questions() -> [String; 2] {
    [
        "SELECT sale_id, units FROM sales ORDER BY sale_id".to_owned(),
        "SELECT sale_id FROM sales FOR UPDATE SKIP LOCKED".to_owned(),
    ]
}

/// What orders sell when they are confirmed, by SKU; none if it is out of range.
pub(super) fn sums(orders: &[Order]) -> Option<Vec<Sale>> {
    let mut sums: BTreeMap<&Sku, (i64, u64)> = BTreeMap::new();
    for line in orders.iter().flat_map(|order| &order.lines) {
        let (units, changes) = sums.entry(&line.sku).or_default();
        *units = units.checked_add(line.quantity.units())?;
        *changes += 1;
    }
    let sale = |(sku, (units, changes)): (&Sku, _)| Sale {
        sku: sku.clone(),
        units,
        changes,
    };
    Some(sums.into_iter().map(sale).collect())
}

/// Their items.
pub(super) fn skus(sales: &[Sale]) -> impl Iterator<Item = &Sku> {
    sales.iter().map(|sale| &sale.sku)
}

/// Inserts them if `condition` holds; the statement is refused otherwise.
pub(super) fn inserts(sales: &[Sale], condition: &str) -> Vec<String> {
    let insert = |part: &[Sale]| {
        let packed: Vec<_> = part
            .iter()
            .map(|sale| (&sale.sku, sale.units, sale.changes))
            .collect();
        let json = serde_json::to_string(&packed).expect("strings and numbers always serialise");
        let mut statement = String::from("INSERT INTO sales (units, checked) SELECT ");
        sql::bytes(&mut statement, json.as_bytes());
        statement.push_str(", IF(");
        statement.push_str(condition);
        statement.push_str(", 1, NULL)");
        statement
    };
    sales.chunks(ROW_ITEMS_MAX).map(insert).collect()
}

/// Reads `units`.
fn unpack(units: &str) -> Result<Vec<Sale>, serde_json::Error> {
    let packed: Vec<(Sku, i64, u64)> = serde_json::from_str(units)?;
    let sale = |(sku, units, changes)| Sale {
        sku,
        units,
        changes,
    };
    Ok(packed.into_iter().map(sale).collect())
}

impl Sale {
    fn add(&mut self, other: &Self) {
        // A sum that is out of range is found when it is folded.
        self.units = self.units.saturating_add(other.units);
        self.changes = self.changes.saturating_add(other.changes);
    }

    /// The item with what was sold of it; none if a counter would leave its range.
    fn sold(&self, level: &StockLevel) -> Option<StockLevel> {
        Some(StockLevel {
            blocked: level.blocked.checked_sub(self.units)?,
            sold: level.sold.checked_add(self.units)?,
            version: level.version.checked_add(self.changes)?,
            ..level.clone()
        })
    }

    /// Undoes [`Sale::sold`].
    fn unsold(&self, level: &StockLevel) -> StockLevel {
        StockLevel {
            blocked: level.blocked + self.units,
            sold: level.sold - self.units,
            version: level.version - self.changes,
            ..level.clone()
        }
    }
}

impl Sales {
    /// The answers to [`questions`].
    pub(super) fn read(answers: &mut Answers) -> Result<Self, Fault> {
        let mut sales = Self::default();
        for row in answers.rows(1) {
            let mut fields = Fields::of(row);
            sales.push(fields.count()?, &fields.take::<String>()?);
        }
        for row in answers.rows(1) {
            sales.mine.insert(Fields::of(row).count()?);
        }
        Ok(sales)
    }

    /// Adds a row. One that cannot be read is left as it is, and logged (rule 18).
    pub(super) fn push(&mut self, id: u64, units: &str) {
        match unpack(units) {
            Ok(sales) => self.rows.push((id, sales)),
            Err(error) => findings::report(&format!("row {id} of sales"), &error),
        }
    }

    /// Brings levels up to date, as far as counters allow.
    pub(super) fn show<'a>(&self, levels: impl Iterator<Item = &'a mut StockLevel>) {
        let mut levels: HashMap<Sku, &mut StockLevel> =
            levels.map(|level| (level.sku.clone(), level)).collect();
        for sale in self.rows.iter().flat_map(|(_, sales)| sales) {
            if let Some(level) = levels.get_mut(&sale.sku)
                && let Some(sold) = sale.sold(level)
            {
                **level = sold;
            }
        }
    }

    /// Brings items up to date that are locked, and says what has to be written for that.
    pub(super) fn fold(self, items: &mut [ItemRow]) -> Fold {
        let mut known: HashMap<Sku, &mut StockLevel> = items
            .iter_mut()
            .map(|item| (item.level.sku.clone(), &mut item.level))
            .collect();
        let (mut folding, mut pending) = (BTreeMap::new(), HashMap::new());
        let mut rest = BTreeMap::new();
        let mut taken = Vec::new();
        for (id, sales) in self.rows {
            let mine = self.mine.contains(&id);
            if mine {
                taken.push(id);
            }
            for sale in sales {
                match (known.contains_key(&sale.sku), mine) {
                    (true, true) => add(folding.entry(sale.sku.clone()), sale),
                    (true, false) => add_pending(&mut pending, sale),
                    (false, true) => add(rest.entry(sale.sku.clone()), sale),
                    (false, false) => {}
                }
            }
        }
        let is_overfull = rest.len() > REST_MAX;
        // With nothing to fold, and nothing to join, the rows may stay.
        if is_overfull || (folding.is_empty() && taken.len() <= 1) {
            for sale in std::mem::take(&mut folding).into_values() {
                add_pending(&mut pending, sale);
            }
            rest.clear();
            taken.clear();
        }
        let mut folded = BTreeMap::new();
        for (sku, sale) in folding {
            let level = known.get_mut(&sku).expect("only known ones are folded");
            match sale.sold(level) {
                Some(sold) if sold.blocked >= 0 => {
                    **level = sold.clone();
                    folded.insert(sku, sold);
                }
                _ => {
                    // Somebody has changed the item past this program. What was sold stays where it is.
                    findings::report(sku.as_str(), &too_few(level, &sale));
                    add_pending(&mut pending, sale.clone());
                    rest.insert(sku, sale);
                }
            }
        }
        for (sku, sale) in &pending {
            if let Some(level) = known.get_mut(sku)
                && let Some(sold) = sale.sold(level)
            {
                **level = sold;
            }
        }
        for (sku, level) in &mut folded {
            (*known[sku]).clone_into(level);
        }
        Fold {
            folded,
            pending,
            taken,
            rest: rest.into_values().collect(),
            is_overfull,
        }
    }
}

fn add(entry: std::collections::btree_map::Entry<'_, Sku, Sale>, sale: Sale) {
    entry.and_modify(|sum| sum.add(&sale)).or_insert(sale);
}

fn add_pending(pending: &mut HashMap<Sku, Sale>, sale: Sale) {
    pending
        .entry(sale.sku.clone())
        .and_modify(|sum| sum.add(&sale))
        .or_insert(sale);
}

fn too_few(level: &StockLevel, sale: &Sale) -> Damage {
    Damage::TooFewBlocked {
        sku: level.sku.clone(),
        blocked: level.blocked,
        units: sale.units,
    }
}

impl Fold {
    /// The rows of `items` to write, by SKU: those that were changed to these levels, and those that take in what was
    /// sold.
    pub(super) fn items(&self, changed: &[StockLevel]) -> Vec<StockLevel> {
        let mut levels = self.folded.clone();
        for level in changed {
            levels.insert(level.sku.clone(), level.clone());
        }
        levels.into_values().map(|level| self.row(&level)).collect()
    }

    /// How an item stands in its row.
    pub(super) fn row(&self, level: &StockLevel) -> StockLevel {
        match self.pending.get(&level.sku) {
            Some(sale) => sale.unsold(level),
            None => level.clone(),
        }
    }

    /// Deletes what is folded, and writes the rest again.
    pub(super) async fn write(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        for part in self.taken.chunks(sql::LIST_MAX) {
            let ids: Vec<String> = part.iter().map(u64::to_string).collect();
            tx.write(&format!(
                "DELETE FROM sales WHERE sale_id IN ({})",
                ids.join(",")
            ))
            .await?;
        }
        for statement in inserts(&self.rest, "TRUE") {
            tx.write(&statement).await?;
        }
        Ok(())
    }
}

/// Folds what nobody else folds: the rows first, then their items in SKU order. Others never wait for the rows.
pub(super) struct FoldAll;

impl Transaction for FoldAll {
    type Done = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let question = format!(
            "SELECT sale_id, units FROM sales ORDER BY sale_id LIMIT {FOLD_ROWS_MAX} FOR UPDATE SKIP LOCKED"
        );
        let mut answers = tx.ask(&[question]).await?;
        let mut sales = Sales::default();
        for row in answers.rows(1) {
            let mut fields = Fields::of(row);
            let id = fields.count()?;
            sales.push(id, &fields.take::<String>()?);
            sales.mine.insert(id);
        }
        let skus: BTreeSet<Sku> = sales
            .rows
            .iter()
            .flat_map(|(_, row)| skus(row))
            .cloned()
            .collect();
        if skus.is_empty() {
            return Ok(());
        }
        let questions = read::items_questions(&skus, read::Lock::ForUpdate);
        let mut answers = tx.ask(&questions).await?;
        let mut items = read::item_rows(answers.rows(questions.len()))?;
        let fold = sales.fold(&mut items);
        write::items(tx, &fold.items(&[])).await?;
        fold.write(tx).await
    }
}

/// All rows, none of them locked.
pub(super) async fn all(connection: &mut Conn) -> Result<Sales, Fault> {
    let [question, _] = questions();
    let rows: Vec<Row> = connection.query(question).await?;
    let mut sales = Sales::default();
    for row in rows {
        let mut fields = Fields::of(row);
        sales.push(fields.count()?, &fields.take::<String>()?);
    }
    Ok(sales)
}

/// Whether anything is to be folded.
pub(super) fn any() -> Ask<(), bool> {
    Ask((), |connection, ()| {
        Box::pin(async {
            let any: u8 = read::number(connection, "SELECT EXISTS (SELECT 1 FROM sales)").await?;
            Ok(any == 1)
        })
    })
}

/// Rows of a union of items and sales: sales have no SKU, and their `units` behind all columns of an item.
pub(super) fn separate(rows: Vec<Row>, units: usize) -> (Vec<Row>, Sales) {
    let mut sales = Sales::default();
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        match row.get_opt::<Option<String>, _>(units) {
            Some(Ok(Some(units))) => sales.push(0, &units),
            _ => items.push(row),
        }
    }
    (items, sales)
}
