//! What went wrong on a connection, and what to do about it.

use std::time::Duration;

use mysql_async::{DriverError, Error, IoError};

use super::connect::NoConnection;
use crate::domain::OrderId;

/// Why a job on a connection was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// There is no connection.
    #[error(transparent)]
    NoConnection(#[from] NoConnection),
    /// The server refused, or the connection broke.
    #[error("{}", cause(.0))]
    Client(#[from] Error),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
    /// The connections were in use for all the time there was. Nothing was sent.
    #[error("no connection was free within {} s", .0.as_secs())]
    NoTurn(Duration),
    /// A value in the database that no version of this program has written.
    #[error("column {column} of a row cannot be read: {cause}")]
    BadRow {
        /// Its place in the row, from 0.
        column: usize,
        /// What is wrong with it.
        cause: String,
    },
    /// Orders, or the stock of their items, are not what they were when they were read.
    #[error("orders changed before they could be settled")]
    Moved,
    /// A settlement of an order that is in no row of `orders`: somebody has deleted the one or made the other.
    #[error(
        "order {0} is settled, but it does not exist; `oms audit --full` lists such settlements"
    )]
    Orphan(OrderId),
    /// Rows that were locked are gone.
    #[error("{affected} rows were changed where {expected} were locked")]
    Miscounted {
        /// How many were to change.
        expected: usize,
        /// How many did.
        affected: u64,
    },
}

/// What a fault means for the transaction it happened in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Another transaction was in the way: roll back, and do it again.
    Again,
    /// The connection is gone, and the transaction with it: do it again on another.
    Lost,
    /// Later may be better.
    Unavailable,
    /// These very data will never be taken.
    Permanent,
}

/// Deadlock, lock wait time-out, duplicate key (somebody inserted it first), changed since read, interrupted, failed
/// certification in a cluster.
const AGAIN: [u16; 6] = [1213, 1205, 1062, 1020, 1317, 3101];

/// Shutdown, network trouble, killed, idle for too long.
const LOST: [u16; 11] = [
    1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031,
];

/// About the data, without saying so in their SQLSTATE: incorrect value, packet or row too large, check violated,
/// not JSON.
const DATA: [u16; 10] = [1366, 1153, 1118, 1301, 3819, 4025, 3140, 3141, 4037, 4038];

/// Column cannot be null.
const NULL_REFUSED: u16 = 1048;

impl Fault {
    /// The fault of a transaction that ends with a condition: a NULL where none may be means that it does not hold.
    pub(super) fn of_condition(self) -> Self {
        match self {
            Self::Client(Error::Server(error)) if error.code == NULL_REFUSED => Self::Moved,
            fault => fault,
        }
    }

    pub(super) fn meaning(&self) -> Meaning {
        match self {
            Self::NoConnection(_) | Self::NoTurn(_) | Self::Late(_) => Meaning::Unavailable,
            Self::Moved => Meaning::Again,
            Self::Client(Error::Server(error)) => {
                if AGAIN.contains(&error.code) {
                    Meaning::Again
                } else if LOST.contains(&error.code) {
                    Meaning::Lost
                } else if DATA.contains(&error.code) || is_about_data(&error.state) {
                    Meaning::Permanent
                } else {
                    // Also what an administrator has to mend, such as missing rights: no cart may fail by that.
                    Meaning::Unavailable
                }
            }
            Self::BadRow { .. }
            | Self::Orphan(_)
            | Self::Miscounted { .. }
            | Self::Client(Error::Driver(
                DriverError::PacketTooLarge
                | DriverError::Params(_)
                | DriverError::StmtParamsMismatch { .. }
                | DriverError::StmtParamsNumberExceedsLimit { .. },
            )) => Meaning::Permanent,
            Self::Client(_) => Meaning::Lost,
        }
    }

    /// Whether the connection can be used after it.
    pub(super) fn leaves_a_connection(&self) -> bool {
        match self {
            Self::NoConnection(_) | Self::NoTurn(_) | Self::Late(_) => false,
            fault => fault.meaning() != Meaning::Lost,
        }
    }

    /// Whether the server has read the statement and refused it.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Client(Error::Server(_)))
    }

    /// Whether a COMMIT that was answered like this was certainly not done.
    pub(super) fn is_rollback(&self) -> bool {
        self.is_refusal() && self.meaning() == Meaning::Again
    }

    /// What it means once nothing was left to try: a duplicate that stays one is the fault of the data.
    pub(super) fn is_permanent(&self) -> bool {
        match self {
            Self::Client(Error::Server(error)) if error.code == 1062 => true,
            fault => fault.meaning() == Meaning::Permanent,
        }
    }
}

/// SQLSTATE classes 22 (data exception) and 23 (integrity constraint violation).
fn is_about_data(state: &str) -> bool {
    state.starts_with("22") || state.starts_with("23")
}

/// Access denied.
const DENIED: u16 = 1045;

/// The server's error number, if it comes from the server.
pub(super) fn code(error: &Error) -> Option<u16> {
    match error {
        Error::Server(error) => Some(error.code),
        // MySQL asks unknown users for the password in a random way, so as not to tell who is unknown.
        Error::Driver(DriverError::UnknownAuthPlugin { .. }) => Some(DENIED),
        _ => None,
    }
}

/// What the library says, without what it says twice.
pub(super) fn cause(error: &Error) -> String {
    match error {
        Error::Server(error) => format!("{} (error {})", error.message, error.code),
        Error::Io(IoError::Io(error)) => error.to_string(),
        Error::Io(IoError::Tls(error)) => error.to_string(),
        Error::Driver(DriverError::UnknownAuthPlugin { name }) => format!(
            "access denied: the server asks this user for `{name}`, which is not spoken here; is the user's name right?"
        ),
        Error::Driver(error) => error.to_string(),
        other => other.to_string(),
    }
}
