//! Real orders: the format of the Online Retail data set (UCI Machine Learning Repository, Chen 2015).
//!
//! One row is one line of one invoice. Every row becomes an order line, is merged into one, or is skipped for a reason
//! that is counted; none vanishes.

mod row;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use csv::ByteRecord;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::table::Table;
use super::{Error, NAME_BYTES_MAX};
use crate::domain::{Cart, Customer, LINES_MAX, Line, Money, Quantity, Sku};
use crate::inventory::NewItem;
use row::Row;

/// The columns, as people are told.
pub(super) const HEADER: &str =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";

const NAMES: [&str; 8] = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
];

/// Real orders, ready to be replayed. `rows = order_lines + merged + Σ skipped`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// CSV records after the header.
    pub rows: u64,
    /// Rows that became a line of a cart.
    pub order_lines: u64,
    /// Rows whose SKU was in the same invoice's cart already: their quantity was added to it.
    pub merged: u64,
    /// Rows that became nothing, by reason.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// Invoices all of whose rows were skipped.
    pub empty_invoices: u64,
    /// When the first order invoice was written, by the shop's clock; none without any.
    pub begins_at: Option<DateTime>,
    /// The orders, by time; those of one time in the file's order.
    pub invoices: Vec<Invoice>,
    catalogue: BTreeMap<Sku, Product>,
}

/// One order of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// The number of the invoice.
    pub number: String,
    /// Who ordered: the customer id, or `guest-<number>` where the file names none.
    pub customer: Customer,
    /// How long after the first order invoice of the file.
    pub at: Duration,
    /// What was ordered.
    pub cart: Cart,
}

/// Why a row became no order line. A row that has several faults counts under the first of them in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Not as many fields as the header has, a number or a date that cannot be read, no invoice, bytes that are no text.
    Malformed,
    /// The invoice takes an order back: its number begins with C.
    Cancellation,
    /// Postage, discounts, fees, vouchers: the code is no stock code.
    NotAProduct,
    /// The price is 0 or less.
    PriceZero,
    /// The quantity is 0 or less.
    QuantityNotPositive,
    /// More than a cart, a line or a price may hold.
    OutOfRange,
}

impl SkipReason {
    /// Every reason, in the order in which they are tried.
    pub const ALL: [Self; 6] = [
        Self::Malformed,
        Self::Cancellation,
        Self::NotAProduct,
        Self::PriceZero,
        Self::QuantityNotPositive,
        Self::OutOfRange,
    ];

    /// The reason as it stands in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Cancellation => "cancellation",
            Self::NotAProduct => "not_a_product",
            Self::PriceZero => "price_zero",
            Self::QuantityNotPositive => "quantity_not_positive",
            Self::OutOfRange => "out_of_range",
        }
    }
}

impl Trace {
    /// The items that were ordered, by SKU, with `stock` units each: the first price seen of a SKU is its price, the
    /// first description its name.
    pub fn items(&self, stock: i64) -> Vec<NewItem> {
        (self.catalogue.iter())
            .map(|(sku, product)| NewItem {
                sku: sku.clone(),
                name: product.name.clone().unwrap_or_else(|| sku.to_string()),
                price: product.price,
                stock,
            })
            .collect()
    }
}

/// Where the columns stand, if this is the header of such a file.
pub(super) fn columns(table: &Table<'_>) -> Result<Option<[usize; 8]>, Error> {
    let looks_so = (table.header().iter()).any(|name| name == "InvoiceNo" || name == "StockCode");
    looks_so.then(|| table.columns(NAMES, HEADER)).transpose()
}

/// Reads all orders.
pub(super) fn read(table: &mut Table<'_>, columns: [usize; 8]) -> Result<Trace, Error> {
    table.check_quotes(false)?;
    let mut reading = Reading::default();
    let mut record = ByteRecord::new();
    while table.next(&mut record) {
        reading.rows += 1;
        let taken = Row::read(&record, columns).and_then(|row| reading.take(&row));
        if let Err(skipped) = taken {
            *reading.skipped.entry(skipped.reason).or_default() += 1;
            // An invoice without a single order line still has to be counted.
            if let Some(invoice) = skipped.invoice
                && !reading.drafts_by_number.contains_key(invoice)
            {
                reading.skipped_invoices.insert(invoice.to_owned());
            }
        }
    }
    Ok(reading.finish())
}

