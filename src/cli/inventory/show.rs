//! `oms inventory show`: one item.

use std::process::ExitCode;

use serde::Serialize;

use super::list::{cells, table};
use crate::cli::{Context, Table, exit};
use crate::domain::Sku;
use crate::inventory::{AdjustmentRow, Administration, Inventory, Item};

/// How many corrections are shown.
const ADJUSTMENTS_SHOWN: usize = 20;

/// Arguments of `oms inventory show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  oms inventory show SKU-00001 --json")]
pub struct Args {
    /// The item
    sku: Sku,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    item: Item,
    adjustments: Vec<AdjustmentRow>,
}

/// Prints the item; an unknown one is an error.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let ports = context.open().await?;
    let inventory = &ports.inventory;
    let Some(mut item) = inventory.item(args.sku.clone()).await? else {
        return Err(unknown(&args.sku));
    };
    // The stock again, this time with the earliest hold.
    let answer = inventory.stock(vec![args.sku.clone()], true).await?;
    if let Some(level) = answer.levels.into_iter().next().flatten() {
        item.level = level;
    }
    let adjustments = inventory.adjustments(args.sku, ADJUSTMENTS_SHOWN).await?;
    let shown = Shown { item, adjustments };
    if context.out.is_json() {
        context.out.json(&shown)?;
    } else {
        print(&shown, context)?;
    }
    Ok(exit::DONE)
}

fn print(shown: &Shown, context: &Context) -> anyhow::Result<()> {
    let mut item = table();
    item.row(cells(&shown.item));
    context.out.table(&item)?;
    if let Some(until) = shown.item.level.earliest_hold {
        context
            .out
            .line(format_args!("the earliest hold runs out at {until}"))?;
    }
    if shown.adjustments.is_empty() {
        return Ok(());
    }
    let mut rows = Table::new(&["time", ">by", ">available after", "~reason", "id"]);
    for row in &shown.adjustments {
        rows.row([
            row.at.to_string(),
            format!("{:+}", row.by),
            row.available_after.to_string(),
            row.reason.clone(),
            row.id.to_string(),
        ]);
    }
    context.out.table(&rows)
}

/// The error about an item that the catalogue does not have.
pub(super) fn unknown(sku: &Sku) -> anyhow::Error {
    anyhow::anyhow!("there is no item {sku}; `oms inventory list` shows those there are")
}
