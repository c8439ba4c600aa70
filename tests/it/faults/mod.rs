//! Decorators that wrap any port: they make calls fail, hang, or lie, as a test says.

mod controls;
mod inventory;
mod payments;
mod queue;
mod statuses;

pub use controls::{Fault, Faults, Op};

/// A port of one process, whose calls go past that process's [`Faults`].
#[derive(Debug, Clone)]
pub struct Faulty<T> {
    inner: T,
    faults: Faults,
}

impl<T> Faulty<T> {
    pub fn new(inner: T, faults: &Faults) -> Self {
        Self {
            inner,
            faults: faults.clone(),
        }
    }
}
