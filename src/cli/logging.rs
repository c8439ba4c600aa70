//! What the program logs, on stderr.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Format;

use super::Globals;
use super::log_limit::Limited;

/// Starts logging: warnings, more with each `-v`, only errors with `-q`.
pub(super) fn start(globals: &Globals) {
    let filter = match (globals.quiet, globals.verbose) {
        (true, _) => "error",
        (_, 0) => "warn",
        (_, 1) => "oms=info,warn",
        (_, 2) => "oms=debug,info",
        _ => "trace",
    };
    let started = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .event_format(Limited::new(Format::default()))
        .try_init();
    if let Err(error) = started {
        crate::terminal::talk(format_args!("warning: cannot log: {error}"));
    }
}
