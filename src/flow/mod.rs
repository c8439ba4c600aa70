//! The ten steps: what happens to an order, whatever the backends. Each step stands beside its undo.
//!
//! `flow` knows four ports and a clock, and never names a backend.

mod api;
mod metrics;
mod service;

pub use api::{
    AddToCart, Added, CancelOutcome, Failure, Found, OrderStory, OrderView, Placement, Refusal,
    Settings,
};
pub use metrics::Metrics;
pub use service::{Flow, Swept};
