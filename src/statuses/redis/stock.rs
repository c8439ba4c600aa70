//! How the stock cache lies in Redis.
//!
//! One byte of format, then available, blocked, sold, version and the time it was known at, eight bytes each, big-endian.
//! `cache_stock.lua` knows this layout, too.

use std::time::Duration;

use crate::domain::{Sku, Timestamp};
use crate::inventory::StockLevel;
use crate::statuses::CachedStock;

/// The format described above.
const FORMAT: u8 = 1;

/// How long an entry lives. It refuses nothing once it is older than 100 ms, so that this only bounds memory.
pub(super) const TTL: Duration = Duration::from_secs(5);

/// A level as it is stored.
pub(super) fn pack(cached: &CachedStock) -> Vec<u8> {
    let CachedStock { level, cached_at } = cached;
    let mut packed = vec![FORMAT];
    for number in [level.available, level.blocked, level.sold] {
        packed.extend_from_slice(&number.to_be_bytes());
    }
    packed.extend_from_slice(&level.version.to_be_bytes());
    packed.extend_from_slice(&cached_at.millis().to_be_bytes());
    packed
}

/// A level as it was stored, `None` if it cannot be read.
pub(super) fn unpack(sku: &Sku, value: &[u8]) -> Option<CachedStock> {
    let (&format, rest) = value.split_first()?;
    let (&[available, blocked, sold, version, cached_at], []) = rest.as_chunks::<8>() else {
        return None;
    };
    (format == FORMAT).then(|| CachedStock {
        level: StockLevel {
            sku: sku.clone(),
            available: i64::from_be_bytes(available),
            blocked: i64::from_be_bytes(blocked),
            sold: i64::from_be_bytes(sold),
            version: u64::from_be_bytes(version),
            earliest_hold: None,
        },
        cached_at: Timestamp::from_millis(i64::from_be_bytes(cached_at)),
    })
}
