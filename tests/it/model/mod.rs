//! The ports in memory: small enough to be seen to be right, and fast in simulated time.
//!
//! Every model is a handle that is cheap to clone: two handles on one model are two processes on one store. Each
//! operation takes effect at one instant and lets other tasks run before and after it.

mod administration;
mod auditing;
mod clock;
mod gate;
mod inventory;
mod payments;
mod queue;
mod statuses;

pub use clock::ManualClock;
pub use gate::Gate;
pub use inventory::ModelInventory;
pub use payments::{Call, ModelPayments, Outcome};
pub use queue::ModelQueue;
pub use statuses::ModelStatuses;
