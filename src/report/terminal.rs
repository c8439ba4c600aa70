//! A run as people read it: the verdict first, then the numbers, then where to look next.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::{Percentiles, RunReport, Verdict};
use crate::domain::Reason;
use crate::terminal::{Colour, Output, Table};

/// Findings shown; the JSON has more.
const FINDINGS_SHOWN: usize = 20;

/// Writes the summary of a run.
///
/// # Errors
/// What kept it from being written.
pub fn summary(report: &RunReport, out: &Output) -> anyhow::Result<()> {
    out.line(verdict(report, out))?;
    for finding in report.findings.iter().take(FINDINGS_SHOWN) {
        out.line(format_args!(
            "  {}: {}: {}",
            finding.check.as_str(),
            finding.subject,
            finding.detail
        ))?;
    }
    let hidden =
        report.findings.len().saturating_sub(FINDINGS_SHOWN) as u64 + report.findings_omitted;
    if hidden > 0 {
        out.line(format_args!(
            "  … and {hidden} more; `oms audit` lists them"
        ))?;
    }
    for note in &report.notes {
        out.line(format_args!("  note: {note}"))?;
    }
    out.line("")?;
    out.table(&outcomes(report))?;
    out.line("")?;
    out.table(&latencies(report))?;
    out.line("")?;
    out.line(rates(report))?;
    if let Some(trace) = &report.trace {
        let skipped: Vec<String> = trace
            .skipped
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        out.line(format_args!(
            "{}: {} rows = {} order lines + {} merged + {} skipped ({})",
            trace.file,
            trace.rows,
            trace.order_lines,
            trace.merged,
            trace.skipped.values().sum::<u64>(),
            if skipped.is_empty() {
                "none".to_owned()
            } else {
                skipped.join(", ")
            },
        ))?;
        out.line("what became of each invoice: `--report-file run.json`, or `--json`, under trace.invoices")?;
    }
    if !report.examples.is_empty() {
        out.line("\nworth reading:")?;
        for example in &report.examples {
            let line = format!("  oms order why {}", example.order_id);
            out.line(format_args!(
                "{line}  {}",
                out.paint(Colour::Dim, format_args!("# {}", example.outcome))
            ))?;
        }
    }
    Ok(())
}

fn verdict(report: &RunReport, out: &Output) -> String {
    let interrupted = if report.interrupted {
        " (interrupted)"
    } else {
        ""
    };
    match report.verdict {
        Verdict::Ok => {
            let ok = out.paint(Colour::Green, "ok");
            let text =
                "nothing oversold, undersold or lost; every order final, every refund executed";
            format!("verdict: {ok}{interrupted}: {text}")
        }
        Verdict::Broken => {
            let broken: Vec<String> = (report.invariants.0.iter())
                .filter(|(_, count)| **count > 0)
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            let word = out.paint(Colour::Red, "BROKEN");
            format!("verdict: {word}{interrupted}: {}", broken.join(", "))
        }
    }
}

fn outcomes(report: &RunReport) -> Table {
    let orders = &report.orders;
    let mut table = Table::new(&["outcome", ">orders", "~of"]);
    let mut row = |outcome: String, count: u64, of: &str| {
        table.row([outcome, count.to_string(), of.to_owned()]);
    };
    row("placed".to_owned(), orders.placed, "accepted orders");
    let mut reasons = |what: &str, counts: &BTreeMap<Reason, u64>, of: &str| {
        for (reason, count) in counts {
            row(format!("{what}: {reason}"), *count, of);
        }
    };
    reasons("failed", &orders.failed, "accepted orders");
    reasons("refused", &orders.refused, "buyers, who left");
    if orders.in_doubt > 0 {
        row("no answer".to_owned(), orders.in_doubt, "carts");
    }
    if report.awaiting_gateway > 0 {
        row(
            "awaiting the gateway".to_owned(),
            report.awaiting_gateway,
            "accepted orders",
        );
    }
    table
}

fn latencies(report: &RunReport) -> Table {
    let mut table = Table::new(&["ms", ">p50", ">p90", ">p99", ">max"]);
    let ms = |value: f64| format!("{value:.1}");
    let mut row = |step: &str, of: &Percentiles| {
        table.row([
            step.to_owned(),
            ms(of.p50),
            ms(of.p90),
            ms(of.p99),
            ms(of.max),
        ]);
    };
    row("addToCart", &report.latency_ms.add_to_cart);
    row("placeOrder", &report.latency_ms.place_order);
    row("end to end", &report.latency_ms.end_to_end);
    table
}

fn rates(report: &RunReport) -> String {
    let orders = &report.orders;
    let mut text = format!(
        "{} buyers, {} carts, {} orders in {:.2} s: {} decided/s, {} placed/s; {} units sold; {} MiB of memory",
        report.users,
        orders.attempts,
        orders.accepted,
        report.elapsed_s,
        Whole(report.decided_per_s),
        Whole(report.placed_per_s),
        report.units_sold,
        report.peak_rss_bytes >> 20,
    );
    // Writing to a string cannot fail.
    let _ = write!(text, "\nseed {}, plan {}", report.seed, report.plan_digest);
    if orders.returned > 0 {
        let _ = write!(
            text,
            "; {} returns of buyers who had been told `held`, {} of whom gave up",
            orders.returned, orders.gave_up_held
        );
    }
    if orders.errors > 0 {
        let _ = write!(
            text,
            "; {} requests failed and were tried again",
            orders.errors
        );
    }
    text
}

/// A rate without its fraction.
struct Whole(f64);

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.0)
    }
}
