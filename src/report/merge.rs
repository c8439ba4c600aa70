//! One honest result of the shards of one storm: counts added, histograms merged, percentiles never averaged.

mod fairness;
mod series;

use std::collections::{BTreeMap, HashMap};

use super::distribution::{self, Unreadable};
use super::{
    Arrivals, Distributions, FINDINGS_MAX, Invariants, LatencyTable, OrderCounts, Percentiles,
    RunReport, Threshold, Verdict, settings,
};
use crate::inventory::Finding;
use crate::simulate::Shard;

/// Items that are told of.
const ITEMS_MAX: usize = 12;

/// Why runs cannot be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// One alone is nothing to merge.
    #[error("there is nothing to merge; name the reports of at least two shards")]
    One,
    /// It is a whole run.
    #[error("{0} is no shard: it was run without --shard, and its buyers would count twice")]
    NoShard(String),
    /// The same buyers would count twice.
    #[error("{one} and {other} are both of shard {shard}")]
    Twice {
        /// A report.
        one: String,
        /// Another.
        other: String,
        /// Their shard.
        shard: Shard,
    },
    /// They are not of one storm.
    #[error("{one} and {other} are not of one storm: {} (there and there)", differences.join("; "))]
    Different {
        /// A report.
        one: String,
        /// Another.
        other: String,
        /// In what they differ.
        differences: Vec<String>,
    },
    /// Without histograms there is nothing but percentiles, and those cannot be added.
    #[error(
        "{0} has no histograms, and percentiles cannot be added; run it again with this version"
    )]
    NoHistograms(String),
    /// A histogram is none.
    #[error("{file}")]
    Histogram {
        /// The report.
        file: String,
        /// Why.
        #[source]
        source: Unreadable,
    },
}

/// A report and the name to call it by.
pub type Named = (String, RunReport);

/// Merges the reports of shards. Their thresholds are held against the result.
///
/// # Errors
/// When they are not different shards of one storm, with the names of those at fault.
pub fn merge(mut runs: Vec<Named>) -> Result<RunReport, MergeError> {
    let shards = check(&runs)?;
    runs.sort_by_key(|(name, _)| shards[name].index());
    let histograms = histograms(&runs)?;
    let offsets = offsets(&runs);
    let series = series::merged(&runs, &offsets)?;
    let all: Vec<&RunReport> = runs.iter().map(|(_, run)| run).collect();
    let elapsed_s = (all.iter().zip(&offsets))
        .map(|(run, offset)| run.elapsed_s + seconds(*offset))
        .fold(0.0, f64::max);
    let orders = orders(&all);
    let per_second = |count: u64| {
        if elapsed_s > 0.0 {
            double(count) / elapsed_s
        } else {
            0.0
        }
    };
    let (findings, invariants) = findings(&all);
    let sum = |of: fn(&RunReport) -> u64| all.iter().map(|run| of(run)).sum();
    let most = |of: fn(&RunReport) -> u64| all.iter().map(|run| of(run)).max().unwrap_or(0);
    let mut merged = RunReport {
        users: sum(|run| run.users),
        started_at: all.iter().map(|run| run.started_at).min().unwrap_or(0),
        elapsed_s,
        units_sold: sum(|run| run.units_sold),
        placed_per_s: per_second(orders.placed),
        decided_per_s: per_second(orders.placed + orders.failed_all()),
        orders,
        latency_ms: table(&histograms, |both| &both.intended)?,
        service_ms: table(&histograms, |both| &both.service)?,
        histograms,
        series,
        arrivals: arrivals(&all),
        valid: all.iter().all(|run| run.valid),
        thresholds: Vec::new(),
        fairness: fairness::merged(&all),
        baseline: None,
        repeats: Vec::new(),
        verdict: if invariants.hold() {
            Verdict::Ok
        } else {
            Verdict::Broken
        },
        invariants,
        // What committed state shows is of the whole store: whoever looked last saw all of it.
        awaiting_gateway: most(|run| run.awaiting_gateway),
        refunds_due: most(|run| run.refunds_due),
        peak_rss_bytes: most(|run| run.peak_rss_bytes),
        processor_s: all.iter().map(|run| run.processor_s).sum(),
        interrupted: all.iter().any(|run| run.interrupted),
        findings_omitted: most(|run| run.findings_omitted)
            + findings.len().saturating_sub(FINDINGS_MAX) as u64,
        findings: findings.into_iter().take(FINDINGS_MAX).collect(),
        notes: notes(&all, &shards),
        command: format!("oms report merge {}", names(&runs)),
        ..all[0].clone()
    };
    merged.settings.shard = (shards.len() as u64
        != shards.values().next().map_or(0, |shard| shard.count()))
    .then(|| listed(&shards));
    merged.settings.in_flight_max = sum(|run| run.settings.in_flight_max);
    merged.settings.arrival_lag_max_ms = most(|run| run.settings.arrival_lag_max_ms);
    judge_again(&mut merged, &all);
    Ok(merged)
}

