//! What librdkafka's errors mean to the port.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::ports::{Error, ErrorKind};

/// A cause, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Cause(pub(super) String);

/// What librdkafka says, without the values of settings, which may be secrets.
pub(super) fn words(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, _, name, _) => format!("librdkafka does not take `{name}`"),
        KafkaError::ClientCreation(why) => why.clone(),
        _ => match code(error) {
            Some(code) => code.to_string(),
            None => error.to_string(),
        },
    }
}

fn code(error: &KafkaError) -> Option<Code> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        _ => error.rdkafka_error_code(),
    }
}

/// An error while reading, which changed nothing.
pub(super) fn while_reading(action: impl Into<String>, error: &KafkaError) -> Error {
    let kind = match error {
        KafkaError::ClientConfig(..)
        | KafkaError::ClientCreation(_)
        | KafkaError::MessageConsumptionFatal(_) => ErrorKind::Permanent,
        _ => match code(error) {
            Some(code) if is_refused(code) => ErrorKind::Permanent,
            _ => ErrorKind::Unavailable,
        },
    };
    Error::new(kind, action).because(Cause(words(error)))
}

/// An error of a commit.
pub(super) fn while_committing(error: &KafkaError) -> Error {
    let kind = match code(error) {
        Some(code) if is_refused(code) => ErrorKind::Permanent,
        // The group has moved on without this member, or nobody could be asked.
        Some(
            Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::RebalanceInProgress
            | Code::AssignmentLost
            | Code::WaitingForCoordinator
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::NotCoordinator,
        ) => ErrorKind::Unavailable,
        _ => ErrorKind::OutcomeUnknown,
    };
    Error::new(kind, "commit offsets").because(Cause(words(error)))
}

/// What became of messages that were to be appended, of which at least one failed: why each did, and whether
/// librdkafka did not even take it; and how many were stored.
pub(super) fn while_appending(action: String, failures: &[(Code, bool)], stored: usize) -> Error {
    let not_stored = |(code, not_taken): &(Code, bool)| *not_taken || is_not_stored(*code);
    let kind = if stored > 0 || !failures.iter().all(not_stored) {
        // Some may be there: nobody may say that theirs is not.
        ErrorKind::OutcomeUnknown
    } else if failures.iter().all(|(code, _)| is_refused(*code)) {
        ErrorKind::Permanent
    } else {
        ErrorKind::Unavailable
    };
    let error = Error::new(kind, action);
    let Some((first, _)) = failures.first() else {
        return error;
    };
    let failed = failures.len();
    let cause = match failed + stored {
        1 => first.to_string(),
        all => format!("{failed} of {all} messages: {first}"),
    };
    error.because(Cause(cause))
}

/// Whether the answer would be the same again.
fn is_refused(code: Code) -> bool {
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::InvalidMessageSize
            | Code::MessageBatchTooLarge
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::InvalidRecord
            | Code::InvalidTopic
            | Code::PolicyViolation
            | Code::InvalidPartitions
            | Code::InvalidReplicationFactor
            | Code::InvalidConfig
            | Code::FencedInstanceId
    )
}

/// Whether it is certain that a message is not in the log. A time-out is not among them.
fn is_not_stored(code: Code) -> bool {
    is_refused(code)
        || matches!(
            code,
            Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicOrPartition
        )
}