/// A row that becomes nothing.
struct Skipped<'a> {
    reason: SkipReason,
    /// Its invoice, if that could be read.
    invoice: Option<&'a str>,
}

/// What a SKU is, as far as the rows so far say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Product {
    name: Option<String>,
    price: Money,
}

/// An invoice that is being put together.
struct Draft {
    number: String,
    customer: Option<Customer>,
    at: DateTime,
    lines: Vec<Line>,
    places: HashMap<Sku, usize>,
}

#[derive(Default)]
struct Reading {
    rows: u64,
    order_lines: u64,
    merged: u64,
    skipped: BTreeMap<SkipReason, u64>,
    drafts: Vec<Draft>,
    drafts_by_number: HashMap<String, usize>,
    skipped_invoices: HashSet<String>,
    catalogue: BTreeMap<Sku, Product>,
}

impl Reading {
    /// Puts a row into its invoice's cart.
    fn take<'a>(&mut self, row: &Row<'a>) -> Result<(), Skipped<'a>> {
        let out_of_range = || row.skipped(SkipReason::OutOfRange);
        let index = match self.drafts_by_number.get(row.invoice) {
            Some(&index) => index,
            None => self.begin(row).ok_or_else(out_of_range)?,
        };
        let draft = &mut self.drafts[index];
        if let Some(&place) = draft.places.get(&row.sku) {
            let present: Quantity = draft.lines[place].quantity;
            let sum = present.checked_add(row.quantity);
            draft.lines[place].quantity = sum.map_err(|_| out_of_range())?;
            self.merged += 1;
        } else {
            if draft.lines.len() == LINES_MAX {
                return Err(out_of_range());
            }
            draft.places.insert(row.sku.clone(), draft.lines.len());
            draft.lines.push(Line {
                sku: row.sku.clone(),
                quantity: row.quantity,
            });
            self.order_lines += 1;
        }
        if draft.customer.is_none() {
            draft.customer.clone_from(&row.customer);
        }
        let product = self
            .catalogue
            .entry(row.sku.clone())
            .or_insert_with(|| Product {
                name: None,
                price: row.price,
            });
        if product.name.is_none() {
            product.name = name(&row.description);
        }
        Ok(())
    }

    /// Begins an invoice; none if its number is too long to name a guest after.
    fn begin(&mut self, row: &Row<'_>) -> Option<usize> {
        guest(row.invoice)?;
        let index = self.drafts.len();
        self.drafts_by_number.insert(row.invoice.to_owned(), index);
        self.drafts.push(Draft {
            number: row.invoice.to_owned(),
            customer: None,
            at: row.at,
            lines: Vec::new(),
            places: HashMap::new(),
        });
        Some(index)
    }

    fn finish(self) -> Trace {
        let begins_at = self.drafts.iter().map(|draft| draft.at).min();
        let mut invoices: Vec<Invoice> = (self.drafts.into_iter())
            .filter_map(|draft| draft.finish(begins_at?))
            .collect();
        invoices.sort_by_key(|invoice| invoice.at);
        let empty_invoices = (self.skipped_invoices.iter())
            .filter(|number| !self.drafts_by_number.contains_key(*number))
            .count();
        Trace {
            rows: self.rows,
            order_lines: self.order_lines,
            merged: self.merged,
            skipped: self.skipped,
            empty_invoices: empty_invoices as u64,
            begins_at,
            invoices,
            catalogue: self.catalogue,
        }
    }
}

impl Draft {
    /// The invoice; always one, since a draft begins with a line and keeps to the limits of a cart.
    fn finish(self, begins_at: DateTime) -> Option<Invoice> {
        let customer = self.customer.or_else(|| guest(&self.number))?;
        let since = self.at.duration_since(begins_at);
        Some(Invoice {
            cart: Cart::new(customer.clone(), self.lines).ok()?,
            number: self.number,
            customer,
            at: Duration::try_from(since).unwrap_or_default(),
        })
    }
}

/// Who orders on an invoice without a customer; none if its number is too long for that.
fn guest(number: &str) -> Option<Customer> {
    Customer::new(&format!("guest-{number}")).ok()
}

/// A description as a name: one line, at most 200 bytes; none if it is empty.
fn name(description: &str) -> Option<String> {
    let mut name: String = (description.trim().chars())
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    name.truncate(name.trim_end().len());
    (!name.is_empty()).then_some(name)
}
