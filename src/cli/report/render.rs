//! `oms report render`: any output of a run, from its JSON.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::{Context, exit};
use crate::report::{self, ReportFile};

/// Arguments of `oms report render`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --output it prints the summary, or with --json the report as this version writes it.

Examples:
  oms report render run.json --output run.html --output run.csv
  oms report render run.json")]
pub struct Args {
    /// What `oms simulate --report-file run.json` wrote
    #[arg(value_name = "FILE.json")]
    file: PathBuf,
    /// A file to write: .json, .html, .csv, .hlog, .md or .xml (JUnit); repeatable
    #[arg(long, value_name = "FILE.EXT")]
    output: Vec<ReportFile>,
}

/// Reads a report and writes it as asked.
///
/// # Errors
/// When it cannot be read, or an output not be written.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let report = report::read(&args.file)?;
    report::write_all(&args.output, &report)?;
    if context.out.is_json() {
        context.out.json(&report)?;
    } else if args.output.is_empty() {
        report::summary(&report, &context.out)?;
    }
    Ok(exit::DONE)
}
