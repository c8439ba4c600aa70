//! `oms seed`: fills the catalogue.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Context as _;
use serde::Serialize;

use super::{Context, Usage, counted, exit};
use crate::catalogue::{self, File, Trace};
use crate::config::{CountError, parse_count};
use crate::inventory::{Administration, NewItem, PutOutcome};

/// How many items go into one transaction.
const BATCH: usize = 1_000;

/// The most items of a synthetic catalogue.
const ITEMS_MAX: u64 = 10_000_000;

/// The stock of each item, unless the file or `--stock` says otherwise.
const STOCK: i64 = 100;

/// The seed of names and prices, unless `--seed` says otherwise.
const SEED: u64 = 7;

/// Arguments of `oms seed`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A file is CSV: sku,name,price,stock with the price in minor units, or the Online Retail format,
whose order lines name the items. Of an item that is there already only name and price change: its
stock stays, and `oms inventory adjust` corrects it.

Examples:
  oms seed --items                      100 items of 100 units
  oms seed --items 1000 --stock 5
  oms seed --items catalogue.csv")]
pub struct Args {
    /// How many items to make up, or the CSV file they are in
    #[arg(
        long,
        value_name = "N|FILE",
        required = true,
        num_args = 0..=1,
        default_missing_value = "100"
    )]
    items: Source,
    /// Units of each item [default: 100]; not for files with a stock column
    #[arg(long, value_name = "UNITS", allow_hyphen_values = true, value_parser = stock)]
    stock: Option<i64>,
    /// What names and prices are made up from [default: 7]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
}

/// Where items come from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Synthetic(u32),
    File(PathBuf),
}

impl FromStr for Source {
    type Err = String;

    /// A number of items; whatever does not look like a number is a file. For a file called `100` write `./100`.
    fn from_str(text: &str) -> Result<Self, String> {
        match parse_count(text) {
            Ok(count @ 1..=ITEMS_MAX) => u32::try_from(count)
                .map(Self::Synthetic)
                .map_err(|error| error.to_string()),
            Ok(_) => Err(format!("1 to {ITEMS_MAX} items are allowed")),
            Err(CountError::Unreadable(_)) if text.is_empty() => Err("it is empty".to_owned()),
            Err(CountError::Unreadable(_)) if text.parse::<f64>().is_ok() => {
                Err("write a whole number of items, or a file".to_owned())
            }
            Err(CountError::Unreadable(_)) => Ok(Self::File(text.into())),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn stock(text: &str) -> Result<i64, String> {
    let units = text
        .parse()
        .map_err(|_| format!("`{text}` is not a whole number of units"))?;
    catalogue::check_stock(units)
}

/// What was seeded.
#[derive(Debug, Default, Serialize)]
struct Seeded {
    items: usize,
    created: u64,
    changed: u64,
    unchanged: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<TraceCounts>,
}

/// What became of the rows of an Online Retail file.
#[derive(Debug, Serialize)]
struct TraceCounts {
    rows: u64,
    order_lines: u64,
    merged: u64,
    skipped: BTreeMap<&'static str, u64>,
    invoices: usize,
}

impl From<&Trace> for TraceCounts {
    fn from(trace: &Trace) -> Self {
        Self {
            rows: trace.rows,
            order_lines: trace.order_lines,
            merged: trace.merged,
            skipped: (trace.skipped.iter())
                .map(|(reason, count)| (reason.as_str(), *count))
                .collect(),
            invoices: trace.invoices.len(),
        }
    }
}

/// Puts the items, and says what became of them.
///
/// # Errors
/// When the file cannot be used, or the items cannot be stored.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let (items, trace) = match &args.items {
        Source::Synthetic(count) => {
            let (stock, seed) = (args.stock.unwrap_or(STOCK), args.seed.unwrap_or(SEED));
            (catalogue::synthetic(*count, stock, seed), None)
        }
        Source::File(path) => from_file(path, &args)?,
    };
    context.migrate_servers().await?;
    let ports = context.open().await?;
    let mut seeded = Seeded {
        items: items.len(),
        trace,
        ..Seeded::default()
    };
    let bar = context.out.bar(items.len() as u64, "items");
    for batch in items.chunks(BATCH) {
        let outcomes = ports.inventory.put_items(batch.to_vec()).await?;
        for outcome in outcomes {
            match outcome {
                PutOutcome::Created => seeded.created += 1,
                PutOutcome::Changed => seeded.changed += 1,
                PutOutcome::Unchanged => seeded.unchanged += 1,
            }
        }
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    report(&seeded, context)
}

fn from_file(path: &Path, args: &Args) -> anyhow::Result<(Vec<NewItem>, Option<TraceCounts>)> {
    if args.seed.is_some() {
        return Err(Usage::new("--seed makes up items; leave it out with a file").into());
    }
    match catalogue::read(path).context("cannot seed from a file")? {
        File::Own(_) if args.stock.is_some() => Err(Usage::new(format!(
            "{} has a stock column; leave --stock out",
            path.display()
        ))
        .into()),
        File::Own(items) => Ok((items, None)),
        File::OnlineRetail(trace) => {
            let items = trace.items(args.stock.unwrap_or(STOCK));
            Ok((items, Some(TraceCounts::from(&trace))))
        }
    }
}

fn report(seeded: &Seeded, context: &Context) -> anyhow::Result<ExitCode> {
    if context.out.is_json() {
        context.out.json(seeded)?;
        return Ok(exit::DONE);
    }
    if let Some(trace) = &seeded.trace {
        let skipped: Vec<String> = (trace.skipped.iter())
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        context.out.line(format_args!(
            "{} of {}: {}, {} merged, {} skipped{}{}",
            counted(trace.rows, "row"),
            counted(trace.invoices, "invoice"),
            counted(trace.order_lines, "order line"),
            trace.merged,
            trace.skipped.values().sum::<u64>(),
            if skipped.is_empty() { "" } else { ": " },
            skipped.join(", ")
        ))?;
    }
    context.out.line(format_args!(
        "{}: {} created, {} changed, {} unchanged",
        counted(seeded.items, "item"),
        seeded.created,
        seeded.changed,
        seeded.unchanged
    ))?;
    let known = seeded.changed + seeded.unchanged;
    if known > 0 {
        context.out.note(format_args!(
            "{} there already: stock stays as it is (`oms inventory adjust` corrects it)",
            counted(known, "item")
        ));
    }
    Ok(exit::DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_a_number_or_a_file() {
        assert_eq!("1000".parse(), Ok(Source::Synthetic(1_000)));
        for text in ["catalogue.csv", "./100", "2011-11-29.csv"] {
            assert_eq!(text.parse(), Ok(Source::File(text.into())));
        }
        for text in ["0", "-5", "1.5", "10k", "1,000", "10000001", ""] {
            assert!(text.parse::<Source>().is_err(), "{text}");
        }
    }
}
