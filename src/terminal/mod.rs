//! The two streams: how data, tables, talk and progress look on a terminal, and in a pipe.

mod output;
mod table;
mod words;

pub use output::{ClosedPipe, ColorChoice, Colour, Output};
pub use table::Table;
pub use words::counted;

pub(crate) use output::talk;
