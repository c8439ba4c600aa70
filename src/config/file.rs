//! The configuration file, `oms.toml`.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::Error;

/// The name under which a configuration file is looked for in the working directory.
const NAME: &str = "oms.toml";

/// A configuration file as read: keys and types are checked, values are not.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) keys: Keys,
    text: String,
}

/// The keys there are. They are named like the flags.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Keys {
    pub(super) data_dir: Option<Spanned<String>>,
    pub(super) inventory_url: Option<Spanned<String>>,
    pub(super) queue_url: Option<Spanned<String>>,
    pub(super) status_url: Option<Spanned<String>>,
    pub(super) payment_url: Option<Spanned<String>>,
    pub(super) listen: Option<Spanned<String>>,
    pub(super) internal_listen: Option<Spanned<String>>,
    pub(super) tokens: Option<Spanned<String>>,
    pub(super) tls_cert: Option<Spanned<String>>,
    pub(super) tls_key: Option<Spanned<String>>,
    pub(super) rate_limit: Option<Spanned<String>>,
    pub(super) drain_delay: Option<Spanned<String>>,
    pub(super) hold: Option<Spanned<String>>,
    pub(super) wait: Option<Spanned<String>>,
    pub(super) payment_timeout: Option<Spanned<String>>,
    pub(super) backlog_max: Option<Spanned<u64>>,
    pub(super) batch_max: Option<Spanned<u64>>,
}

impl File {
    /// Reads the file that was named, or `oms.toml` in `folder` if there is one.
    pub(super) fn find(named: Option<&Path>, folder: &Path) -> Result<Self, Error> {
        let path = named.map_or_else(|| folder.join(NAME), Path::to_path_buf);
        let failed = |source| Error::Read {
            path: path.clone(),
            source,
        };
        let bytes = match std::fs::read(&path) {
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            read => read.map_err(failed)?,
        };
        let text = String::from_utf8(bytes).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            Error::Syntax {
                path: path.clone(),
                line: line_after(before),
                message: "it is not valid UTF-8".to_owned(),
            }
        })?;
        Self::parse(path, text)
    }

    pub(super) fn parse(path: PathBuf, text: String) -> Result<Self, Error> {
        match toml::from_str(&text) {
            Ok(keys) => Ok(Self { path, keys, text }),
            Err(error) => Err(Error::Syntax {
                line: line_at(&text, error.span().map_or(0, |span| span.start)),
                message: error.message().replace('\n', " "),
                path,
            }),
        }
    }

    /// The line, from 1, that a value stands on.
    pub(super) fn line_of<T>(&self, value: &Spanned<T>) -> usize {
        line_at(&self.text, value.span().start)
    }

    /// The folder that relative paths in it start from.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// The line, from 1, that an offset in bytes lies on.
pub(crate) fn line_at(text: &str, offset: usize) -> usize {
    line_after(&text.as_bytes()[..offset.min(text.len())])
}

/// The line, from 1, that begins or goes on after these bytes.
fn line_after(before: &[u8]) -> usize {
    before.split(|byte| *byte == b'\n').count()
}
