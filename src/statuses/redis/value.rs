//! How a status lies in Redis: as text, so that `redis-cli GET` shows it to an operator.
//!
//! ```text
//! PLACED          1732838400456 Zm9vYg ycHJvbWlzZS1rZXB0LQAAAA
//! PLACED 1732752000456
//! PAYMENT_SUCCESS 1732752000431
//! PAYMENT_PENDING 1732752000402
//! BLOCK 1732752000398
//! INIT 1732752000371
//! ```
//!
//! The first line is the head, of 60 bytes: the present status, when the entry may be forgotten, which transition wrote
//! it, and the cart hash, or hyphens. Every further line is a change, the latest first: the status, when it was reached,
//! and the reason of a failure. Of the changes, 3,136 bytes are kept, which is 64 at least.
//!
//! Times are Unix milliseconds with 13 digits, hash and token are Base64 (RFC 4648) without padding. `transition.lua`
//! knows this layout, too. The key expires by the clock of the server; who reads also goes by the time in the head,
//! since the clocks may differ. A value of another format counts as missing: the statuses are a projection, and heal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

use crate::domain::{CartHash, OrderId, Reason, Status, Timestamp};
use crate::statuses::{StatusChange, StatusEntry, Transition};

/// Bytes of the first line, with its end.
const HEAD_BYTES: usize = 60;

/// Where the fields of the head begin and end.
const EXPIRES: std::ops::Range<usize> = 16..29;
const HASH: std::ops::Range<usize> = 37..59;

/// The most changes that a history tells of.
const CHANGES_MAX: usize = 64;

/// The latest time that has 13 digits, in the year 2286.
const TIME_MAX: i64 = 9_999_999_999_999;

/// The longest lifetime of a key: 10 years.
const LIFETIME_MS_MAX: i64 = 315_360_000_000;

const UNKNOWN_HASH: &str = "----------------------";

/// What the script takes per transition: the allowed statuses, the lifetime in milliseconds, and the new value without
/// its history.
pub(super) type Argument = [String; 3];

/// `token` tells the transition from every other of its order.
pub(super) fn argument(transition: &Transition, token: u32, now: Timestamp) -> Argument {
    let Transition {
        to, at, expires_at, ..
    } = *transition;
    let lifetime = (expires_at.millis().saturating_sub(now.millis())).clamp(1, LIFETIME_MS_MAX);
    let hash = (transition.cart_hash).map_or_else(
        || UNKNOWN_HASH.to_owned(),
        |hash| BASE64.encode(hash.as_bytes()),
    );
    let token = BASE64.encode(token.to_be_bytes());
    let (expires, since) = (time(expires_at), time(at));
    let reason = transition.reason.map_or("", Reason::as_str);
    let gap = if reason.is_empty() { "" } else { " " };
    let value = format!("{to:<15} {expires} {token} {hash}\n{to} {since}{gap}{reason}\n");
    [
        transition.from.bits().to_string(),
        lifetime.to_string(),
        value,
    ]
}

/// A time as values and scripts have it.
pub(super) fn time(at: Timestamp) -> String {
    format!("{:013}", at.millis().clamp(0, TIME_MAX))
}

/// What tells other processes of a change: the order, and the code of its status.
pub(super) fn change_message(order_id: OrderId, status: Status) -> impl Iterator<Item = u8> {
    let id = *order_id.as_bytes();
    id.into_iter().chain([status.code()])
}

/// The entry in a value, `None` if it has expired or cannot be read.
pub(super) fn entry(value: &[u8], now: Timestamp) -> Option<StatusEntry> {
    let (head, changes) = parts(value, now)?;
    let (latest, reason) = change(changes.split_once('\n')?.0)?;
    Some(StatusEntry {
        status: head.status,
        reason,
        cart_hash: head.cart_hash,
        at: latest.at,
    })
}

/// The history in a value, oldest first, empty if the entry has expired or cannot be read.
pub(super) fn history(value: &[u8], now: Timestamp) -> Vec<StatusChange> {
    let Some((_, changes)) = parts(value, now) else {
        return Vec::new();
    };
    // The script may have cut the last line.
    let lines = changes.split_inclusive('\n').take(CHANGES_MAX);
    let changes = lines.map_while(|line| change(line.strip_suffix('\n')?));
    let mut history: Vec<StatusChange> = changes.map(|(change, _)| change).collect();
    history.reverse();
    history
}

struct Head {
    status: Status,
    expires_at: Timestamp,
    cart_hash: Option<CartHash>,
}

