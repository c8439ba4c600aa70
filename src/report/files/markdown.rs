//! A run as Markdown, for pull requests: the verdict, what was asked for, the figures, the command.

use std::fmt::Write as _;

use crate::report::markup::cell;
use crate::report::{Outcome, RunReport, settings, verdict};
use crate::terminal::{grouped, many};

/// Findings shown; the JSON has more.
const FINDINGS_SHOWN: usize = 10;

pub(super) fn text(report: &RunReport) -> String {
    let mut md = String::new();
    // Writing to a string cannot fail.
    let _ = head(&mut md, report);
    let _ = thresholds(&mut md, report);
    let _ = baseline(&mut md, report);
    let _ = figures(&mut md, report);
    md
}

fn head(md: &mut String, report: &RunReport) -> std::fmt::Result {
    let (word, text) = verdict::words(report);
    writeln!(md, "# Storm: {word}\n\n{text}.")?;
    if let Some(why) = verdict::invalid(report) {
        writeln!(md, "\n**INVALID**: {why}.")?;
    }
    if report.interrupted {
        writeln!(md, "\nThe run was interrupted.")?;
    }
    if !report.findings.is_empty() {
        writeln!(md)?;
    }
    for finding in report.findings.iter().take(FINDINGS_SHOWN) {
        let name = finding.check.as_str();
        writeln!(
            md,
            "- {name}: {}: {}",
            cell(&finding.subject),
            cell(&finding.detail)
        )?;
    }
    for note in &report.notes {
        writeln!(md, "\nNote: {}.", cell(note))?;
    }
    Ok(())
}

fn thresholds(md: &mut String, report: &RunReport) -> std::fmt::Result {
    if report.thresholds.is_empty() {
        return Ok(());
    }
    writeln!(md, "\n| threshold | measured | |\n|---|---|---|")?;
    for result in &report.thresholds {
        let outcome = if result.ok { "ok" } else { "**missed**" };
        writeln!(
            md,
            "| {} | {} | {outcome} |",
            cell(&result.threshold),
            cell(&result.measured)
        )?;
    }
    Ok(())
}

fn baseline(md: &mut String, report: &RunReport) -> std::fmt::Result {
    let Some(comparison) = &report.baseline else {
        return Ok(());
    };
    let outcome = if comparison.slower {
        "**slower** than"
    } else {
        "no slower than"
    };
    writeln!(
        md,
        "\nIt is {outcome} the baseline {} (noise up to {:.0} %).\n\n| figure | before | now | change | |\n|---|---:|---:|---:|---|",
        cell(&comparison.baseline),
        comparison.noise * 100.0
    )?;
    for figure in &comparison.figures {
        let word = match figure.outcome {
            Outcome::Same => "",
            Outcome::Better => "better",
            Outcome::Worse => "**worse**",
        };
        writeln!(md, "| {} | {word} |", figure.cells().join(" | "))?;
    }
    Ok(())
}

fn figures(md: &mut String, report: &RunReport) -> std::fmt::Result {
    let orders = &report.orders;
    writeln!(
        md,
        "\n{} sent {} in {:.2} s: {}, {} placed, {} failed; {} refused; {:.0} decided/s.",
        many(report.users, "buyer"),
        many(orders.attempts, "cart"),
        report.elapsed_s,
        many(orders.accepted, "order"),
        grouped(orders.placed),
        grouped(orders.failed_all()),
        many(orders.refused_all(), "buyer"),
        report.decided_per_s,
    )?;
    writeln!(
        md,
        "\n| step | p50 | p90 | p99 | p99.9 | max |\n|---|---:|---:|---:|---:|---:|"
    )?;
    for (step, of) in report.latency_ms.steps() {
        let [p50, p90, p99, p999, max] =
            [of.p50, of.p90, of.p99, of.p999, of.max].map(verdict::milliseconds);
        writeln!(
            md,
            "| {} | {p50} | {p90} | {p99} | {p999} | {max} |",
            verdict::step(step)
        )?;
    }
    writeln!(
        md,
        "\nSeed {}, plan `{}`, oms {}{}. To repeat it:\n\n```sh\n{}\n```",
        report.seed,
        cell(&report.plan_digest),
        cell(&report.settings.version),
        load(report),
        report.command.replace("```", "` ` `"),
    )
}

/// What makes the load, after a semicolon; nothing for a plain run.
fn load(report: &RunReport) -> String {
    let load = settings::load(&report.settings);
    if load.is_empty() {
        return String::new();
    }
    let words: Vec<String> = (load.iter())
        .map(|(name, value)| format!("{} {}", name.replace('_', "-"), cell(value)))
        .collect();
    format!("; {}", words.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{compare, fixture};

    #[test]
    fn the_verdict_comes_first_and_the_command_last() {
        let report = fixture::report();
        let md = text(&report);
        assert!(md.starts_with("# Storm: ok\n"), "{md}");
        assert!(
            md.ends_with("```sh\noms simulate --users 2000 --seed 7\n```\n"),
            "{md}"
        );
        assert!(md.contains("| undersold==0 | 0 | ok |"), "{md}");
        assert!(md.contains("| failed&lt;25% |"), "{md}");
    }

    #[test]
    fn the_load_is_said_where_it_is_not_plain() {
        let mut report = fixture::report();
        assert!(text(&report).contains(", oms 0.1.0. To repeat it:"));
        report.settings.load.rate = Some("300/s".to_owned());
        report.settings.load.restock = vec!["3s:A|B:+5".to_owned(), "4s:C:-1".to_owned()];
        let md = text(&report);
        assert!(
            md.contains(", oms 0.1.0; rate 300/s; restock 3s:A\\|B:+5, 4s:C:-1. To repeat it:"),
            "{md}"
        );
    }

    #[test]
    fn what_is_wrong_is_said_loudly() {
        let mut report = fixture::report();
        report.valid = false;
        report.thresholds[0].ok = false;
        let mut slow = fixture::report();
        slow.decided_per_s *= 2.0;
        report.baseline = Some(compare(&report, &slow, "a|b", 0.1).unwrap());
        let md = text(&report);
        for text in [
            "**INVALID**",
            "**missed**",
            "**slower** than the baseline a\\|b",
            "**worse**",
        ] {
            assert!(md.contains(text), "{text}: {md}");
        }
    }
}
