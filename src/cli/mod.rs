//! The command line. One file per subcommand; nouns are folders, verbs are files.
//!
//! Each subcommand has its `Args` and a `run(args, &Context)` that answers with an exit code. stdout is data, stderr
//! is progress and errors; [`Output`] knows how both are to look.

pub mod audit;
pub mod completions;
pub mod config;
pub mod dead_letters;
pub mod doctor;
pub mod exit;
pub mod inventory;
pub mod man;
pub mod migrate;
pub mod order;
pub mod seed;
pub mod serve;
pub mod signals;
pub mod simulate;
pub mod statuses;
pub mod worker;

mod advice;
mod args;
mod context;
mod logging;
mod output;
mod run;
mod table;
mod usage;
mod words;

pub use args::{Cli, ColorChoice, Command, Globals};
pub use context::Context;
pub use output::{ClosedPipe, Colour, Output};
pub use run::run;
pub use table::Table;
pub use usage::Usage;
pub use words::counted;
