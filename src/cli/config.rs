//! `oms config`: the effective values and where each comes from.

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::{Context, Table, exit};
use crate::domain::format_duration;

/// Arguments of `oms config`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A flag comes before the environment (OMS_DATA_DIR, OMS_INVENTORY_URL or OMS_INVENTORY_URL_FILE,
OMS_HOLD, ...), that before oms.toml, and that before the default. Passwords are never shown.

URLs and their parameters:
  sqlite:PATH?max_page_count=N
  mysql://USER:PASSWORD@HOST/DATABASE?tls=required|verify-ca|verify-identity&tls-ca=PATH
  kafka://HOST:9092,HOST:9092/TOPIC?group=&partitions=&replication=, and librdkafka's own names
  redis://, rediss:// or redis-cluster://HOST:6379?tls-ca=PATH&prefix=oms:
  simulated:?success=0.95&timeout=0.01&unknown=0.01&latency=20ms..200ms&seed=7
  https://HOST/BASE?timeout=10s&connections=64&tls-ca=PATH&token-file=PATH

Examples:
  oms config
  OMS_HOLD=5m oms config --json")]
pub struct Args {}

/// Prints the configuration.
///
/// # Errors
/// When it cannot be written.
pub fn run(_args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let entries = context.config.entries();
    if context.out.is_json() {
        let object: Map<String, Value> = entries
            .iter()
            .map(|entry| {
                let value = json!({"value": entry.value, "origin": entry.origin});
                (entry.name.to_owned(), value)
            })
            .collect();
        context.out.json(&object)?;
        return Ok(exit::DONE);
    }
    let mut table = Table::new(&["setting", "~value", "origin"]);
    for entry in entries {
        table.row([entry.name.to_owned(), entry.value, entry.origin]);
    }
    context.out.table(&table)?;
    let effective = context.config.settings().payment_timeout;
    if effective < *context.config.payment_timeout {
        context.out.note(format_args!(
            "a payment gets {} only, half of the hold, so that there is time to settle",
            format_duration(effective)
        ));
    }
    Ok(exit::DONE)
}
