//! The numbers of a run, as tables and sentences.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::domain::Reason;
use crate::report::{RunReport, verdict};
use crate::terminal::{Table, many};

pub(super) fn outcomes(report: &RunReport) -> Table {
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

pub(super) fn latencies(report: &RunReport) -> Table {
    let mut table = Table::new(&["ms", ">p50", ">p90", ">p99", ">p99.9", ">max", ">count"]);
    for (step, of) in report.latency_ms.steps() {
        let mut row = vec![verdict::step(step).to_owned()];
        row.extend([of.p50, of.p90, of.p99, of.p999, of.max].map(|ms| format!("{ms:.1}")));
        row.push(of.count.to_string());
        table.row(row);
    }
    table
}

pub(super) fn rates(report: &RunReport) -> String {
    let orders = &report.orders;
    let mut text = format!(
        "{}, {}, {} in {:.2} s: {:.0} decided/s, {:.0} placed/s; {} sold; {} MiB of memory, {:.2} s of processor time",
        many(report.users, "buyer"),
        many(orders.attempts, "cart"),
        many(orders.accepted, "order"),
        report.elapsed_s,
        report.decided_per_s,
        report.placed_per_s,
        many(report.units_sold, "unit"),
        report.peak_rss_bytes >> 20,
        report.processor_s,
    );
    // Writing to a string cannot fail.
    let _ = write!(text, "\nseed {}, plan {}", report.seed, report.plan_digest);
    if let Some(shard) = &report.settings.shard {
        let _ = write!(text, ", shard {shard}");
    }
    if orders.returned > 0 {
        let _ = write!(
            text,
            "; {} after being told `held`",
            many(orders.returned, "return"),
        );
    }
    if orders.gave_up_held > 0 {
        let _ = write!(text, "; {} gave up", many(orders.gave_up_held, "buyer"));
    }
    if orders.errors > 0 {
        let _ = write!(
            text,
            "; {} failed and {} tried again",
            many(orders.errors, "request"),
            if orders.errors == 1 { "was" } else { "were" },
        );
    }
    text
}
