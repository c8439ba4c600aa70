//! The two streams: how data, tables, talk and progress look on a terminal, and in a pipe.

mod output;
mod shell;
mod table;
mod words;

pub use output::{ClosedPipe, ColorChoice, Colour, Output};
pub use shell::quoted;
pub use table::Table;
pub use words::{counted, grouped, many};

pub(crate) use output::talk;
