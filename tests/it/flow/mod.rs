//! The flow over the models, in simulated time: its rules and its faults.

mod aftermath;
mod chaos;
mod faults;
mod rules;
mod world;
