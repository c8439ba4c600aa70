//! The top of the page: what the run comes to, what it had to keep to, and the figures that matter most.

use super::text::{double, escaped, joined, share, whole};
use crate::inventory::Check;
use crate::report::verdict::{self, milliseconds};
use crate::report::{RunReport, Verdict};
use crate::terminal::grouped;

/// Findings shown; the JSON has more.
const FINDINGS_SHOWN: usize = 20;

pub(super) fn verdict(report: &RunReport) -> String {
    let (word, text) = verdict::words(report);
    let class = match report.verdict {
        Verdict::Ok => "good",
        Verdict::Broken => "bad",
    };
    let mut lines = vec![line(class, word, &text, "")];
    if let Some(why) = verdict::invalid(report) {
        lines.push(line("bad", "INVALID", &why, ""));
    }
    if report.interrupted {
        lines.push(line(
            "warn",
            "interrupted",
            "the run was ended before its time",
            "",
        ));
    }
    for result in &report.thresholds {
        let (class, word) = if result.ok {
            ("good", "ok")
        } else {
            ("bad", "missed")
        };
        lines.push(line(class, word, &result.threshold, &result.measured));
    }
    if let Some(comparison) = &report.baseline {
        let (class, word) = if comparison.slower {
            ("bad", "slower")
        } else {
            ("good", "ok")
        };
        let text = format!(
            "against the baseline {} of oms {}",
            comparison.baseline, comparison.version
        );
        let noise = format!("noise up to {:.0} %", comparison.noise * 100.0);
        lines.push(line(class, word, &text, &noise));
    }
    format!(
        "<section class=\"card\"><ul class=\"verdict\">{}</ul>{}</section>\n",
        lines.concat(),
        findings(report)
    )
}

fn line(class: &str, word: &str, text: &str, measured: &str) -> String {
    format!(
        "<li><b class=\"{class}\">{}</b><span>{}</span><em>{}</em></li>",
        escaped(word),
        escaped(text),
        escaped(measured)
    )
}

fn findings(report: &RunReport) -> String {
    let listed = report.findings.iter().take(FINDINGS_SHOWN).map(|finding| {
        format!(
            "<li><b>{}</b> {}: {}</li>",
            finding.check.as_str(),
            escaped(&finding.subject),
            escaped(&finding.detail)
        )
    });
    let notes = (report.notes.iter()).map(|note| format!("<li>{}</li>", escaped(note)));
    let hidden =
        report.findings.len().saturating_sub(FINDINGS_SHOWN) as u64 + report.findings_omitted;
    let more = (hidden > 0).then(|| format!("<li>and {} more</li>", grouped(hidden)));
    let all = joined(listed.chain(more).chain(notes));
    if all.is_empty() {
        return all;
    }
    format!("<ul class=\"findings\">{all}</ul>")
}

/// A figure that matters: its name, the figure itself in a class of its own, and what to know of it.
fn tile(name: &str, (class, value): (&str, &str), note: &str) -> String {
    format!(
        "<div class=\"tile\"><span>{}</span><strong class=\"{class}\">{}</strong><small>{}</small></div>",
        escaped(name),
        escaped(value),
        escaped(note)
    )
}

pub(super) fn tiles(report: &RunReport) -> String {
    let orders = &report.orders;
    let of_accepted = share(double(orders.placed) / double(orders.accepted.max(1)));
    let latency = &report.latency_ms.end_to_end;
    let counts = [Check::Oversold, Check::Undersold, Check::Lost]
        .map(|check| report.invariants.count(check));
    let judged = |is_good| if is_good { "good" } else { "bad" };
    let tiles = [
        tile(
            "placed",
            ("", &grouped(orders.placed)),
            &format!("{of_accepted} of {} accepted", grouped(orders.accepted)),
        ),
        tile(
            "decided per second",
            ("", &whole(report.decided_per_s)),
            &format!("{} placed per second", whole(report.placed_per_s)),
        ),
        tile(
            "end to end, p50",
            ("", &milliseconds(latency.p50)),
            &format!("of {} orders", grouped(latency.count)),
        ),
        tile(
            "end to end, p99",
            ("", &milliseconds(latency.p99)),
            &format!("slowest {}", milliseconds(latency.max)),
        ),
        tile(
            "oversold / undersold / lost",
            (judged(counts == [0; 3]), &counts.map(grouped).join(" / ")),
            "checked in the data",
        ),
        tile(
            "the generator",
            (
                judged(report.valid),
                if report.valid { "kept up" } else { "INVALID" },
            ),
            &format!(
                "{} late, {} left out",
                grouped(report.arrivals.late),
                grouped(report.arrivals.dropped)
            ),
        ),
    ];
    let tiles = joined(tiles);
    format!("<div class=\"tiles\">{tiles}</div>\n")
}
