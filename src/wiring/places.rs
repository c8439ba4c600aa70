//! Which SQLite files the configuration names, each opened once, whatever it holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Config, InventoryUrl, Port, QueueUrl, SqliteUrl, StatusUrl};
use crate::ports::Error;
use crate::sqlite::{Options, Room, Scope, Store};

/// Every port, in the order of the layout.
const PORTS: [Port; 4] = [Port::Inventory, Port::Queue, Port::Statuses, Port::Payments];

/// A file and the ports that live in it.
#[derive(Debug, Clone)]
pub struct Place {
    /// Whose data is in it.
    pub ports: Vec<Port>,
    /// The file.
    pub options: Options,
}

/// What a store says of itself.
#[derive(Debug, Clone)]
pub struct Health {
    /// Schema versions, by port.
    pub versions: Vec<(String, u32)>,
    /// Its size in bytes, and the most it may have.
    pub bytes: i64,
    /// The most bytes it may have.
    pub bytes_max: i64,
    /// The space on its disk, if that tells.
    pub room: Option<Room>,
}

/// Which files the configuration names, each once; makes the folders they are in.
///
/// # Errors
/// When a folder cannot be made, or when two URLs disagree about one file.
pub fn places(config: &Config) -> Result<Vec<Place>, Error> {
    let mut places: Vec<Place> = Vec::new();
    for port in PORTS {
        let Some((path, max_page_count)) = file_of(config, port) else {
            continue;
        };
        let path = canonical(&path)?;
        let Some(place) = places.iter_mut().find(|place| place.options.path == path) else {
            places.push(Place {
                ports: vec![port],
                options: Options {
                    path,
                    max_page_count,
                },
            });
            continue;
        };
        let known = &mut place.options.max_page_count;
        match (*known, max_page_count) {
            (Some(one), Some(other)) if one != other => {
                let detail = format!("max_page_count is {one} in one URL and {other} in another");
                return Err(Error::permanent(format!("open {}", path.display()))
                    .because(std::io::Error::other(detail)));
            }
            _ => *known = known.or(max_page_count),
        }
        place.ports.push(port);
    }
    Ok(places)
}

impl Place {
    /// Opens the file, made and migrated if need be.
    ///
    /// # Errors
    /// What kept it from being opened.
    pub fn open(&self) -> Result<Arc<Store>, Error> {
        let scopes: Vec<Scope> = self.ports.iter().map(|port| scope(*port)).collect();
        Store::open(self.options.clone(), &scopes).map(Arc::new)
    }

    /// Opens the file, reads what it says of itself, and tries to write, without leaving a trace.
    ///
    /// # Errors
    /// What kept it from being opened, read or written.
    pub async fn examine(&self) -> Result<Health, Error> {
        let store = self.open()?;
        if let Some(obstacle) = store.obstacle() {
            return Err(obstacle);
        }
        let room = store.room()?;
        let health = store.read("read the state of the store", |connection| {
            let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get(0));
            let page: i64 = pragma("page_size")?;
            let versions = connection
                .prepare("SELECT scope, version FROM oms_schema ORDER BY scope")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            let max_pages: i64 = pragma("max_page_count")?;
            Ok(Health {
                versions,
                bytes: page * pragma("page_count")?,
                bytes_max: page.saturating_mul(max_pages),
                room,
            })
        })?;
        // The table needs pages of its own, so that a full disk shows; dropping it gives them back.
        store
            .write("write to the store", |connection| {
                connection.execute_batch("CREATE TABLE oms_doctor (x); DROP TABLE oms_doctor;")
            })
            .await?;
        Ok(health)
    }
}

fn scope(port: Port) -> Scope {
    match port {
        Port::Inventory => Scope::Inventory,
        Port::Queue => Scope::Queue,
        Port::Statuses => Scope::Statuses,
        Port::Payments => Scope::Payments,
    }
}

/// The file that a port lives in, if it does, and the most pages it may have.
fn file_of(config: &Config, port: Port) -> Option<(PathBuf, Option<u32>)> {
    let file = match port {
        Port::Inventory => match &config.inventory.value {
            InventoryUrl::Sqlite(file) => Some(file),
            InventoryUrl::Mysql(_) | InventoryUrl::Http(_) => None,
        },
        Port::Queue => match &config.queue.value {
            QueueUrl::Sqlite(file) => Some(file),
            QueueUrl::Kafka(_) => None,
        },
        Port::Statuses => match &config.statuses.value {
            StatusUrl::Sqlite(file) => Some(file),
            StatusUrl::Redis(_) => None,
        },
        Port::Payments => return config.ledger().map(|path| (path, None)),
    };
    file.map(
        |SqliteUrl {
             path,
             max_page_count,
         }| (path.clone(), *max_page_count),
    )
}

/// The one name of a file, whatever it is called, so that two names of it are one store.
fn canonical(path: &Path) -> Result<PathBuf, Error> {
    if let Ok(canonical) = fs::canonicalize(path) {
        return Ok(canonical);
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let failed = |source| {
        Error::unavailable(format!("make the folder {}", folder.display())).because(source)
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let folder = fs::canonicalize(folder).map_err(failed)?;
    Ok(path
        .file_name()
        .map_or(folder.clone(), |name| folder.join(name)))
}
