//! `oms audit`: checks every invariant that committed state can show.

use std::process::ExitCode;
use std::time::Duration;

use super::{Context, Table, counted, exit};
use crate::audit::{self, Report};
use crate::domain::parse_duration;
use crate::inventory::{AuditRequest, Auditing, Check};

/// Findings shown; the JSON has more.
const FINDINGS_SHOWN: usize = 20;

/// Arguments of `oms audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Recomputes stock and payments from the orders' carts, the recorded corrections and the gateway's ledger.
Orders that an earlier audit found right are covered by a checkpoint and not read again, except with --full.
Exit code 3 when an invariant is broken.

Examples:
  oms audit
  oms audit --full       read all orders, the whole ledger and the whole status store
  oms audit --json
  oms audit --sql        the query behind each check, to be run by hand")]
pub struct Args {
    /// Check all orders, including those covered by a checkpoint
    #[arg(long, conflicts_with = "sql")]
    full: bool,
    /// Print the query behind each check instead
    #[arg(long)]
    sql: bool,
    /// How late a hold or a refund may be
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = grace)]
    grace: Duration,
}

fn grace(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// Audits, and says what was found.
///
/// # Errors
/// When a store does not answer.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    if args.sql {
        let ports = context.open().await?;
        for (check, sql) in ports.inventory.audit_sql() {
            if context.out.is_json() {
                context
                    .out
                    .json(&serde_json::json!({ "check": check, "sql": sql }))?;
            } else {
                context
                    .out
                    .line(format_args!("-- {}\n{sql};\n", check.as_str()))?;
            }
        }
        return Ok(exit::DONE);
    }
    let ports = context.open_with_gateway().await?;
    let request = AuditRequest {
        full: args.full,
        ..AuditRequest::incremental(args.grace)
    };
    let report = audit::committed(&ports, request).await?;
    if context.out.is_json() {
        context.out.json(&report)?;
    } else {
        show(&report, context)?;
    }
    Ok(if report.is_ok() {
        exit::DONE
    } else {
        exit::invariant_broken()
    })
}

fn show(report: &Report, context: &Context) -> anyhow::Result<()> {
    let out = &context.out;
    let verdict = out.judged(report.is_ok(), ["ok", "BROKEN"]);
    out.line(format_args!(
        "verdict: {verdict}: {} and {} checked, {} sold",
        counted(report.skus, "item"),
        counted(report.orders, "order"),
        counted(report.units_sold, "unit"),
    ))?;
    let mut table = Table::new(&["invariant", ">broken"]);
    for check in Check::ALL {
        let count = match check {
            Check::Undersold | Check::Lost => "- (only a run's clients know)".to_owned(),
            check => report.count(check).to_string(),
        };
        table.row([check.as_str().to_owned(), count]);
    }
    out.table(&table)?;
    if let Some(checkpoint) = report.checkpoint {
        let unread = if report.full {
            ""
        } else {
            ", which are read only with --full"
        };
        out.line(format_args!(
            "checkpoint {} covers {}{unread}",
            checkpoint.number,
            counted(checkpoint.orders, "order"),
        ))?;
    }
    if report.awaiting_gateway > 0 {
        out.line(format_args!(
            "{} await the gateway's verdict",
            counted(report.awaiting_gateway, "order")
        ))?;
    }
    for note in &report.notes {
        out.line(format_args!("note: {note}"))?;
    }
    for finding in report.findings.iter().take(FINDINGS_SHOWN) {
        out.line(finding)?;
    }
    let hidden = report.findings.len().saturating_sub(FINDINGS_SHOWN);
    if hidden > 0 {
        out.line(format_args!("… and {hidden} more; --json lists a thousand"))?;
    }
    Ok(())
}
