//! Files that are read again when they change: tokens, certificates.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A cause of any kind.
type Cause = Box<dyn StdError + Send + Sync>;

/// Makes a value from the contents of all files, in the order of their paths.
type Parse<T> = fn(&[PathBuf], &[Vec<u8>]) -> Result<T, Cause>;

/// Why files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The contents make no sense.
    #[error(transparent)]
    Parse(Cause),
}

/// A value made from files. A change that cannot be used keeps the last value and logs one warning.
pub struct Reloaded<T> {
    what: &'static str,
    paths: Vec<PathBuf>,
    parse: Parse<T>,
    first: Vec<Stamp>,
    value: RwLock<Arc<T>>,
}

impl<T> Reloaded<T> {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// When they cannot be read or used.
    pub fn open(
        what: &'static str,
        paths: Vec<PathBuf>,
        parse: Parse<T>,
    ) -> Result<Self, ReloadError> {
        // Before the contents: a change in between is noticed later.
        let first = stamps(&paths);
        let value = load(&paths, parse)?;
        Ok(Self {
            what,
            paths,
            parse,
            first,
            value: RwLock::new(Arc::new(value)),
        })
    }

    /// The last value that could be used.
    pub fn value(&self) -> Arc<T> {
        Arc::clone(&self.value.read())
    }
}

impl<T: Send + Sync + 'static> Reloaded<T> {
    /// Reads the files again whenever they change; never ends.
    ///
    /// A change counts once the files have been the same for two looks: a certificate and its key are replaced one
    /// after the other, and a file may be seen half-written.
    pub async fn follow(&self) {
        let mut loaded = self.first.clone();
        let mut last = loaded.clone();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let paths = self.paths.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || stamps(&paths)).await else {
                continue;
            };
            if now == loaded || now != last {
                last = now;
                continue;
            }
            let (paths, parse) = (self.paths.clone(), self.parse);
            match tokio::task::spawn_blocking(move || load(&paths, parse)).await {
                Ok(Ok(value)) => {
                    *self.value.write() = Arc::new(value);
                    tracing::info!("the new {} are in use", self.what);
                }
                Ok(Err(error)) => tracing::warn!(
                    error = &error as &dyn StdError,
                    "the new {} cannot be used: the old ones stay in use",
                    self.what
                ),
                Err(_) => tracing::error!("reading the new {} panicked", self.what),
            }
            loaded = now;
        }
    }
}

impl<T> fmt::Debug for Reloaded<T> {
    /// Without the value, which is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloaded")
            .field("what", &self.what)
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

fn load<T>(paths: &[PathBuf], parse: Parse<T>) -> Result<T, ReloadError> {
    let contents = paths.iter().map(|path| {
        read(path).map_err(|source| ReloadError::Read {
            path: path.clone(),
            source,
        })
    });
    let contents = contents.collect::<Result<Vec<_>, _>>()?;
    parse(paths, &contents).map_err(ReloadError::Parse)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!(
            "it has more than {FILE_BYTES_MAX} bytes"
        )));
    }
    Ok(bytes)
}

/// What differs when a file was changed or replaced; nothing if there is no such file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    /// Device, inode and time of the last status change, which a program cannot set.
    identity: Option<(u64, u64, i64, i64)>,
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| match std::fs::metadata(path) {
        Ok(metadata) => Stamp {
            modified: metadata.modified().ok(),
            bytes: metadata.len(),
            identity: identity(&metadata),
        },
        Err(_) => Stamp::default(),
    };
    paths.iter().map(stamp).collect()
}

#[cfg(unix)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "other systems have no such identity"
)]
fn identity(metadata: &std::fs::Metadata) -> Option<(u64, u64, i64, i64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((
        metadata.dev(),
        metadata.ino(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ))
}

#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) -> Option<(u64, u64, i64, i64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(_: &[PathBuf], contents: &[Vec<u8>]) -> Result<u32, Cause> {
        Ok(std::str::from_utf8(&contents[0])?.trim().parse()?)
    }

    #[tokio::test]
    async fn a_change_is_taken_over_and_a_broken_one_keeps_the_last_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        std::fs::write(&path, "1").unwrap();
        let reloaded = Arc::new(Reloaded::open("numbers", vec![path.clone()], number).unwrap());
        assert_eq!(*reloaded.value(), 1);
        let following = Arc::clone(&reloaded);
        let task = tokio::spawn(async move { following.follow().await });
        let becomes = async |expected: u32| {
            let wait = async {
                while *reloaded.value() != expected {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), wait)
                .await
                .unwrap();
        };
        // Of the same size, by another file that takes its place.
        let other = folder.path().join("other");
        std::fs::write(&other, "2").unwrap();
        std::fs::rename(&other, &path).unwrap();
        becomes(2).await;
        std::fs::write(&path, "broken").unwrap();
        // A later value shows that the broken one has been read, or passed over.
        tokio::time::sleep(LOOK_EVERY * 3).await;
        assert_eq!(*reloaded.value(), 2);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "3").unwrap();
        becomes(3).await;
        task.abort();
    }

    #[test]
    fn a_file_that_is_missing_too_large_or_senseless_is_an_error_at_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        let open = || Reloaded::open("numbers", vec![path.clone()], number).unwrap_err();
        assert!(matches!(open(), ReloadError::Read { .. }));
        std::fs::write(&path, "x").unwrap();
        assert!(matches!(open(), ReloadError::Parse(_)));
        std::fs::write(&path, vec![b'1'; (1 << 20) + 1]).unwrap();
        assert!(matches!(open(), ReloadError::Read { .. }));
    }
}
