//! A run against an earlier one of the same settings.

use serde::{Deserialize, Serialize};

use super::{RunReport, Setup, settings};

/// Differences of latencies below this are noise, whatever the share: the clock, a scheduler's turn, a disk's sync.
const LATENCY_FLOOR_MS: f64 = 1.0;

/// What the settings of two versions and two stores may differ in.
const MAY_DIFFER: [&str; 2] = ["version", "store_id"];

/// A run against an earlier one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The name of the baseline, or its file.
    pub baseline: String,
    /// The version it was made with.
    pub version: String,
    /// Changes up to this share are noise.
    pub noise: f64,
    /// Whether any figure is worse by more than the noise.
    pub slower: bool,
    /// Figure by figure.
    pub figures: Vec<Compared>,
}

/// A figure then and now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Its name, such as `p99 of place_order`.
    pub figure: String,
    /// Its unit: `ms` or `/s`.
    pub unit: String,
    /// What it was.
    pub before: f64,
    /// What it is.
    pub now: f64,
    /// By how much it changed, as a share of what it was.
    pub change: f64,
    /// What to make of it.
    pub outcome: Outcome,
}

impl Compared {
    /// Its name, what it was, what it is, and by how much it changed, as people read it.
    pub(super) fn cells(&self) -> [String; 4] {
        let Self {
            figure,
            unit,
            before,
            now,
            change,
            ..
        } = self;
        [
            figure.clone(),
            format!("{before:.1} {unit}"),
            format!("{now:.1} {unit}"),
            format!("{:+.1} %", change * 100.0),
        ]
    }
}

/// What to make of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Within the noise.
    Same,
    /// Better by more than the noise.
    Better,
    /// Worse by more than the noise.
    Worse,
}

impl Outcome {
    /// In a word, the louder the worse.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Better => "better",
            Self::Worse => "WORSE",
        }
    }
}

/// A baseline of other settings.
#[derive(Debug, thiserror::Error)]
#[error("the baseline {baseline} is of other settings: {} (there and here)", differences.join("; "))]
pub struct OtherSettings {
    baseline: String,
    differences: Vec<String>,
}

/// Refuses, before anybody buys, a baseline whose buyers or settings are others.
///
/// # Errors
/// When they are, with each that differs.
pub fn check_setup(
    baseline: &RunReport,
    name: &str,
    setup: Setup<'_>,
) -> Result<(), OtherSettings> {
    let differences = settings::differences(baseline, setup, &MAY_DIFFER);
    if differences.is_empty() {
        return Ok(());
    }
    Err(OtherSettings {
        baseline: name.to_owned(),
        differences,
    })
}

/// Compares throughput and percentiles with a baseline.
///
/// # Errors
/// When its settings are others, with each that differs.
pub fn compare(
    run: &RunReport,
    baseline: &RunReport,
    name: &str,
    noise: f64,
) -> Result<Comparison, OtherSettings> {
    check_setup(baseline, name, run.into())?;
    let mut figures: Vec<Compared> = rates(run)
        .into_iter()
        .zip(rates(baseline))
        .map(|((name, now), (_, before))| compared(name.to_owned(), "/s", before, now, noise))
        .collect();
    for ((step, now), (_, before)) in run
        .latency_ms
        .steps()
        .into_iter()
        .zip(baseline.latency_ms.steps())
    {
        if now.count == 0 || before.count == 0 {
            continue;
        }
        for (percentile, before, now) in [
            ("p50", before.p50, now.p50),
            ("p90", before.p90, now.p90),
            ("p99", before.p99, now.p99),
        ] {
            figures.push(compared(
                format!("{percentile} of {step}"),
                "ms",
                before,
                now,
                noise,
            ));
        }
    }
    Ok(Comparison {
        baseline: name.to_owned(),
        version: baseline.settings.version.clone(),
        noise,
        slower: figures
            .iter()
            .any(|figure| figure.outcome == Outcome::Worse),
        figures,
    })
}

fn rates(run: &RunReport) -> [(&'static str, f64); 2] {
    [
        ("placed_per_s", run.placed_per_s),
        ("decided_per_s", run.decided_per_s),
    ]
}

fn compared(figure: String, unit: &str, before: f64, now: f64, noise: f64) -> Compared {
    let change = if before > 0.0 {
        (now - before) / before
    } else {
        0.0
    };
    let is_latency = unit == "ms";
    let is_noise = change.abs() <= noise || is_latency && (now - before).abs() < LATENCY_FLOOR_MS;
    let outcome = match (is_noise, (change > 0.0) == is_latency) {
        (true, _) => Outcome::Same,
        (false, true) => Outcome::Worse,
        (false, false) => Outcome::Better,
    };
    Compared {
        figure,
        unit: unit.to_owned(),
        before,
        now,
        change,
        outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_run_is_as_fast_as_itself() {
        let run = fixture::report();
        let comparison = compare(&run, &run, "main", 0.0).unwrap();
        assert!(!comparison.slower);
        assert_eq!(comparison.figures.len(), 2 + 3 * 3);
    }

    #[test]
    fn worse_beyond_the_noise_is_slower_and_better_is_not() {
        let baseline = fixture::report();
        let mut run = fixture::report();
        run.decided_per_s *= 0.85;
        assert!(compare(&run, &baseline, "main", 0.10).unwrap().slower);
        assert!(!compare(&run, &baseline, "main", 0.20).unwrap().slower);
        assert!(!compare(&baseline, &run, "main", 0.10).unwrap().slower);
        let mut run = fixture::report();
        run.latency_ms.place_order.p99 *= 1.5;
        let comparison = compare(&run, &baseline, "main", 0.10).unwrap();
        let worse: Vec<&str> = (comparison.figures.iter())
            .filter(|figure| figure.outcome == Outcome::Worse)
            .map(|figure| figure.figure.as_str())
            .collect();
        assert_eq!(worse, ["p99 of place_order"]);
    }

    #[test]
    fn a_fraction_of_a_millisecond_is_noise() {
        let figure = compared("p50".to_owned(), "ms", 0.2, 0.9, 0.1);
        assert_eq!(figure.outcome, Outcome::Same);
    }

    #[test]
    fn other_settings_are_refused_by_name() {
        let baseline = fixture::report();
        let mut run = fixture::report();
        run.settings.hold_ms = 5_000;
        run.users = 3;
        run.settings.in_flight_max = 7;
        assert!(check_setup(&baseline, "main", (&baseline).into()).is_ok());
        run.settings.store_id = uuid::Uuid::from_u128(9);
        let error = compare(&run, &baseline, "main", 0.1)
            .unwrap_err()
            .to_string();
        assert!(error.contains("hold_ms is 600000 and 5000"), "{error}");
        assert!(error.contains("users is 2000 and 3"), "{error}");
        assert!(!error.contains("store_id"), "{error}");
        assert!(!error.contains("in_flight_max"), "{error}");
    }
}