/// Makes sure that they are different shards of one storm; the shard of each.
fn check(runs: &[Named]) -> Result<BTreeMap<String, Shard>, MergeError> {
    let [first, _, ..] = runs else {
        return Err(MergeError::One);
    };
    let mut shards = BTreeMap::new();
    let mut owners: HashMap<u64, &str> = HashMap::new();
    for (name, run) in runs {
        let shard = run
            .settings
            .shard
            .as_deref()
            .and_then(|text| text.parse().ok());
        let shard: Shard = shard.ok_or_else(|| MergeError::NoShard(name.clone()))?;
        let mut differences = settings::differences(&first.1, run, &["shard", "users"]);
        let count_of_first = first
            .1
            .settings
            .shard
            .as_deref()
            .and_then(|text| text.split_once('/'));
        if count_of_first.is_some_and(|(_, count)| count != shard.count().to_string()) {
            differences.push("they are shards of different numbers of shards".to_owned());
        }
        if !differences.is_empty() {
            return Err(MergeError::Different {
                one: first.0.clone(),
                other: name.clone(),
                differences,
            });
        }
        if let Some(one) = owners.insert(shard.index(), name) {
            return Err(MergeError::Twice {
                one: one.to_owned(),
                other: name.clone(),
                shard,
            });
        }
        let answered = run
            .latency_ms
            .steps()
            .iter()
            .any(|(_, step)| step.count > 0);
        if answered && run.histograms.is_empty() {
            return Err(MergeError::NoHistograms(name.clone()));
        }
        shards.insert(name.clone(), shard);
    }
    Ok(shards)
}

/// How long after the first one each began, in milliseconds; 0 where that was not written down.
fn offsets(runs: &[Named]) -> Vec<u64> {
    let first = runs
        .iter()
        .map(|(_, run)| run.started_at)
        .min()
        .unwrap_or(0);
    runs.iter()
        .map(|(_, run)| {
            if first == 0 {
                0
            } else {
                run.started_at - first
            }
        })
        .collect()
}

fn histograms(runs: &[Named]) -> Result<Distributions, MergeError> {
    let mut merged = Distributions::new();
    for (name, run) in runs {
        for (step, part) in &run.histograms {
            let sum = merged.entry(step.clone()).or_default();
            *sum = sum.plus(part).map_err(|source| MergeError::Histogram {
                file: name.clone(),
                source,
            })?;
        }
    }
    Ok(merged)
}

fn table(
    histograms: &Distributions,
    which: fn(&super::Distribution) -> &String,
) -> Result<LatencyTable, MergeError> {
    let row = |step: &str| match histograms.get(step) {
        None => Ok(Percentiles::default()),
        Some(both) => distribution::decode(which(both))
            .map(|histogram| Percentiles::from(&histogram))
            .map_err(|source| MergeError::Histogram {
                file: step.to_owned(),
                source,
            }),
    };
    Ok(LatencyTable {
        add_to_cart: row("add_to_cart")?,
        place_order: row("place_order")?,
        end_to_end: row("end_to_end")?,
    })
}

