//! `oms report merge`: one result of several shards.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::{Context, Usage, exit};
use crate::report::{self, MergeError, Named, ReadError, ReportFile, Threshold};

/// Arguments of `oms report merge`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Counts are added, histograms merged (percentiles never averaged), and courses laid over each other
by when each shard began. What every shard found in the store counts once. Thresholds of the shards
are held against the whole. Runs of other settings, seeds or stores, and a shard that is there twice,
are refused. Exit codes are those of `oms simulate`.

Examples:
  oms simulate --target http://10.0.0.5:8080 --users 1000000 --shard 1/2 --report-file 1.json
  oms simulate --target http://10.0.0.5:8080 --users 1000000 --shard 2/2 --report-file 2.json
  oms report merge 1.json 2.json --report-file all.html")]
pub struct Args {
    /// What `oms simulate --shard K/N --report-file FILE.json` wrote
    #[arg(value_name = "FILE.json", required = true)]
    files: Vec<PathBuf>,
    /// What the whole has to keep to, besides the thresholds of the shards; repeatable
    #[arg(long, value_name = "THRESHOLD")]
    threshold: Vec<Threshold>,
    /// Write the report: .json, .html, .csv, .hlog, .md or .xml (JUnit); repeatable
    #[arg(long, value_name = "FILE.EXT")]
    report_file: Vec<ReportFile>,
}

/// Reads the reports, merges them, and tells of the result.
///
/// # Errors
/// When one cannot be read, they do not belong together, or a file cannot be written.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let read = |path: &PathBuf| Ok((path.display().to_string(), report::read(path)?));
    let runs: Result<Vec<Named>, ReadError> = args.files.iter().map(read).collect();
    let mut merged = report::merge(runs?).map_err(refusal)?;
    let results: Vec<_> = args
        .threshold
        .iter()
        .map(|threshold| threshold.judge(&merged))
        .collect();
    merged.thresholds.extend(results);
    let written = report::write_all(&args.report_file, &merged);
    if context.out.is_json() {
        context.out.json(&merged)?;
    } else {
        report::summary(&merged, &context.out)?;
    }
    written?;
    Ok(exit::of(&merged))
}

/// Reports that do not belong together are a matter of usage; one that is damaged is not.
fn refusal(error: MergeError) -> anyhow::Error {
    match error {
        MergeError::Histogram { .. } => error.into(),
        _ => Usage::new(error.to_string()).into(),
    }
}
