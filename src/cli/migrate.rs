//! `oms migrate`: the schemas of all stores, brought up to date.

use std::process::ExitCode;

use serde_json::json;

use super::context::advised;
use super::{Context, Table, exit};
use crate::wiring::{self, Migrated};

/// Arguments of `oms migrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Makes the tables of MySQL or MariaDB and the topics of Kafka. Embedded stores migrate at every start,
too. Running it twice or from several places is harmless.

Examples:
  oms migrate --data-dir /var/lib/oms
  oms migrate --inventory-url mysql://oms:secret@db/oms --queue-url kafka://broker:9092/carts")]
pub struct Args {}

/// Migrates, and says which version each schema has.
///
/// # Errors
/// When a store cannot be opened, or is of a newer version; or when a server that has no schema does not answer.
pub async fn run(_args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let migrated = wiring::migrate(&context.config)
        .await
        .map_err(|error| advised("cannot migrate", error))?;
    let mut table = Table::new(&["schema", ">version", "~store"]);
    for Migrated {
        schema,
        version,
        store,
    } in migrated
    {
        if context.out.is_json() {
            context
                .out
                .json(&json!({"schema": schema, "version": version, "store": store}))?;
        }
        let version = version.map_or_else(|| "-".to_owned(), |version| version.to_string());
        table.row([schema, version, store]);
    }
    if !context.out.is_json() {
        context.out.table(&table)?;
    }
    // Last, so that everything is migrated by then.
    wiring::reach_unmigrated(&context.config)
        .await
        .map_err(|error| {
            advised(
                "the schemas are up to date, but a server is not there",
                error,
            )
        })?;
    Ok(exit::DONE)
}
