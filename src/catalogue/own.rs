//! The format of our own: `sku,name,price,stock`. Strict: one bad row refuses the whole file.

use std::collections::HashMap;

use csv::ByteRecord;

use super::table::{Table, shortened};
use super::{Error, check_name, check_stock};
use crate::domain::{Money, Sku};
use crate::inventory::NewItem;

/// The columns, as people are told.
pub(super) const HEADER: &str = "sku,name,price,stock";

const NAMES: [&str; 4] = ["sku", "name", "price", "stock"];

/// Where the columns stand.
pub(super) fn columns(table: &Table<'_>) -> Result<[usize; 4], Error> {
    if !(table.header().iter()).any(|name| NAMES.contains(&name.as_str())) {
        return Err(Error::UnknownFormat {
            path: table.path().to_owned(),
            found: shortened(&table.header().join(",")),
        });
    }
    table.columns(NAMES, HEADER)
}

/// Reads all items.
pub(super) fn read(table: &mut Table<'_>, columns: [usize; 4]) -> Result<Vec<NewItem>, Error> {
    table.check_quotes(true)?;
    let mut items = Vec::new();
    let mut seen: HashMap<Sku, u64> = HashMap::new();
    let mut record = ByteRecord::new();
    while table.next(&mut record) {
        let item = item(table, &record, columns)?;
        let byte = record.position().map_or(0, csv::Position::byte);
        if let Some(first) = seen.insert(item.sku.clone(), byte) {
            return Err(Error::Duplicate {
                path: table.path().to_owned(),
                line: table.line(&record),
                sku: item.sku,
                first: table.line_at(usize::try_from(first).unwrap_or(usize::MAX)),
            });
        }
        items.push(item);
    }
    if items.is_empty() {
        return Err(Error::NoItems {
            path: table.path().to_owned(),
        });
    }
    Ok(items)
}

fn item(table: &Table<'_>, record: &ByteRecord, columns: [usize; 4]) -> Result<NewItem, Error> {
    if record.len() != NAMES.len() {
        return Err(Error::Fields {
            path: table.path().to_owned(),
            line: table.line(record),
            found: record.len(),
            expected: NAMES.len(),
        });
    }
    let row = Row {
        table,
        record,
        columns,
    };
    Ok(NewItem {
        sku: row.value(0, |text| Sku::new(text).map_err(|error| error.to_string()))?,
        name: row.value(1, |text| check_name(text).map(str::to_owned))?,
        price: row.value(2, price)?,
        stock: row.value(3, stock)?,
    })
}

struct Row<'a> {
    table: &'a Table<'a>,
    record: &'a ByteRecord,
    columns: [usize; 4],
}

impl Row<'_> {
    /// Reads the value of a column.
    fn value<T>(
        &self,
        column: usize,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Error> {
        let bytes = &self.record[self.columns[column]];
        let text = str::from_utf8(bytes)
            .map_err(|_| self.table.not_utf8(self.record, NAMES[column]))?
            .trim();
        read(text).map_err(|why| Error::Value {
            path: self.table.path().to_owned(),
            line: self.table.line(self.record),
            column: NAMES[column],
            value: shortened(text),
            why,
        })
    }
}

fn price(text: &str) -> Result<Money, String> {
    let Ok(minor) = text.parse() else {
        return Err(
            "expected a whole number of minor units, such as 1999 for a price of 19.99".to_owned(),
        );
    };
    Money::new(minor).map_err(|error| error.to_string())
}

fn stock(text: &str) -> Result<i64, String> {
    let units = text
        .parse()
        .map_err(|_| "expected a whole number of units, such as 100")?;
    check_stock(units)
}
