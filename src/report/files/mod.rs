//! A report as a file, in a format that its extension names.

mod csv;
mod hlog;
mod junit;
mod markdown;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{RunReport, html};

/// A file to write a report to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFile {
    path: PathBuf,
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Html,
    Csv,
    Hlog,
    Markdown,
    Junit,
}

/// Formats by the extension of their files.
const FORMATS: [(&str, Format); 6] = [
    ("json", Format::Json),
    ("html", Format::Html),
    ("csv", Format::Csv),
    ("hlog", Format::Hlog),
    ("md", Format::Markdown),
    ("xml", Format::Junit),
];

/// A name whose extension names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a report is written as .json, .html, .csv, .hlog, .md or .xml; name a file that ends so, such as run.html"
)]
pub struct UnknownFormat;

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report to {}", path.display())]
pub struct WriteError {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

impl WriteError {
    pub(super) fn new(path: &Path, source: std::io::Error) -> Self {
        Self {
            path: path.to_owned(),
            source,
        }
    }
}

/// Makes sure that a file can be written, and leaves one that is there as it is.
pub(super) fn check_writable(path: &Path) -> Result<(), WriteError> {
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map(drop)
        .map_err(|source| WriteError::new(path, source))
}

impl FromStr for ReportFile {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        let extension = path.extension().and_then(|extension| extension.to_str());
        let format = FORMATS.iter().find(|(known, _)| extension == Some(*known));
        format
            .map(|(_, format)| Self {
                path: path.clone(),
                format: *format,
            })
            .ok_or(UnknownFormat)
    }
}

impl fmt::Display for ReportFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

impl ReportFile {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that it can be written, and leaves one that is there as it is.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(&self) -> Result<(), WriteError> {
        check_writable(&self.path)
    }

    /// Writes the report.
    ///
    /// # Errors
    /// When it cannot be written, or has a histogram that cannot be read.
    pub fn write(&self, report: &RunReport) -> Result<(), WriteError> {
        self.bytes(report)
            .and_then(|bytes| std::fs::write(&self.path, bytes))
            .map_err(|source| WriteError::new(&self.path, source))
    }

    fn bytes(&self, report: &RunReport) -> std::io::Result<Vec<u8>> {
        match self.format {
            Format::Json => Ok(serde_json::to_vec_pretty(report)?),
            Format::Html => Ok(html::page(report).into_bytes()),
            Format::Csv => csv::bytes(report),
            Format::Hlog => hlog::bytes(report),
            Format::Markdown => Ok(markdown::text(report).into_bytes()),
            Format::Junit => Ok(junit::text(report).into_bytes()),
        }
    }
}

/// Writes all of them, also when one fails.
///
/// # Errors
/// The first that could not be written.
pub fn write_all(files: &[ReportFile], report: &RunReport) -> Result<(), WriteError> {
    let written: Vec<_> = files.iter().map(|file| file.write(report)).collect();
    written.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_extension_names_the_format() {
        for name in ["a.json", "a/b.html", "a.csv", "a.hlog", "a.md", "a.xml"] {
            assert_eq!(name.parse::<ReportFile>().unwrap().to_string(), name);
        }
        for name in ["run", "run.txt", ".json", "run.JSON", ""] {
            assert!(name.parse::<ReportFile>().is_err(), "{name}");
        }
    }

    #[test]
    fn one_that_cannot_be_written_does_not_keep_the_others_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            path.to_str().unwrap().parse::<ReportFile>().unwrap()
        };
        let files = [file("no/run.json"), file("run.md")];
        assert!(files[0].check().is_err());
        files[1].check().unwrap();
        let error = write_all(&files, &fixture::report()).unwrap_err();
        assert!(error.to_string().contains("no/run.json"), "{error}");
        assert!(
            std::fs::read_to_string(files[1].path())
                .unwrap()
                .contains("1,200")
        );
    }
}
