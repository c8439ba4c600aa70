//! A CSV file with a header: columns by name, positions by line.

use std::path::Path;

use csv::ByteRecord;

use super::Error;

/// An open file, after its header.
pub(super) struct Table<'a> {
    path: &'a Path,
    text: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    header: Vec<String>,
}

impl<'a> Table<'a> {
    /// Reads the header. A byte order mark is skipped.
    pub(super) fn open(path: &'a Path, bytes: &'a [u8]) -> Result<Self, Error> {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text);
        let mut table = Self {
            path,
            text,
            header: Vec::new(),
            reader: csv::Reader::from_reader(b""),
        };
        let mut record = ByteRecord::new();
        // Reading from memory cannot fail, and byte records know neither encodings nor lengths.
        if !matches!(reader.read_byte_record(&mut record), Ok(true)) {
            return Err(Error::Empty {
                path: path.to_owned(),
            });
        }
        table.reader = reader;
        table.header = record
            .iter()
            .map(|field| str::from_utf8(field).map(|name| name.trim().to_owned()))
            .collect::<Result<_, _>>()
            .map_err(|_| table.not_utf8(&record, "the header"))?;
        // UTF-16 shows itself by its zero bytes.
        if record.as_slice().contains(&0) {
            return Err(table.not_utf8(&record, "the header"));
        }
        Ok(table)
    }

    pub(super) fn path(&self) -> &'a Path {
        self.path
    }

    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// Where each of the named columns stands. None may be missing, named twice, or left over.
    pub(super) fn columns<const N: usize>(
        &self,
        names: [&'static str; N],
        expected: &'static str,
    ) -> Result<[usize; N], Error> {
        let wrong = |what: String| Error::Header {
            path: self.path.to_owned(),
            what,
            expected,
        };
        let mut places = [0; N];
        for (place, name) in places.iter_mut().zip(names) {
            let mut found = (0..self.header.len()).filter(|&index| self.header[index] == name);
            *place = found
                .next()
                .ok_or_else(|| wrong(format!("has no column `{name}`")))?;
            if found.next().is_some() {
                return Err(wrong(format!("has two columns `{name}`")));
            }
        }
        match (self.header.iter()).find(|name| !names.contains(&name.as_str())) {
            Some(stranger) => Err(wrong(format!(
                "has an unknown column `{}`",
                shortened(stranger)
            ))),
            None => Ok(places),
        }
    }

    /// The next row, blank lines skipped; false after the last one.
    pub(super) fn next(&mut self, record: &mut ByteRecord) -> bool {
        matches!(self.reader.read_byte_record(record), Ok(true))
    }

    /// The line in which a row begins, from 1. Slow: for messages.
    pub(super) fn line(&self, record: &ByteRecord) -> u64 {
        let byte = record.position().map_or(0, csv::Position::byte);
        self.line_at(usize::try_from(byte).unwrap_or(usize::MAX))
    }

    /// The line in which the first row at or after a byte begins, from 1.
    pub(super) fn line_at(&self, byte: usize) -> u64 {
        let rest = self.text.get(byte..).unwrap_or_default();
        let blank = (rest.iter()).take_while(|&&byte| byte == b'\n' || byte == b'\r');
        let before = &self.text[..self.text.len().min(byte + blank.count())];
        1 + before.split(|&byte| byte == b'\n').skip(1).count() as u64
    }

    pub(super) fn not_utf8(&self, record: &ByteRecord, column: &'static str) -> Error {
        Error::NotUtf8 {
            path: self.path.to_owned(),
            line: self.line(record),
            column,
        }
    }

    /// Refuses a file with a quoted field that never ends; with `strict` also one that goes on after its closing quote.
    ///
    /// Otherwise one forgotten quote would swallow the rows after it.
    pub(super) fn check_quotes(&self, strict: bool) -> Result<(), Error> {
        let (begin, what) = match scan_quotes(self.text, strict) {
            None => return Ok(()),
            Some(Quotes::Unclosed(begin)) => (begin, "a quoted field is not closed"),
            Some(Quotes::Trailing(begin)) => (begin, "text follows a quoted field"),
        };
        Err(Error::Quotes {
            path: self.path.to_owned(),
            line: self.line_at(begin),
            what,
        })
    }
}

/// A fault of quotes, with the byte at which the field begins.
enum Quotes {
    Unclosed(usize),
    Trailing(usize),
}

/// Walks the fields as the reader of the `csv` crate does: a quote counts only at the beginning of a field.
fn scan_quotes(text: &[u8], strict: bool) -> Option<Quotes> {
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'"' {
            let begin = at;
            at += 1;
            loop {
                match (text.get(at), text.get(at + 1)) {
                    (None, _) => return Some(Quotes::Unclosed(begin)),
                    (Some(b'"'), Some(b'"')) => at += 2,
                    (Some(b'"'), next) => {
                        at += 1;
                        if strict && !matches!(next, None | Some(b',' | b'\n' | b'\r')) {
                            return Some(Quotes::Trailing(begin));
                        }
                        break;
                    }
                    _ => at += 1,
                }
            }
        }
        // The rest of the field, and the separator after it.
        while at < text.len() && !matches!(text[at], b',' | b'\n' | b'\r') {
            at += 1;
        }
        at += 1;
    }
    None
}

/// A text that is shown back, without flooding the terminal.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN_CHARS: usize = 100;
    let mut shown: String = (text.chars().take(SHOWN_CHARS))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
