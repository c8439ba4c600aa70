//! A run as people read it: the verdict first, then the numbers, then where to look next, and how to do it again.

mod figures;

use super::{RunReport, TraceReport, Verdict, spread, verdict};
use crate::terminal::{Colour, Output, Table, counted, many};

/// Findings shown; the JSON has more.
const FINDINGS_SHOWN: usize = 20;

/// Writes the summary of a run.
///
/// # Errors
/// What kept it from being written.
pub fn summary(report: &RunReport, out: &Output) -> anyhow::Result<()> {
    told_first(report, out)?;
    out.line("")?;
    out.table(&figures::outcomes(report))?;
    out.line("")?;
    out.table(&figures::latencies(report))?;
    out.line("")?;
    out.line(figures::rates(report))?;
    if report.repeats.len() > 1 {
        repeats(report, out)?;
    }
    if let Some(trace) = &report.trace {
        told_of(trace, out)?;
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
    if !report.command.is_empty() {
        out.line(format_args!("\nto repeat it:\n  {}", report.command))?;
    }
    Ok(())
}

/// What decides whether the run is good.
fn told_first(report: &RunReport, out: &Output) -> anyhow::Result<()> {
    let (word, text) = verdict::words(report);
    let interrupted = if report.interrupted {
        " (interrupted)"
    } else {
        ""
    };
    out.line(format_args!(
        "verdict: {}{interrupted}: {text}",
        out.judged(report.verdict == Verdict::Ok, [word, word])
    ))?;
    if let Some(why) = verdict::invalid(report) {
        out.line(format_args!("{}: {why}", out.paint(Colour::Red, "INVALID")))?;
    }
    for result in &report.thresholds {
        let word = out.judged(result.ok, ["ok", "MISSED"]);
        out.line(format_args!(
            "threshold {word}: {}: {}",
            result.threshold, result.measured
        ))?;
    }
    for finding in report.findings.iter().take(FINDINGS_SHOWN) {
        out.line(format_args!("  {finding}"))?;
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
    if report.baseline.is_some() {
        baseline(report, out)?;
    }
    Ok(())
}

/// The comparison with a baseline.
fn baseline(report: &RunReport, out: &Output) -> anyhow::Result<()> {
    let Some(comparison) = &report.baseline else {
        return Ok(());
    };
    let word = out.judged(!comparison.slower, ["no slower than", "SLOWER than"]);
    out.line(format_args!(
        "\nbaseline: {word} {} (oms {}), beyond a noise of {:.0} %",
        comparison.baseline,
        comparison.version,
        comparison.noise * 100.0
    ))?;
    let mut table = Table::new(&["figure", ">before", ">now", ">change", "outcome"]);
    for figure in &comparison.figures {
        let outcome = figure.outcome.word().to_owned();
        table.row(figure.cells().into_iter().chain([outcome]));
    }
    out.table(&table)
}

/// The key figures over several runs.
fn repeats(report: &RunReport, out: &Output) -> anyhow::Result<()> {
    let runs = &report.repeats;
    let mut table = Table::new(&["figure", ">least", ">median", ">most", ">spread"]);
    let mut row = |name: &str, unit: &str, of: fn(&super::Repeat) -> f64| {
        let Some(spread) = spread(runs, of) else {
            return;
        };
        let [least, median, most] =
            [spread.least, spread.median, spread.most].map(|value| format!("{value:.1} {unit}"));
        let relative = format!("{:.1} %", spread.relative() * 100.0);
        table.row([name.to_owned(), least, median, most, relative]);
    };
    row("decided_per_s", "/s", |run| run.decided_per_s);
    row("placed_per_s", "/s", |run| run.placed_per_s);
    row("p50 of end_to_end", "ms", |run| {
        run.latency_ms.end_to_end.p50
    });
    row("p99 of end_to_end", "ms", |run| {
        run.latency_ms.end_to_end.p99
    });
    let bad = runs
        .iter()
        .filter(|run| run.verdict == Verdict::Broken)
        .count();
    let invalid = runs.iter().filter(|run| !run.valid).count();
    out.line(format_args!(
        "\n{}; all above is of {}",
        counted(runs.len(), "run"),
        if bad > 0 {
            "the first that is broken"
        } else {
            "the median by decided_per_s"
        }
    ))?;
    if bad + invalid > 0 {
        out.line(format_args!("{bad} of them broken, {invalid} invalid"))?;
    }
    out.table(&table)
}

fn told_of(trace: &TraceReport, out: &Output) -> anyhow::Result<()> {
    let skipped: Vec<String> = (trace.skipped.iter())
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    out.line(format_args!(
        "{}: {} = {} + {} merged + {} skipped ({})",
        trace.file,
        many(trace.rows, "row"),
        many(trace.order_lines, "order line"),
        trace.merged,
        trace.skipped.values().sum::<u64>(),
        if skipped.is_empty() {
            "none".to_owned()
        } else {
            skipped.join(", ")
        },
    ))?;
    out.line(
        "what became of each invoice: `--report-file run.json`, or `--json`, under trace.invoices",
    )
}
