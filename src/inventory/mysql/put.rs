//! Creates and changes items of the catalogue.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::fault::Fault;
use super::lane::Job;
use super::rows::Fields;
use super::{read, sql, write};
use crate::domain::{Money, Sku};
use crate::inventory::{NewItem, PutOutcome};

/// Locks the items that exist, decides in the given order, and writes each item once. An item that somebody else
/// creates meanwhile is a duplicate key, and the transaction is done again.
pub(super) struct Put {
    pub(super) items: Vec<NewItem>,
}

/// What an item is to become, and what has to be written for it.
#[derive(Clone)]
struct Wanted<'a> {
    name: &'a str,
    price: Money,
    stock: i64,
    outcome: PutOutcome,
}

impl Job for Put {
    type Done = Vec<PutOutcome>;

    async fn run(&self, connection: &mut Conn) -> Result<Vec<PutOutcome>, Fault> {
        let skus: BTreeSet<&Sku> = self.items.iter().map(|item| &item.sku).collect();
        let known = known(connection, &skus).await?;
        let mut wanted: BTreeMap<&Sku, Wanted> = BTreeMap::new();
        let mut outcomes = Vec::with_capacity(self.items.len());
        for item in &self.items {
            let before = match wanted.get(&item.sku) {
                Some(before) => Some((before.name, before.price)),
                None => known
                    .get(&item.sku)
                    .map(|(name, price)| (name.as_str(), *price)),
            };
            let outcome = match before {
                None => PutOutcome::Created,
                Some(before) if before == (item.name.as_str(), item.price) => PutOutcome::Unchanged,
                Some(_) => PutOutcome::Changed,
            };
            outcomes.push(outcome);
            let entry = wanted.entry(&item.sku).or_insert(Wanted {
                name: &item.name,
                price: item.price,
                stock: item.stock,
                outcome,
            });
            (entry.name, entry.price) = (&item.name, item.price);
            if entry.outcome == PutOutcome::Unchanged {
                entry.outcome = outcome;
            }
        }
        create(connection, &wanted).await?;
        change(connection, &wanted).await?;
        Ok(outcomes)
    }
}

/// Names and prices of the items that exist, locked in SKU order.
async fn known(
    connection: &mut Conn,
    skus: &BTreeSet<&Sku>,
) -> Result<HashMap<Sku, (String, Money)>, Fault> {
    let keys: Vec<&str> = skus.iter().map(|sku| sku.as_str()).collect();
    let place = ("sku, name, price", "items", "sku");
    let questions = read::by_key(place, &keys, read::Lock::ForUpdate);
    let found = read::each(connection, questions, |row| {
        let mut fields = Fields::of(row);
        Ok((fields.sku()?, (fields.take()?, fields.money()?)))
    });
    Ok(found.await?.into_iter().collect())
}

async fn create(connection: &mut Conn, wanted: &BTreeMap<&Sku, Wanted<'_>>) -> Result<(), Fault> {
    let created: Vec<_> = wanted
        .iter()
        .filter(|(_, item)| item.outcome == PutOutcome::Created)
        .collect();
    if created.is_empty() {
        return Ok(());
    }
    let now = read::now(connection).await?;
    let head = "INSERT INTO items (sku, name, price, initial, available, blocked, sold, adjusted, version, \
                created_at) VALUES ";
    let statements = sql::inserts(head, &created, "", |text, (sku, item)| {
        sql::bytes(text, sku.as_str().as_bytes());
        text.push(',');
        sql::bytes(text, item.name.as_bytes());
        for number in [
            item.price.minor(),
            item.stock,
            item.stock,
            0,
            0,
            0,
            1,
            now.millis(),
        ] {
            text.push(',');
            sql::number(text, number);
        }
    });
    for statement in statements {
        connection.query_drop(statement).await?;
    }
    Ok(())
}

async fn change(connection: &mut Conn, wanted: &BTreeMap<&Sku, Wanted<'_>>) -> Result<(), Fault> {
    let changed: Vec<_> = wanted
        .iter()
        .filter(|(_, item)| item.outcome == PutOutcome::Changed)
        .map(|(sku, item)| (write::hex(sku.as_str()), write::hex(item.name), item.price))
        .collect();
    let columns = "name VARCHAR(2000) PATH '$[1]', price BIGINT PATH '$[2]'";
    let set = "items.name = CONVERT(UNHEX(new.name) USING utf8mb4), items.price = new.price";
    write::update_items(connection, &changed, columns, set).await
}
