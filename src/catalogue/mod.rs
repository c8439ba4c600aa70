//! Catalogues: synthetic ones, and files of items or of real orders.

mod error;
mod own;
mod retail;
mod synthetic;
mod table;

use std::fs;
use std::path::Path;

pub use error::Error;
pub use retail::{Invoice, SkipReason, Trace};
pub use synthetic::synthetic;

use crate::inventory::NewItem;
use table::Table;

/// The longest name of an item, in bytes.
pub const NAME_BYTES_MAX: usize = 200;

/// The longest reason of a correction of stock, in bytes.
pub const REASON_BYTES_MAX: usize = 500;

pub use crate::inventory::STOCK_MAX;

/// The largest file that is read, in bytes: a file is held in memory while it is read.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// What a catalogue file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum File {
    /// Items with their stock: `sku,name,price,stock`, the price in minor units.
    Own(Vec<NewItem>),
    /// Real orders in the format of the Online Retail data set.
    OnlineRetail(Trace),
}

/// Reads a CSV file; its header decides what it is.
///
/// # Errors
/// When it cannot be read, when its header is neither format's, when quotes are not closed; and in the strict format
/// of items at the first row that is wrong.
pub fn read(path: &Path) -> Result<File, Error> {
    let bytes = load(path)?;
    let mut table = Table::open(path, &bytes)?;
    if let Some(columns) = retail::columns(&table)? {
        return retail::read(&mut table, columns).map(File::OnlineRetail);
    }
    let columns = own::columns(&table)?;
    own::read(&mut table, columns).map(File::Own)
}

/// Checks the name of an item: 1 to 200 bytes without control characters; returns it trimmed.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_name(name: &str) -> Result<&str, String> {
    let name = name.trim();
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    if name.len() > NAME_BYTES_MAX {
        let bytes = name.len();
        return Err(format!(
            "the name has {bytes} bytes: at most {NAME_BYTES_MAX} are allowed"
        ));
    }
    if name.chars().any(char::is_control) {
        return Err("the name contains a control character".to_owned());
    }
    Ok(name)
}

/// Trims the reason of a correction of stock and checks it: not empty, not too long, nothing that a terminal would act
/// on.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_reason(reason: &str) -> Result<&str, String> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err("the reason is empty: say why the stock is corrected".to_owned());
    }
    if reason.len() > REASON_BYTES_MAX {
        let bytes = reason.len();
        return Err(format!(
            "the reason has {bytes} bytes: at most {REASON_BYTES_MAX} are allowed"
        ));
    }
    if reason.chars().any(char::is_control) {
        return Err("the reason contains a control character".to_owned());
    }
    Ok(reason)
}

/// Checks the first stock of an item: 0 to 10¹² units.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_stock(units: i64) -> Result<i64, String> {
    match units {
        0..=STOCK_MAX => Ok(units),
        ..0 => Err("the stock is negative: 0 or more units are needed".to_owned()),
        _ => Err(format!(
            "the stock is too large: at most {STOCK_MAX} units are allowed"
        )),
    }
}

fn load(path: &Path) -> Result<Vec<u8>, Error> {
    let cannot_read = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let metadata = fs::metadata(path).map_err(cannot_read)?;
    if !metadata.is_file() {
        return Err(Error::NotAFile {
            path: path.to_owned(),
            kind: if metadata.is_dir() {
                "a directory"
            } else {
                "not a regular file"
            },
        });
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            bytes: metadata.len(),
            bytes_max: FILE_BYTES_MAX,
        });
    }
    fs::read(path).map_err(cannot_read)
}

#[cfg(test)]
mod tests;
