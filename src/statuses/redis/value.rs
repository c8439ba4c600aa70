//! How a status lies in Redis.
//!
//! | bytes | are |
//! |---|---|
//! | 1 | the format, 1 |
//! | 1 | [`Status::code`] |
//! | 1 | 1 if the cart is known, else 0 |
//! | 8 | since when, in Unix milliseconds |
//! | 8 | when the entry may be forgotten, in Unix milliseconds |
//! | 8 | which transition wrote it |
//! | 16 | the cart hash, or zeros |
//! | 1 + n | length and text of the reason |
//! | 9 each | history, oldest first, 64 at most: status, since when |
//!
//! Numbers are big-endian. `transition.lua` knows this layout, too. The key expires by the clock of the server; who
//! reads also goes by the time in the entry, since the clocks may differ. A value of another format counts as missing:
//! the statuses are a projection, and heal.

use crate::domain::{CartHash, Reason, Status, Timestamp};
use crate::statuses::{StatusChange, StatusEntry, Transition};

/// The format described above.
const FORMAT: u8 = 1;

/// Bytes per change in a history.
const CHANGE_BYTES: usize = 9;

/// A value, taken apart.
struct Parts<'a> {
    entry: StatusEntry,
    expires_at: Timestamp,
    history: &'a [u8],
}

/// A transition as the script takes it: the statuses it may overwrite, the order, and the new value without history.
/// `token` tells it from every other transition.
pub(super) fn argument(transition: &Transition, token: u64) -> Vec<u8> {
    let reason = transition.reason.map_or("", Reason::as_str).as_bytes();
    let mut packed = Vec::with_capacity(61 + reason.len());
    packed.push(transition.from.bits());
    packed.extend_from_slice(transition.order_id.as_bytes());
    packed.push(FORMAT);
    packed.push(transition.to.code());
    packed.push(u8::from(transition.cart_hash.is_some()));
    packed.extend_from_slice(&transition.at.millis().to_be_bytes());
    packed.extend_from_slice(&transition.expires_at.millis().to_be_bytes());
    packed.extend_from_slice(&token.to_be_bytes());
    let unknown = CartHash::from_bytes([0; 16]);
    packed.extend_from_slice(transition.cart_hash.unwrap_or(unknown).as_bytes());
    packed.push(u8::try_from(reason.len()).unwrap_or(0));
    packed.extend_from_slice(reason);
    packed
}

/// The entry in a value, `None` if it has expired or cannot be read.
pub(super) fn entry(value: &[u8], now: Timestamp) -> Option<StatusEntry> {
    let parts = parts(value, now)?;
    Some(parts.entry)
}

/// The history in a value, empty if the entry has expired or cannot be read.
pub(super) fn history(value: &[u8], now: Timestamp) -> Vec<StatusChange> {
    let Some(parts) = parts(value, now) else {
        return Vec::new();
    };
    let (changes, _) = parts.history.as_chunks::<CHANGE_BYTES>();
    changes
        .iter()
        .filter_map(|&[code, ref at @ ..]| {
            Some(StatusChange {
                status: Status::from_code(code)?,
                at: Timestamp::from_millis(i64::from_be_bytes(*at)),
            })
        })
        .collect()
}

fn parts(value: &[u8], now: Timestamp) -> Option<Parts<'_>> {
    let Some(parts) = take_apart(value) else {
        tracing::warn!(bytes = value.len(), "a status in Redis cannot be read");
        return None;
    };
    (parts.expires_at > now).then_some(parts)
}

fn take_apart(value: &[u8]) -> Option<Parts<'_>> {
    let (&[format, status, has_hash], rest) = value.split_first_chunk()?;
    let (at, rest) = rest.split_first_chunk()?;
    let (expires_at, rest) = rest.split_first_chunk()?;
    let (_token, rest) = rest.split_first_chunk::<8>()?;
    let (hash, rest) = rest.split_first_chunk()?;
    let (reason_bytes, rest) = rest.split_first()?;
    let (reason, history) = rest.split_at_checked(usize::from(*reason_bytes))?;
    if format != FORMAT || history.len() % CHANGE_BYTES != 0 {
        return None;
    }
    let reason = match std::str::from_utf8(reason).ok()? {
        "" => None,
        text => Some(text.parse().ok()?),
    };
    Some(Parts {
        entry: StatusEntry {
            status: Status::from_code(status)?,
            reason,
            cart_hash: (has_hash == 1).then(|| CartHash::from_bytes(*hash)),
            at: Timestamp::from_millis(i64::from_be_bytes(*at)),
        },
        expires_at: Timestamp::from_millis(i64::from_be_bytes(*expires_at)),
        history,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{OrderId, StatusSet};

    fn transition(reason: Option<Reason>, cart_hash: Option<CartHash>) -> Transition {
        Transition {
            order_id: OrderId::from_bytes([1; 16]),
            from: StatusSet::MISSING,
            to: Status::Failed,
            reason,
            cart_hash,
            at: Timestamp::from_millis(1_700_000_000_123),
            expires_at: Timestamp::from_millis(1_700_000_001_000),
        }
    }

    #[test]
    fn what_is_packed_reads_back_until_it_expires() {
        let hash = Some(CartHash::from_bytes([0xff; 16]));
        for (reason, cart_hash) in [
            (None, None),
            (Some(Reason::NegativeInventory), hash),
            (Some(Reason::Held), None),
        ] {
            let transition = transition(reason, cart_hash);
            let packed = argument(&transition, 7);
            let value = &packed[17..];
            let before = Timestamp::from_millis(1_700_000_000_999);
            let read = entry(value, before).unwrap();
            assert_eq!((read.reason, read.cart_hash), (reason, cart_hash));
            assert_eq!((read.status, read.at), (Status::Failed, transition.at));
            assert_eq!(entry(value, transition.expires_at), None);
        }
    }

    #[test]
    fn what_cannot_be_read_counts_as_missing() {
        let packed = argument(&transition(Some(Reason::Held), None), 7);
        let value = &packed[17..];
        let now = Timestamp::from_millis(0);
        for bytes in 0..value.len() {
            assert_eq!(entry(&value[..bytes], now), None, "{bytes} bytes");
        }
        let mut other = value.to_vec();
        other[0] = 2;
        assert_eq!(entry(&other, now), None);
        assert!(history(&other, now).is_empty());
    }
}
