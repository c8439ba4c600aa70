//! The storm's client: as many connections as the system allows.

use anyhow::Context as _;
use tokio::sync::Semaphore;

use crate::http_client::{Client, HttpUrl, Limits};

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Open files that are left for everything but connections.
const FILES_SPARED: u64 = 256;

/// A client of the service at `url`, with at most `connections_max` connections, or as many as the system allows
/// this process.
///
/// # Errors
/// When a file that the URL names cannot be used, or its host has no address.
pub async fn connect(url: &HttpUrl, connections_max: usize) -> anyhow::Result<Client> {
    let limits = Limits {
        connections_max: connections_max.min(files_allowed()),
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    let unusable = || format!("cannot use the target {url}");
    let client = Client::open(url, limits).with_context(unusable)?;
    client.resolve().await.with_context(unusable)?;
    Ok(client)
}

/// How many connections the system allows, after asking it for as many as it gives.
fn files_allowed() -> usize {
    let allowed = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024);
    usize::try_from(allowed.saturating_sub(FILES_SPARED))
        .unwrap_or(usize::MAX)
        .min(Semaphore::MAX_PERMITS)
}
