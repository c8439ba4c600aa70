//! What a run comes to, in words that all outputs share.

use super::{RunReport, Verdict};
use crate::terminal::{grouped, many};

/// What the data says: whether it is as it has to be, and in words.
pub(super) fn words(report: &RunReport) -> (&'static str, String) {
    match report.verdict {
        Verdict::Ok => (
            "ok",
            "nothing oversold, undersold or lost; every order final, every refund executed"
                .to_owned(),
        ),
        Verdict::Broken => {
            let broken: Vec<String> = (report.invariants.0.iter())
                .filter(|(_, count)| **count > 0)
                .map(|(name, count)| format!("{name} {}", grouped(*count)))
                .collect();
            ("BROKEN", broken.join(", "))
        }
    }
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