fn orders(all: &[&RunReport]) -> OrderCounts {
    let mut sum = OrderCounts::default();
    for OrderCounts {
        accepted,
        placed,
        refused,
        failed,
        attempts,
        returned,
        gave_up_held,
        in_doubt,
        errors,
    } in all.iter().map(|run| &run.orders)
    {
        sum.accepted += accepted;
        sum.placed += placed;
        sum.attempts += attempts;
        sum.returned += returned;
        sum.gave_up_held += gave_up_held;
        sum.in_doubt += in_doubt;
        sum.errors += errors;
        for (sum, part) in [(&mut sum.refused, refused), (&mut sum.failed, failed)] {
            for (reason, count) in part {
                *sum.entry(*reason).or_default() += count;
            }
        }
    }
    sum
}

fn arrivals(all: &[&RunReport]) -> Arrivals {
    let mut sum = Arrivals {
        model: all[0].arrivals.model.clone(),
        ..Arrivals::default()
    };
    for part in all.iter().map(|run| &run.arrivals) {
        sum.offered += part.offered;
        sum.late += part.late;
        sum.dropped += part.dropped;
        sum.warmed_up += part.warmed_up;
        sum.lag_max_ms = sum.lag_max_ms.max(part.lag_max_ms);
    }
    sum
}

/// Every finding once, though every shard audits the whole store; and the counts that follow, of which none is below
/// what a shard counted with findings that it had no room to list.
fn findings(all: &[&RunReport]) -> (Vec<Finding>, Invariants) {
    let mut once: Vec<Finding> = Vec::new();
    let mut known: HashMap<(&'static str, &str), usize> = HashMap::new();
    for finding in all.iter().flat_map(|run| &run.findings) {
        match known.get(&(finding.check.as_str(), finding.subject.as_str())) {
            Some(&at) => once[at].count = once[at].count.max(finding.count),
            None => {
                known.insert((finding.check.as_str(), &finding.subject), once.len());
                once.push(finding.clone());
            }
        }
    }
    let mut invariants = Invariants::of(&once);
    for (name, count) in all.iter().flat_map(|run| &run.invariants.0) {
        let merged = invariants.0.entry(name.clone()).or_default();
        *merged = (*merged).max(*count);
    }
    (once, invariants)
}

fn notes(all: &[&RunReport], shards: &BTreeMap<String, Shard>) -> Vec<String> {
    let mut notes: Vec<String> = all.iter().flat_map(|run| run.notes.clone()).collect();
    notes.sort_unstable();
    notes.dedup();
    notes.push(format!(
        "merged from shards {}; inversions are between buyers of one shard",
        listed(shards)
    ));
    if all.iter().any(|run| run.started_at == 0) {
        notes.push(
            "a report does not say when it began: all are taken to have begun at once".to_owned(),
        );
    }
    let count = shards.values().next().map_or(0, |shard| shard.count());
    let missing: Vec<String> = (1..=count)
        .filter(|index| shards.values().all(|shard| shard.index() != *index))
        .map(|index| format!("{index}/{count}"))
        .collect();
    if !missing.is_empty() {
        notes.push(format!("shards {} are missing", missing.join(", ")));
    }
    notes
}

/// `1+2+4/4`.
fn listed(shards: &BTreeMap<String, Shard>) -> String {
    let mut indices: Vec<u64> = shards.values().map(|shard| shard.index()).collect();
    indices.sort_unstable();
    let indices: Vec<String> = indices.iter().map(ToString::to_string).collect();
    let count = shards.values().next().map_or(0, |shard| shard.count());
    format!("{}/{count}", indices.join("+"))
}

fn names(runs: &[Named]) -> String {
    let names: Vec<String> = runs
        .iter()
        .map(|(name, _)| crate::terminal::quoted(name))
        .collect();
    names.join(" ")
}

/// What the shards had to keep to, held against the whole.
fn judge_again(merged: &mut RunReport, all: &[&RunReport]) {
    let mut texts: Vec<&str> = Vec::new();
    for result in all.iter().flat_map(|run| &run.thresholds) {
        if !texts.contains(&result.threshold.as_str()) {
            texts.push(&result.threshold);
        }
    }
    merged.thresholds = texts
        .into_iter()
        .filter_map(|text| text.parse::<Threshold>().ok())
        .map(|threshold| threshold.judge(merged))
        .collect();
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run fit a double exactly"
)]
fn double(count: u64) -> f64 {
    count as f64
}

fn seconds(ms: u64) -> f64 {
    double(ms) / 1_000.0
}

#[cfg(test)]
mod tests;
