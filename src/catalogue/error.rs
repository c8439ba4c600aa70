//! What is wrong with a catalogue file: which file, which line, which value, and what to do.

use std::io;
use std::path::PathBuf;

/// A catalogue file that cannot be used. Lines count from 1.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is missing, or may not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A directory, a pipe, a device.
    #[error("{} is {kind}: name a CSV file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// Over 1 GiB.
    #[error("{} has {bytes} bytes: at most {bytes_max} are read; split it", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How long it is.
        bytes: u64,
        /// How long it may be.
        bytes_max: u64,
    },
    /// Nothing in it.
    #[error("{} is empty: expected a header, `{}` or `{}`", path.display(), super::own::HEADER, super::retail::HEADER)]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A header and nothing else.
    #[error("{} has a header and no items: add rows of `{}`", path.display(), super::own::HEADER)]
    NoItems {
        /// The file.
        path: PathBuf,
    },
    /// The header is neither format's.
    #[error(
        "{}: cannot tell what the columns `{found}` are: expected `{}`, or `{}`",
        path.display(), super::own::HEADER, super::retail::HEADER
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Its first line, shortened.
        found: String,
    },
    /// The header is almost that of a format.
    #[error("{}: the header {what}: expected the columns `{expected}`, in any order", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong, such as "has no column `stock`".
        what: String,
        /// The columns of the format.
        expected: &'static str,
    },
    /// A quoted field that never ends, or goes on after its closing quote.
    #[error("{}:{line}: {what}: close it, and write a quote inside a quoted field as `\"\"`", path.display())]
    Quotes {
        /// The file.
        path: PathBuf,
        /// Where the quoted field begins.
        line: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Too few or too many fields.
    #[error("{}:{line}: {found} fields where the header has {expected}", path.display())]
    Fields {
        /// The file.
        path: PathBuf,
        /// The row.
        line: u64,
        /// How many fields it has.
        found: usize,
        /// How many the header has.
        expected: usize,
    },
    /// Bytes that are no text.
    #[error("{}:{line}: {column} is not UTF-8: save the file as CSV in UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The row.
        line: u64,
        /// The column, or "the header".
        column: &'static str,
    },
    /// A value that cannot be.
    #[error("{}:{line}: {column} `{value}`: {why}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The row.
        line: u64,
        /// The column.
        column: &'static str,
        /// The value, shortened.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// The same SKU twice.
    #[error("{}:{line}: sku `{sku}` is already in line {first}: remove one of them", path.display())]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The second row.
        line: u64,
        /// The SKU of both.
        sku: crate::domain::Sku,
        /// The first row.
        first: u64,
    },
}
