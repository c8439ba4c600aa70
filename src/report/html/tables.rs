//! What is best read as a table: steps, outcomes by reason, the baseline, the repeats, the settings.

use super::text::{double, escaped, share, table};
use crate::report::verdict::{milliseconds, step as named};
use crate::report::{Compared, Outcome, Repeat, RunReport, settings, spread};
use crate::terminal::{grouped, many};

fn card(title: &str, reading: &str, body: &str, half: bool) -> String {
    format!(
        "<section class=\"card{}\"><h2>{}</h2><p class=\"reading\">{}</p>{body}</section>\n",
        if half { " half" } else { "" },
        escaped(title),
        escaped(reading)
    )
}

pub(super) fn steps(report: &RunReport) -> String {
    let mut rows = Vec::new();
    for ((step, due), (_, sent)) in report
        .latency_ms
        .steps()
        .into_iter()
        .zip(report.service_ms.steps())
    {
        for (name, of) in [("since due", due), ("since sent", sent)] {
            let mut row = vec![format!("{}, {name}", named(step)), grouped(of.count)];
            row.extend([of.p50, of.p90, of.p99, of.p999, of.max].map(milliseconds));
            rows.push(row);
        }
    }
    let slowest = report
        .latency_ms
        .steps()
        .into_iter()
        .take(2)
        .max_by(|(_, one), (_, other)| one.p99.total_cmp(&other.p99));
    let reading = slowest.map_or_else(String::new, |(step, of)| {
        format!(
            "The slower of the two requests was {}: one in a hundred took more than {}.",
            named(step),
            milliseconds(of.p99)
        )
    });
    let body = table(
        &["step", "count", "p50", "p90", "p99", "p99.9", "max"],
        &rows,
    );
    card("Every step", &reading, &body, false)
}

pub(super) fn reasons(report: &RunReport) -> String {
    let orders = &report.orders;
    let mut rows = vec![vec![
        "placed".to_owned(),
        grouped(orders.placed),
        share(double(orders.placed) / double(orders.accepted.max(1))),
    ]];
    for (what, counts, whole) in [
        ("failed", &orders.failed, orders.accepted),
        ("refused", &orders.refused, report.users),
    ] {
        rows.extend(counts.iter().map(|(reason, count)| {
            let of = share(double(*count) / double(whole.max(1)));
            vec![format!("{what}: {reason}"), grouped(*count), of]
        }));
    }
    let reading = format!(
        "{} sent {}; {} of them became orders.",
        many(report.users, "buyer"),
        many(orders.attempts, "cart"),
        grouped(orders.accepted)
    );
    let body = table(&["outcome", "count", "of orders, or buyers"], &rows);
    card("Why", &reading, &body, true)
}

pub(super) fn baseline(report: &RunReport) -> String {
    let Some(comparison) = &report.baseline else {
        return String::new();
    };
    let rows: Vec<Vec<String>> = comparison.figures.iter().map(compared).collect();
    let worse = comparison
        .figures
        .iter()
        .filter(|figure| figure.outcome == Outcome::Worse)
        .count();
    let reading = format!(
        "{worse} of {} {} worse than the baseline {} by more than {:.0} %.",
        many(rows.len() as u64, "figure"),
        if worse == 1 { "is" } else { "are" },
        comparison.baseline,
        comparison.noise * 100.0
    );
    let body = table(&["figure", "before", "now", "change", "outcome"], &rows);
    card("Against the baseline", &reading, &body, false)
}

fn compared(figure: &Compared) -> Vec<String> {
    let outcome = figure.outcome.word().to_owned();
    figure.cells().into_iter().chain([outcome]).collect()
}

pub(super) fn repeats(report: &RunReport) -> String {
    let runs = &report.repeats;
    let Some(rate) = spread(runs, |run| run.decided_per_s) else {
        return String::new();
    };
    let rows: Vec<Vec<String>> = runs
        .iter()
        .zip(1..)
        .map(|(run, number)| repeated(run, number))
        .collect();
    let reading = format!(
        "Over {} runs the median is {:.0} decided per second, from {:.0} to {:.0}; the rest of this page is of one of them.",
        runs.len(),
        rate.median,
        rate.least,
        rate.most
    );
    let body = table(
        &["run", "decided/s", "placed/s", "placed", "p50", "p99"],
        &rows,
    );
    card("Every run", &reading, &body, false)
}

fn repeated(run: &Repeat, number: usize) -> Vec<String> {
    let latency = &run.latency_ms.end_to_end;
    vec![
        format!("{number}{}", if run.valid { "" } else { " (invalid)" }),
        format!("{:.0}", run.decided_per_s),
        format!("{:.0}", run.placed_per_s),
        grouped(run.placed),
        milliseconds(latency.p50),
        milliseconds(latency.p99),
    ]
}

pub(super) fn settings(report: &RunReport) -> String {
    let mut rows = vec![
        vec!["buyers".to_owned(), grouped(report.users)],
        vec!["seed".to_owned(), report.seed.to_string()],
        vec!["plan".to_owned(), report.plan_digest.clone()],
        vec!["took".to_owned(), format!("{:.2} s", report.elapsed_s)],
        vec![
            "memory at most".to_owned(),
            format!("{} MiB", report.peak_rss_bytes >> 20),
        ],
        vec![
            "processor time".to_owned(),
            format!("{:.2} s", report.processor_s),
        ],
    ];
    let settings = settings::rows(&report.settings).into_iter();
    rows.extend(settings.map(|(name, value)| vec![name, value]));
    card(
        "How it was run",
        "What another run has to share to be compared with this one.",
        &table(&["setting", "value"], &rows),
        true,
    )
}
