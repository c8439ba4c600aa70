//! The storm: simulated buyers, what they measure, and what they were told.
//!
//! A [`Plan`] says who comes when ([`Arrivals`]), with which cart, and what they are like ([`Behaviour`]); a [`Driver`]
//! carries a buyer's requests to the order service, in this process or over HTTP; a [`Storm`] lets them loose and returns
//! a [`Run`]: counts, latencies, their [`Course`] over time, and what each client was told, which the audit joins with
//! committed state and [`judge_fairness`] counts.

mod aftermath;
mod arrivals;
mod behaviour;
mod buyer;
mod driver;
mod duration_span;
mod fairness;
mod gauges;
mod invoices;
mod measure;
mod plan;
mod popularity;
mod restock;
mod returns;
mod sampler;
pub mod seeding;
mod shard;
mod span;
mod storm;
pub mod target;
mod told;

pub use aftermath::{Aftermath, wait as wait_for_aftermath};
pub use arrivals::{Arrivals, Band, Due, Gaps, Pace, Rate, RateError, Schedule, ScheduleError};
pub use behaviour::{Behaviour, Share, ShareOf, ShareOfError, Traits};
pub use driver::{Asked, Driver, InProcess, Retry, Said, Trouble};
pub use duration_span::{DurationSpan, DurationSpanError};
pub use fairness::{Fairness, ItemFairness, judge as judge_fairness};
pub use gauges::{Gauges, WATCHED_MAX};
pub use invoices::{InvoiceOutcome, outcomes as invoice_outcomes};
pub use measure::{
    Counts, Course, Event, INTERVALS_MAX, Interval, Latencies, Measured, SLICE, Slice, Step, Tally,
    Timing, decode as decode_histogram, encode as encode_histogram, peak_rss_bytes, slot,
};
pub use plan::{Drawn, Plan, USERS_MAX, Visit};
pub use popularity::Popularity;
pub use restock::{Restock, TOP_MAX, Which};
pub use returns::{Board, Woken};
pub use sampler::Glance;
pub use seeding::Seeded;
pub use shard::{Shard, ShardError};
pub use span::{Span, SpanError};
pub use storm::{Bounds, GRACE, IN_FLIGHT_MAX, LATE, Punctuality, Run, Storm};
pub use told::{Answer, Told};
