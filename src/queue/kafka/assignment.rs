//! Which partitions a member has, and what it was given of them: what it may commit follows from that.
//!
//! A member that lost a partition and got it again begins anew at the committed offset. A commit that belongs to the
//! time before would move the offset back, or skip what is being delivered again; it is refused.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, TopicPartitionList};

use super::super::{Delivery, Position};
use super::report::Report;

/// The partitions of a member.
#[derive(Debug, Default)]
pub(super) struct Assignment {
    held: BTreeMap<u32, Held>,
    /// Taken away since this was last asked.
    revoked: Vec<u32>,
}

/// What a member was given of a partition since it has it.
#[derive(Debug, Default, Clone, Copy)]
struct Held {
    /// The offset of the first message, and the one after the last.
    given: Option<(u64, u64)>,
    /// The next to read, as last committed.
    committed: u64,
}

/// What is to be done about a position that a member wants to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Commit this offset.
    Next(u64),
    /// Nothing: it is committed.
    Done,
    /// The message was given to this member before the partition was taken away.
    TakenAway,
}

impl Assignment {
    pub(super) fn assign(&mut self, partitions: impl IntoIterator<Item = u32>) {
        for partition in partitions {
            self.held.insert(partition, Held::default());
        }
    }

    pub(super) fn revoke(&mut self, partitions: impl IntoIterator<Item = u32>) {
        for partition in partitions {
            self.held.remove(&partition);
            self.revoked.push(partition);
        }
    }

    /// The partitions taken away since the last call.
    pub(super) fn take_revoked(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.revoked)
    }

    /// Notes what is given to the member.
    pub(super) fn give(&mut self, deliveries: &[Delivery]) {
        for Delivery { position, .. } in deliveries {
            let Some(held) = self.held.get_mut(&position.partition) else {
                continue;
            };
            let first = held.given.map_or(position.offset, |(first, _)| first);
            held.given = Some((first, position.offset + 1));
        }
    }

    /// What to commit for a position.
    pub(super) fn due(&self, position: Position) -> Due {
        let Some(held) = self.held.get(&position.partition) else {
            return Due::TakenAway;
        };
        match held.given {
            Some((first, next)) if position.offset < next => {
                if position.offset < first || position.offset < held.committed {
                    Due::Done
                } else {
                    Due::Next(position.offset + 1)
                }
            }
            _ => Due::TakenAway,
        }
    }

    /// Notes what was committed.
    pub(super) fn committed(&mut self, partition: u32, next: u64) {
        if let Some(held) = self.held.get_mut(&partition) {
            held.committed = held.committed.max(next);
        }
    }
}

/// Hears from librdkafka what a member has.
pub(super) struct Member {
    report: Report,
    assignment: Mutex<Assignment>,
}

impl Member {
    pub(super) fn new() -> Self {
        Self {
            report: Report::new("consumer"),
            assignment: Mutex::default(),
        }
    }

    /// To be locked for a moment only.
    pub(super) fn assignment(&self) -> &Mutex<Assignment> {
        &self.assignment
    }

    /// The last error, such as a refused connection, unless it is old.
    pub(super) fn recent_error(&self) -> Option<String> {
        self.report.recent_error()
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.report.log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.report.stats_raw(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.report.error(error, reason);
    }
}

impl ConsumerContext for Member {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                let partitions = numbers(partitions);
                tracing::debug!(?partitions, "the group gave partitions to this member");
                self.assignment.lock().assign(partitions);
            }
            Rebalance::Revoke(partitions) => {
                let partitions = numbers(partitions);
                tracing::debug!(?partitions, "the group took partitions from this member");
                self.assignment.lock().revoke(partitions);
            }
            Rebalance::Error(error) => tracing::warn!(%error, "a rebalance has failed"),
        }
    }
}

fn numbers(partitions: &TopicPartitionList) -> Vec<u32> {
    let elements = partitions.elements();
    let numbers = elements.iter();
    numbers
        .filter_map(|element| u32::try_from(element.partition()).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(partition: u32, offset: u64) -> Delivery {
        Delivery {
            position: Position { partition, offset },
            key: Vec::new(),
            payload: Vec::new(),
        }
    }

    fn given(offsets: std::ops::Range<u64>) -> Vec<Delivery> {
        offsets.map(|offset| delivery(0, offset)).collect()
    }

    fn due(assignment: &Assignment, offset: u64) -> Due {
        let partition = 0;
        assignment.due(Position { partition, offset })
    }

    #[test]
    fn what_was_given_may_be_committed_forwards_only() {
        let mut assignment = Assignment::default();
        assert_eq!(due(&assignment, 0), Due::TakenAway);
        assignment.assign([0]);
        assert_eq!(due(&assignment, 0), Due::TakenAway);
        assignment.give(&given(5..10));
        assert_eq!(due(&assignment, 7), Due::Next(8));
        assignment.committed(0, 8);
        assert_eq!(due(&assignment, 7), Due::Done);
        assert_eq!(due(&assignment, 5), Due::Done);
        assert_eq!(due(&assignment, 9), Due::Next(10));
    }

    #[test]
    fn what_was_given_before_the_partition_was_lost_is_not_committed() {
        let mut assignment = Assignment::default();
        assignment.assign([0, 1]);
        assignment.give(&given(0..10));
        assignment.revoke([0]);
        assert_eq!(due(&assignment, 9), Due::TakenAway);
        assert_eq!(assignment.take_revoked(), [0]);
        assert_eq!(assignment.take_revoked(), [0; 0]);
        // Another member has committed 20 meanwhile; then it comes back.
        assignment.assign([0]);
        assert_eq!(due(&assignment, 9), Due::TakenAway);
        assignment.give(&given(20..30));
        assert_eq!(due(&assignment, 9), Due::Done, "never back");
        assert_eq!(due(&assignment, 25), Due::Next(26));
        assert_eq!(due(&assignment, 30), Due::TakenAway);
    }
}
