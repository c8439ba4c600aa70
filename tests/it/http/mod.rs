//! The HTTP API over the in-memory models, in simulated time; and real sockets, and the command that serves.

mod access;
mod batch;
mod carts;
mod command;
pub mod contract;
mod fixture;
mod guarded;
mod inventory;
mod operation;
mod orders;
mod placements;
mod reservations;
mod sockets;
