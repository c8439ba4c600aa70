//! `oms completions`: a completion script for a shell.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Output, exit};

/// Arguments of `oms completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  oms completions bash > /etc/bash_completion.d/oms")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// When it cannot be written.
pub fn run(args: &Args, out: &Output) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "oms", &mut script);
    out.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(exit::DONE)
}
