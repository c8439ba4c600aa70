//! The first message that the group has not committed, read without joining the group.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message as _;

use super::super::{Oldest, Position};
use super::probe::{ANSWER_WAIT_MAX, Probe};
use super::url::KafkaUrl;
use crate::domain::Timestamp;
use crate::ports::Error;

/// How long one look for a message may take before its deadline is looked at.
const SLICE: Duration = Duration::from_millis(100);

/// Reads the first message of each partition that is behind. Blocks.
pub(super) fn read(url: &KafkaUrl) -> Result<Option<Oldest>, Error> {
    let probe = Probe::new(url)?;
    let offsets = probe.offsets()?;
    let behind: Vec<Position> = offsets
        .iter()
        .filter(|offsets| offsets.lag() > 0)
        .map(|offsets| Position {
            partition: offsets.partition,
            offset: offsets.next(),
        })
        .collect();
    let mut oldest: Option<Oldest> = None;
    for position in behind {
        let found = probe.first_from(position, Instant::now() + ANSWER_WAIT_MAX)?;
        oldest = match (oldest, found) {
            (Some(known), Some(found)) if known.published_at <= found.published_at => Some(known),
            (known, found) => found.or(known),
        };
    }
    Ok(oldest)
}

impl Probe {
    /// The first message at a position or after it; `None` if it is gone meanwhile.
    fn first_from(&self, from: Position, deadline: Instant) -> Result<Option<Oldest>, Error> {
        let failed = |error| self.failed("read the oldest undecided message", &error);
        let at = self.at(from).map_err(failed)?;
        self.consumer.assign(&at).map_err(failed)?;
        let found = loop {
            match self.consumer.poll(SLICE) {
                None if Instant::now() >= deadline => break None,
                Some(Ok(message)) => {
                    break Some(Oldest {
                        position: Position {
                            partition: message.partition().unsigned_abs(),
                            offset: message.offset().unsigned_abs(),
                        },
                        published_at: Timestamp::from_millis(
                            message.timestamp().to_millis().unwrap_or_default(),
                        ),
                    });
                }
                Some(Err(error)) if Instant::now() >= deadline => return Err(failed(error)),
                None | Some(Err(_)) => {}
            }
        };
        self.consumer.unassign().map_err(failed)?;
        Ok(found)
    }
}
