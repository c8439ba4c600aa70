//! What a run measures: counts and latencies as totals, and the same as a course over time.
//!
//! Buyers write to shards ([`Tally`]); a shard cuts what it is told into slices of 100 ms, and the sampler gathers the
//! slices into one [`Course`], which never has more than 600 intervals.

mod counts;
mod course;
mod latency;
mod pile;
mod resources;
mod slice;
mod tally;

pub use counts::{Counts, slot};
pub use course::{Course, INTERVALS_MAX, Interval};
pub(super) use latency::of as distribution;
pub use latency::{Latencies, Step, decode, encode};
pub use resources::{peak_rss_bytes, processor_time};
pub use slice::{Event, SLICE, Slice};
pub use tally::{Measured, Tally, Timing};
