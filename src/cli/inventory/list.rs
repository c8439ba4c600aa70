//! `oms inventory list`: all items with their stock.

use std::process::ExitCode;

use crate::cli::{Context, Table, exit};
use crate::config::parse_count;
use crate::domain::Sku;
use crate::inventory::{Administration, Item};

/// How many items one read asks for.
const PAGE: usize = 1_000;

/// Arguments of `oms inventory list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oms inventory list
  oms inventory list --json | jq 'select(.available == 0) | .sku'")]
pub struct Args {
    /// At most so many [default: all]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    limit: Option<u64>,
    /// Only SKUs after this one
    #[arg(long, value_name = "SKU")]
    after: Option<Sku>,
}

/// Prints the items, a page at a time.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let ports = context.open().await?;
    let mut left = args.limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    let mut after = args.after;
    let mut table = table();
    while left > 0 {
        let asked = left.min(PAGE);
        let items = ports.inventory.items(after.clone(), asked).await?;
        left -= items.len().min(left);
        after = items.last().map(|item| item.level.sku.clone());
        for item in &items {
            if context.out.is_json() {
                context.out.json(item)?;
            } else {
                table.row(cells(item));
            }
        }
        if items.len() < asked {
            break;
        }
    }
    if !context.out.is_json() {
        context.out.table(&table)?;
        if table.is_empty() {
            context.out.note("no items; `oms seed --items` makes some");
        }
    }
    Ok(exit::DONE)
}

pub(super) fn table() -> Table {
    Table::new(&[
        "sku",
        "~name",
        ">price",
        ">available",
        ">blocked",
        ">sold",
        ">initial",
        ">adjusted",
    ])
}

pub(super) fn cells(item: &Item) -> [String; 8] {
    [
        item.level.sku.to_string(),
        item.name.clone(),
        item.price.to_string(),
        item.level.available.to_string(),
        item.level.blocked.to_string(),
        item.level.sold.to_string(),
        item.initial.to_string(),
        item.adjusted.to_string(),
    ]
}
