//! `oms migrate`: the schemas of all stores, brought up to date.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::{Context, Table, exit};
use crate::wiring;

/// Arguments of `oms migrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Embedded stores migrate at every start, too; running it twice or from several places is harmless.

Example:
  oms migrate --data-dir /var/lib/oms")]
pub struct Args {}

/// Migrates, and says which version each schema has.
///
/// # Errors
/// When a store cannot be opened, or is of a newer version.
pub async fn run(_args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let mut table = Table::new(&["schema", ">version", "~store"]);
    for place in wiring::places(&context.config)? {
        let health = place
            .examine()
            .await
            .context("cannot migrate; `oms doctor` looks closer")?;
        let store = place.options.path.display().to_string();
        for (schema, version) in health.versions {
            if context.out.is_json() {
                context
                    .out
                    .json(&json!({"schema": schema, "version": version, "store": store}))?;
            }
            table.row([schema, version.to_string(), store.clone()]);
        }
    }
    if !context.out.is_json() {
        context.out.table(&table)?;
    }
    Ok(exit::DONE)
}
