//! The command line. One file per subcommand; nouns are folders, verbs are files.
//!
//! Each subcommand has its `Args` and a `run(args, &Context)` that answers with an exit code. stdout is data, stderr
//! is progress and errors; [`Output`] knows how both are to look.

pub mod audit;
pub mod bench;
pub mod completions;
pub mod config;
pub mod dead_letters;
pub mod doctor;
pub mod exit;
pub mod inventory;
pub mod man;
pub mod migrate;
pub mod order;
pub mod recover;
pub mod refunds;
pub mod report;
pub mod seed;
pub mod serve;
pub mod signals;
pub mod simulate;
pub mod statuses;
pub mod token;
pub mod worker;

mod advice;
mod args;
mod context;
mod listeners;
mod log_limit;
mod logging;
mod run;
mod usage;

pub use args::{Cli, Command, Globals};
pub use context::Context;
pub use run::run;
pub use usage::Usage;

pub use crate::terminal::{ClosedPipe, ColorChoice, Colour, Output, Table, counted};
