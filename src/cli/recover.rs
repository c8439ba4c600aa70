//! `oms recover`: after a failover of the database, what it has lost is decided again or refunded.

use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use super::{Context, Table, counted, exit};
use crate::domain::{Money, Reason, Status, Timestamp, parse_duration};
use crate::flow::{RecoverEvent, RecoverOptions, RecoverTotals, RecoveredOrder};
use crate::ports::Clock;

/// Arguments of `oms recover`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For a database that came back without its last commits: a failover to a replica that was behind, a
restored backup. Reads the log again from TIME and decides every accepted cart that the database does
not know; what was captured for it places the order, or is refunded. Orders that only the status store
or the gateway know are refunded. Choose TIME well before the first commit that can be lost. May be
repeated, and run while orders are taken. Exit code 1 when something is left.

Examples:
  oms recover --since 2h --dry-run
  oms recover --since 2026-03-01T09:30:00Z --json")]
pub struct Args {
    /// Read the log from here: a time such as 2026-03-01T09:30:00Z, or how long ago, such as 2h
    #[arg(long, value_name = "TIME")]
    since: Since,
    /// Only print what would be done
    #[arg(long)]
    dry_run: bool,
}

/// A time, or how long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    At(Timestamp),
    Ago(Duration),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::At(Timestamp::from_millis(at.as_millisecond())));
        }
        match parse_duration(text) {
            Ok(ago) => Ok(Self::Ago(ago)),
            Err(error) => Err(format!(
                "{error}; a time is written as in 2026-03-01T09:30:00Z, and how long ago as in 2h"
            )),
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    since: Timestamp,
    dry_run: bool,
    #[serde(flatten)]
    totals: &'a RecoverTotals,
    orders: &'a [RecoveredOrder],
}

/// Recovers, and prints what was done.
///
/// # Errors
/// When the database, the log or the status store does not answer, or when something is left.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let flow = context.flow().await?;
    let since = match args.since {
        Since::At(at) => at,
        Since::Ago(ago) => flow.ports().clock.now().minus(ago),
    };
    let options = RecoverOptions {
        since,
        dry_run: args.dry_run,
    };
    let line = context.out.spinner();
    let mut orders = Vec::new();
    let totals = flow
        .recover(options, |event| match event {
            RecoverEvent::Progress(totals) => line.set_message(progress(totals)),
            RecoverEvent::Order(order) => orders.push(order.clone()),
        })
        .await?;
    line.finish_and_clear();
    if context.out.is_json() {
        context.out.json(&Report {
            since,
            dry_run: args.dry_run,
            totals: &totals,
            orders: &orders,
        })?;
    } else {
        show(&totals, &orders, &args, context)?;
    }
    if totals.left > 0 {
        anyhow::bail!(
            "{} left; run it again when the gateway answers",
            if totals.left == 1 {
                "1 order is".to_owned()
            } else {
                format!("{} orders are", totals.left)
            }
        );
    }
    Ok(exit::DONE)
}

fn progress(totals: &RecoverTotals) -> String {
    format!(
        "{}, {}, {} read; {} missing",
        counted(totals.messages, "message"),
        counted(totals.statuses, "known order"),
        counted(totals.charges, "charge"),
        counted(totals.missing, "order"),
    )
}

fn show(
    totals: &RecoverTotals,
    orders: &[RecoveredOrder],
    args: &Args,
    context: &Context,
) -> anyhow::Result<()> {
    let out = &context.out;
    if !orders.is_empty() {
        let action = if args.dry_run { "would be" } else { "action" };
        let mut table = Table::new(&[
            "order",
            action,
            ">captured",
            "status before",
            "status",
            "reason",
            "~detail",
        ]);
        let status = |status: Option<Status>| {
            status.map_or_else(|| "-".to_owned(), |status| status.to_string())
        };
        for order in orders {
            let captured = order.captured.filter(|captured| *captured > Money::ZERO);
            table.row([
                order.order_id.to_string(),
                order.action.as_str().to_owned(),
                captured.map_or_else(|| "-".to_owned(), |captured| captured.to_string()),
                status(order.status_before),
                status(order.status),
                (order.reason).map_or_else(|| "-".to_owned(), |reason: Reason| reason.to_string()),
                order.detail.clone().unwrap_or_default(),
            ]);
        }
        out.table(&table)?;
    }
    out.line(progress(totals))?;
    if args.dry_run {
        return out.line("nothing was changed (--dry-run)");
    }
    out.line(format_args!(
        "{} decided again; {} placed, {} released, {} refunded, {} written again",
        counted(totals.decided_again, "order"),
        totals.placed,
        totals.released,
        totals.refunded,
        counted(totals.tombstones, "failure"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_absolute_or_ago() {
        let at = |text: &str| text.parse::<Since>();
        assert_eq!(
            at("1970-01-01T00:00:01.5Z"),
            Ok(Since::At(Timestamp::from_millis(1_500)))
        );
        assert_eq!(
            at("1970-01-01T01:00:00+01:00"),
            Ok(Since::At(Timestamp::from_millis(0)))
        );
        assert_eq!(at("2h"), Ok(Since::Ago(Duration::from_secs(7_200))));
        for text in ["", "yesterday", "2026-03-01", "2 hours"] {
            let error = at(text).unwrap_err();
            assert!(error.contains("2026-03-01T09:30:00Z"), "{text}: {error}");
        }
    }
}
