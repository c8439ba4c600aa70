//! `oms inventory show`: one item.

use std::process::ExitCode;

use serde::Serialize;

use super::list::{cells, table};
use crate::cli::{Context, Table, exit};
use crate::domain::Sku;
use crate::inventory::{AdjustmentRow, Administration, Inventory, Item};
use crate::ports::Error;

/// How many corrections are shown.
const ADJUSTMENTS_SHOWN: usize = 20;

/// How many items one read asks for, on the way to one item.
const PAGE: usize = 256;

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
    let ports = context.open()?;
    let inventory = &ports.inventory;
    let Some(mut item) = find(inventory, &args.sku).await? else {
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
    let mut rows = Table::new(&["time", ">by", ">available after", "reason", "id"]);
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

/// One item by its SKU. The port lists items in order: the SKU without its last character is just before it.
async fn find(inventory: &impl Administration, sku: &Sku) -> Result<Option<Item>, Error> {
    let text = sku.as_str();
    let last = text
        .char_indices()
        .next_back()
        .map_or(0, |(index, _)| index);
    let mut after = Sku::new(&text[..last]).ok();
    loop {
        let items = inventory.items(after, PAGE).await?;
        let is_last = items.len() < PAGE;
        after = items.last().map(|item| item.level.sku.clone());
        if let Some(item) = items.into_iter().find(|item| item.level.sku >= *sku) {
            return Ok(Some(item).filter(|item| item.level.sku == *sku));
        }
        if is_last {
            return Ok(None);
        }
    }
}
