//! A run as JUnit XML: a test case per invariant and per threshold, for pull requests.

use std::fmt::Write as _;

use crate::report::markup::escaped;
use crate::report::{Compared, Outcome, RunReport, verdict};
use crate::terminal::grouped;

/// Findings told with a failed invariant.
const FINDINGS_SHOWN: usize = 20;

struct Case {
    group: &'static str,
    name: String,
    /// In short, and at length.
    failure: Option<(String, String)>,
}

pub(super) fn text(report: &RunReport) -> String {
    let cases = cases(report);
    let failures = cases.iter().filter(|case| case.failure.is_some()).count();
    let numbers = format!(
        "name=\"oms simulate\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{:.3}\"",
        cases.len(),
        report.elapsed_s
    );
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {numbers}>\n  <testsuite {numbers}>\n"
    );
    for case in &cases {
        // Writing to a string cannot fail.
        let _ = write!(
            xml,
            "    <testcase classname=\"{}\" name=\"{}\" time=\"0\"",
            case.group,
            escaped(&case.name)
        );
        let _ = match &case.failure {
            None => writeln!(xml, "/>"),
            Some((short, long)) => writeln!(
                xml,
                ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                escaped(short),
                escaped(long)
            ),
        };
    }
    let _ = writeln!(
        xml,
        "    <system-out>{}</system-out>\n  </testsuite>\n</testsuites>",
        escaped(&report.command)
    );
    xml
}

fn cases(report: &RunReport) -> Vec<Case> {
    let invariants = report.invariants.0.iter().map(|(name, count)| Case {
        group: "invariants",
        name: name.clone(),
        failure: (*count > 0).then(|| {
            (
                format!("{name}: {}", grouped(*count)),
                findings(report, name),
            )
        }),
    });
    let thresholds = report.thresholds.iter().map(|result| Case {
        group: "thresholds",
        name: result.threshold.clone(),
        failure: (!result.ok).then(|| (format!("measured {}", result.measured), String::new())),
    });
    let baseline = report.baseline.iter().flat_map(|comparison| {
        comparison.figures.iter().map(|figure| Case {
            group: "baseline",
            name: figure.figure.clone(),
            failure: (figure.outcome == Outcome::Worse)
                .then(|| (then_and_now(figure), String::new())),
        })
    });
    let valid = Case {
        group: "run",
        name: "the generator kept up".to_owned(),
        failure: verdict::invalid(report).map(|why| (why, String::new())),
    };
    invariants
        .chain(thresholds)
        .chain(baseline)
        .chain([valid])
        .collect()
}

fn then_and_now(figure: &Compared) -> String {
    let [_, before, now, _] = figure.cells();
    format!("{now} instead of {before}")
}

fn findings(report: &RunReport, check: &str) -> String {
    let all = report
        .findings
        .iter()
        .filter(|finding| finding.check.as_str() == check);
    let lines: Vec<String> = all
        .take(FINDINGS_SHOWN)
        .map(|finding| format!("{}: {}", finding.subject, finding.detail))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Check, Finding};
    use crate::report::{Invariants, fixture};

    #[test]
    fn there_is_a_case_per_invariant_and_per_threshold() {
        let report = fixture::report();
        let xml = text(&report);
        let cases = Check::ALL.len() + report.thresholds.len() + 1;
        assert_eq!(xml.matches("<testcase ").count(), cases, "{xml}");
        assert!(
            xml.contains(&format!("tests=\"{cases}\" failures=\"0\"")),
            "{xml}"
        );
        assert!(xml.contains("name=\"failed&lt;25%\""), "{xml}");
    }

    #[test]
    fn what_failed_says_why_and_cannot_break_out() {
        let mut report = fixture::report();
        report.findings = vec![Finding {
            check: Check::Oversold,
            subject: "</failure>\u{1b}&\"".to_owned(),
            detail: "sold 11 of 10".to_owned(),
            count: 1,
        }];
        report.invariants = Invariants::of(&report.findings);
        report.thresholds[1].ok = false;
        report.valid = false;
        let xml = text(&report);
        assert!(xml.contains("failures=\"3\""), "{xml}");
        assert_eq!(xml.matches("</failure>").count(), 3, "{xml}");
        assert!(
            xml.contains("sold 11 of 10") && !xml.contains('\u{1b}'),
            "{xml}"
        );
    }
}
