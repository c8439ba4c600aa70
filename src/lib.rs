//! oms takes orders in a rush and never sells what is not there.
pub mod clock;
pub mod domain;
pub mod flow;
pub mod inventory;
pub mod payments;
pub mod ports;
pub mod queue;
pub mod rng;
pub mod sqlite;
pub mod statuses;
pub mod worker;
