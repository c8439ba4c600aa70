//! The storm: simulated buyers, what they measure, and what they were told.
//!
//! A [`Plan`] says who comes when and with which cart; a [`Driver`] carries a buyer's requests to the order service, in
//! this process or over HTTP; a [`Storm`] lets them loose and returns a [`Run`]: counts, latencies, and what each client
//! was told, which the audit joins with committed state.

mod aftermath;
mod buyer;
mod driver;
mod invoices;
mod measure;
mod plan;
mod popularity;
mod returns;
pub mod seeding;
mod shard;
mod span;
mod storm;
pub mod target;
mod told;

pub use aftermath::{Aftermath, wait as wait_for_aftermath};
pub use driver::{Asked, Driver, InProcess, Retry, Said, Trouble};
pub use invoices::{InvoiceOutcome, outcomes as invoice_outcomes};
pub use measure::{Counts, Latencies, Measured, Step, Tally, peak_rss_bytes, slot};
pub use plan::{Drawn, Plan, USERS_MAX, Visit};
pub use popularity::Popularity;
pub use returns::{Board, Woken};
pub use seeding::Seeded;
pub use shard::{Shard, ShardError};
pub use span::{Span, SpanError};
pub use storm::{GRACE, IN_FLIGHT_MAX, Run, Storm};
pub use told::{Answer, Told};