/// The head and the changes of a value that has not expired.
fn parts(value: &[u8], now: Timestamp) -> Option<(Head, &str)> {
    let parts = std::str::from_utf8(value).ok().and_then(|text| {
        let (head, changes) = text.split_at_checked(HEAD_BYTES)?;
        Some((self::head(head)?, changes))
    });
    if parts.is_none() {
        tracing::warn!(bytes = value.len(), "a status in Redis cannot be read");
    }
    parts.filter(|(head, _)| head.expires_at > now)
}

fn head(line: &str) -> Option<Head> {
    let hash = line.get(HASH)?;
    let is_written = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-".contains(&byte);
    if !hash.bytes().all(is_written) {
        return None;
    }
    // Hyphens are not Base64: no cart is known.
    let hash = BASE64.decode(hash).ok();
    Some(Head {
        status: line.get(..EXPIRES.start)?.trim_end().parse().ok()?,
        expires_at: timestamp(line.get(EXPIRES)?)?,
        cart_hash: hash.and_then(|bytes| Some(CartHash::from_bytes(bytes.try_into().ok()?))),
    })
}

fn change(line: &str) -> Option<(StatusChange, Option<Reason>)> {
    let mut words = line.split(' ');
    let change = StatusChange {
        status: words.next()?.parse().ok()?,
        at: timestamp(words.next()?)?,
    };
    let reason = words.next().map(str::parse).transpose().ok()?;
    words.next().is_none().then_some((change, reason))
}

fn timestamp(digits: &str) -> Option<Timestamp> {
    let is_written =
        digits.len() == EXPIRES.len() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let millis = digits.parse().ok().filter(|_| is_written)?;
    Some(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::StatusSet;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_123);

    fn transition(reason: Option<Reason>, cart_hash: Option<CartHash>) -> Transition {
        Transition {
            order_id: OrderId::from_bytes([1; 16]),
            from: StatusSet::MISSING,
            to: Status::Failed,
            reason,
            cart_hash,
            at: NOW,
            expires_at: Timestamp::from_millis(1_700_000_001_000),
        }
    }

    fn value(reason: Option<Reason>, cart_hash: Option<CartHash>) -> String {
        let [_, _, value] = argument(&transition(reason, cart_hash), 7, NOW);
        value
    }

    #[test]
    fn what_is_written_reads_back_until_it_expires() {
        let hash = Some(CartHash::from_bytes([0xff; 16]));
        let reasons = Reason::ALL.iter().map(|reason| (Some(*reason), hash));
        for (reason, cart_hash) in reasons.chain([(None, None), (Some(Reason::Held), None)]) {
            let value = value(reason, cart_hash);
            let before = Timestamp::from_millis(1_700_000_000_999);
            let read = entry(value.as_bytes(), before).unwrap();
            assert_eq!((read.reason, read.cart_hash), (reason, cart_hash));
            assert_eq!((read.status, read.at), (Status::Failed, NOW));
            assert_eq!(
                entry(value.as_bytes(), Timestamp::from_millis(1_700_000_001_000)),
                None
            );
        }
    }

    #[test]
    fn an_operator_can_read_it() {
        let hash = Some(CartHash::from_bytes([7; 16]));
        assert_eq!(
            value(Some(Reason::SoldOut), hash),
            "FAILED          1700000001000 AAAABw BwcHBwcHBwcHBwcHBwcHBw\nFAILED 1700000000123 sold_out\n"
        );
    }

    #[test]
    fn the_longest_head_is_as_long_as_the_shortest_and_64_of_the_longest_changes_are_kept() {
        let mut longest = 0;
        for to in Status::ALL {
            for reason in Reason::ALL {
                let one = Transition {
                    to,
                    at: Timestamp::from_millis(i64::MAX),
                    expires_at: Timestamp::from_millis(-1),
                    ..transition(Some(*reason), None)
                };
                let [_, _, value] = argument(&one, u32::MAX, NOW);
                assert_eq!(value.find('\n'), Some(HEAD_BYTES - 1));
                longest = longest.max(value.len() - HEAD_BYTES);
            }
        }
        assert_eq!(longest * CHANGES_MAX, 3_136, "as transition.lua has it");
    }

    #[test]
    fn what_cannot_be_read_counts_as_missing() {
        let value = value(Some(Reason::Held), None);
        let now = Timestamp::from_millis(0);
        for bytes in 0..value.len() {
            assert_eq!(
                entry(&value.as_bytes()[..bytes], now),
                None,
                "{bytes} bytes"
            );
        }
        for other in [
            value.replace("FAILED  ", "FOILED  "),
            value.replace(" 1", " x"),
        ] {
            assert_eq!(entry(other.as_bytes(), now), None, "{other}");
            assert!(history(other.as_bytes(), now).is_empty());
        }
    }
}
