//! `oms migrate`: the schemas of all stores, brought up to date.

use std::process::ExitCode;

use serde_json::json;

use super::context::advised;
use super::{Context, Table, exit};
use crate::domain::OrderState;
use crate::inventory::{Administration, Inventory, OrderFilter};
use crate::payments::GatewayIdentity;
use crate::ports::Clock;
use crate::wiring::{self, Migrated};

/// Arguments of `oms migrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Makes the tables of MySQL or MariaDB and the topics of Kafka. Embedded stores migrate at every start,
too. Running it twice or from several places is harmless.

Examples:
  oms migrate --data-dir /var/lib/oms
  oms migrate --inventory-url mysql://oms:secret@db/oms --queue-url kafka://broker:9092/carts
  oms migrate --adopt-gateway --payment-url https://pay.example

A store records the payment gateway that it first charges at, and refuses every other one.
--adopt-gateway records the configured one instead: stop all processes first. It refuses while
orders are reserved or refunds are due, since the new gateway knows nothing of them.")]
pub struct Args {
    /// Move the store to the configured payment gateway
    #[arg(long)]
    adopt_gateway: bool,
    /// Move it even if orders are reserved or refunds are due at the present gateway
    #[arg(long, requires = "adopt_gateway")]
    yes: bool,
}

/// Migrates, and says which version each schema has.
///
/// # Errors
/// When a store cannot be opened, or is of a newer version; or when a server that has no schema does not answer.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
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
    if args.adopt_gateway {
        adopt_gateway(args.yes, context).await?;
    }
    Ok(exit::DONE)
}

/// Records the configured gateway in place of the present one.
async fn adopt_gateway(yes: bool, context: &Context) -> anyhow::Result<()> {
    let ports = context.open().await?;
    let reserved = OrderFilter {
        state: Some(OrderState::Blocked),
        limit: 1,
        ..OrderFilter::default()
    };
    let is_open = !ports.inventory.find_orders(reserved).await?.is_empty()
        || !ports.inventory.refunds_due(None, 1).await?.is_empty();
    if is_open && !yes {
        anyhow::bail!(
            "orders are reserved or refunds are due, and the configured gateway knows nothing of their payments; \
             let `oms worker` settle them at the present gateway first, or give --yes"
        );
    }
    let now = ports.clock.now();
    let before = wiring::adopt_gateway(&ports.inventory, &ports.payments, now)
        .await
        .map_err(|error| advised("cannot adopt the payment gateway", error))?;
    let id = ports.payments.identity().await?.id;
    let before = before.map(|record| record.id);
    if context.out.is_json() {
        return context.out.json(&json!({"gateway": id, "before": before}));
    }
    context.out.line(match before {
        Some(before) if before != id => format!("the store's payments move from {before} to {id}"),
        _ => format!("the store's payments are at {id}"),
    })
}
