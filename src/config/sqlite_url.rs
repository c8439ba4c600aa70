//! The URL of a SQLite file.

use std::fmt;
use std::path::{Path, PathBuf};

use url::form_urlencoded;

use super::url::{UrlError, backend};
use super::{parse_count, redact};

/// A SQLite file: `sqlite:PATH[?max_page_count=N]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteUrl {
    /// The file.
    pub path: PathBuf,
    /// The most pages it may have.
    pub max_page_count: Option<u32>,
}

impl SqliteUrl {
    /// Reads what follows `sqlite:`. A relative path starts at `base`.
    pub(super) fn parse(text: &str, rest: &str, base: &Path) -> Result<Self, UrlError> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        // `sqlite://host/path` would silently be a path at the root.
        let is_authority = path.starts_with("//") && !path.starts_with("///");
        if path.is_empty() || path.ends_with('/') || path == ":memory:" || is_authority {
            return Err(UrlError::NoPath { url: redact(text) });
        }
        let mut max_page_count = None;
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            if key != "max_page_count" {
                let detail = format!("unknown parameter `{key}`; known is max_page_count");
                return Err(backend(text, &detail));
            }
            let pages = parse_count(&value).map_err(|error| backend(text, &error))?;
            max_page_count = match u32::try_from(pages) {
                Ok(pages @ 1..) => Some(pages),
                _ => {
                    let detail = format!("max_page_count {pages} is out of range");
                    return Err(backend(text, &detail));
                }
            };
        }
        Ok(Self {
            path: base.join(path),
            max_page_count,
        })
    }
}

impl fmt::Display for SqliteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite:{}", self.path.display())?;
        match self.max_page_count {
            Some(pages) => write!(f, "?max_page_count={pages}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::QueueUrl;

    fn queue(text: &str) -> Result<QueueUrl, UrlError> {
        QueueUrl::parse(text, Path::new("base"))
    }

    #[test]
    fn a_sqlite_url_names_a_file_and_its_bound() {
        for (text, path, pages) in [
            ("sqlite:oms.db", "base/oms.db", None),
            ("sqlite:/a b/oms.db", "/a b/oms.db", None),
            ("sqlite:///x/oms.db", "///x/oms.db", None),
            ("sqlite:o.db?max_page_count=64", "base/o.db", Some(64)),
        ] {
            let expected = SqliteUrl {
                path: path.into(),
                max_page_count: pages,
            };
            assert_eq!(queue(text), Ok(QueueUrl::Sqlite(expected)), "{text}");
        }
        for text in [
            "sqlite:",
            "sqlite:dir/",
            "sqlite::memory:",
            "sqlite://host/x",
            "sqlite:a?pages=3",
            "sqlite:a?max_page_count=0",
            "sqlite:a?max_page_count=many",
            "simulated:",
            "oms.db",
            "",
        ] {
            assert!(queue(text).is_err(), "{text}");
        }
    }
}
