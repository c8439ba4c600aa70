//! What a run comes to, in words that all outputs share.

use super::{RunReport, Verdict};
use crate::terminal::{grouped, many};

/// What the data says: whether it is as it has to be, and in words.
pub(super) fn words(report: &RunReport) -> (&'static str, String) {
    match report.verdict {
        Verdict::Ok => {
            let open = open(report);
            let (word, rest) = if open.is_empty() {
                let rest = "every order final, every refund executed";
                ("ok", rest.to_owned())
            } else {
                ("ok so far", open.join(", "))
            };
            (word, format!("nothing oversold, undersold or lost; {rest}"))
        }
        Verdict::Broken => {
            let broken: Vec<String> = (report.invariants.0.iter())
                .filter(|(_, count)| **count > 0)
                .map(|(name, count)| format!("{name} {}", grouped(*count)))
                .collect();
            ("BROKEN", broken.join(", "))
        }
    }
}

/// What was not over when the run was: it may still turn out either way.
fn open(report: &RunReport) -> Vec<String> {
    let orders = &report.orders;
    let ended = orders.placed + orders.failed_all() + report.awaiting_gateway;
    let undecided = orders.accepted.saturating_sub(ended);
    let verb = |count: u64, one: &str, many: &str| if count == 1 { one } else { many }.to_owned();
    [
        (
            report.awaiting_gateway,
            "order",
            verb(
                report.awaiting_gateway,
                "awaits the gateway",
                "await the gateway",
            ),
        ),
        (
            undecided,
            "order",
            verb(undecided, "is not final", "are not final"),
        ),
        (
            report.refunds_due,
            "refund",
            verb(report.refunds_due, "is due", "are due"),
        ),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, what, state)| format!("{} {state}", many(count, what)))
    .collect()
}

/// Why the figures do not count, if they do not.
pub(super) fn invalid(report: &RunReport) -> Option<String> {
    (!report.valid).then(|| {
        let arrivals = &report.arrivals;
        format!(
            "{} of {} came more than 100 ms late and {} not at all: the generator was the bottleneck, and the \
             figures say nothing about the service; ask for a lower rate, or use --shard on several machines",
            grouped(arrivals.late),
            many(arrivals.offered, "arrival"),
            grouped(arrivals.dropped),
        )
    })
}

/// A step as people call it.
pub(super) fn step(name: &str) -> &str {
    match name {
        "add_to_cart" => "addToCart",
        "place_order" => "placeOrder",
        "end_to_end" => "end to end",
        other => other,
    }
}

/// Milliseconds with as many digits as say something: `0.31 ms`, `12 ms`, `1.5 s`.
pub(super) fn milliseconds(ms: f64) -> String {
    if ms >= 1_000.0 {
        let s = ms / 1_000.0;
        return if s >= 10.0 {
            format!("{s:.0} s")
        } else {
            format!("{s:.1} s")
        };
    }
    match ms {
        ms if ms >= 10.0 => format!("{ms:.0} ms"),
        ms if ms >= 1.0 => format!("{ms:.1} ms"),
        ms => format!("{ms:.2} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_plain_only_when_everything_is_over() {
        let mut report = crate::report::fixture::report();
        let ended = report.orders.placed + report.orders.failed_all();
        report.orders.accepted = ended;
        let (word, text) = words(&report);
        assert_eq!(word, "ok");
        assert!(
            text.ends_with("every order final, every refund executed"),
            "{text}"
        );
        report.orders.accepted = ended + 51;
        report.awaiting_gateway = 50;
        report.refunds_due = 2;
        let (word, text) = words(&report);
        assert_eq!(word, "ok so far");
        assert_eq!(
            text,
            "nothing oversold, undersold or lost; 50 orders await the gateway, 1 order is not final, 2 refunds are due"
        );
    }

    #[test]
    fn times_have_as_many_digits_as_say_something() {
        for (ms, text) in [
            (0.271, "0.27 ms"),
            (2.71, "2.7 ms"),
            (27.1, "27 ms"),
            (2_710.0, "2.7 s"),
            (27_100.0, "27 s"),
        ] {
            assert_eq!(milliseconds(ms), text);
        }
    }
}
