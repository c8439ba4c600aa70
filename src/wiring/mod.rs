//! From configuration to backends: the only place that names them.
//!
//! | file | does |
//! |---|---|
//! | `inventory`, `queue`, `statuses`, `payments` | an enum of the backends of a port, which passes every call on |
//! | `places` | the SQLite files that the configuration names |
//! | `open` | opens what is configured, and starts the flow on it |
//! | `binding` | one store, one gateway: records which, and refuses another |
//! | `migrate` | brings schemas and topics up to date |
//! | `examine` | what `oms doctor` asks of each backend |

mod binding;
mod examine;
mod inventory;
mod migrate;
mod open;
mod payments;
mod places;
mod queue;
mod statuses;

pub use binding::{Mismatch, adopt_gateway, bind_gateway, check_gateway, is_mismatch};
pub use examine::{Examined, examine};
pub use inventory::AnyInventory;
pub use migrate::{Migrated, migrate, migrate_servers, reach_unmigrated};
pub(crate) use open::open_inventory;
pub use open::{OmsPorts, open, start};
pub use payments::AnyPayments;
pub use queue::{AnyConsumer, AnyQueue, AnyReplay};
pub use statuses::AnyStatuses;
