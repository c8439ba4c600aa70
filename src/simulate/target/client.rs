//! The storm's client: as many connections as the system allows.

use tokio::sync::Semaphore;
use url::Url;

use crate::http_client::{Client, HttpUrl, Limits};

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Open files that are left for everything but connections.
const FILES_SPARED: u64 = 256;

/// A target that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the target {url}: {why}")]
pub struct BadTarget {
    url: String,
    why: String,
}

/// A client of the service at `url`, with at most `connections_max` connections, or as many as the system allows
/// this process.
///
/// # Errors
/// When the URL is no plain `http://` URL, or its host has no address.
pub async fn connect(url: &Url, connections_max: usize) -> anyhow::Result<Client> {
    let refuse = |why: &str| BadTarget {
        url: shown(url),
        why: why.to_owned(),
    };
    if url.scheme() != "http" {
        return Err(refuse("only http:// is spoken").into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it ends with a query or a fragment").into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it names a user, and the service knows none").into());
    }
    let target = HttpUrl::parse(url.as_str()).map_err(|error| refuse(&error.to_string()))?;
    let limits = Limits {
        connections_max: connections_max.min(files_allowed()),
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    let client = Client::open(&target, limits)?;
    client.resolve().await?;
    Ok(client)
}

/// The URL without what must not be shown.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_password(None);
    url.to_string()
}

/// How many connections the system allows, after asking it for as many as it gives.
fn files_allowed() -> usize {
    let allowed = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024);
    usize::try_from(allowed.saturating_sub(FILES_SPARED))
        .unwrap_or(usize::MAX)
        .min(Semaphore::MAX_PERMITS)
}
