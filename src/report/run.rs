//! A run as one object. Its JSON is a contract; docs/json.md says what each key means.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Arrivals, Comparison, Distributions, Fairness, LatencyTable, LoadSettings, Repeat, Series,
    ThresholdResult,
};
use crate::domain::{OrderId, Reason};
use crate::inventory::{Check, Finding};
use crate::simulate::{Counts, InvoiceOutcome, Seeded};

/// Findings that are listed; all are counted.
pub const FINDINGS_MAX: usize = 1_000;

/// Everything that a run is told as. Reads back what earlier versions wrote: they lack the keys with a default.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunReport {
    /// The command that repeats it, quoted for a shell, without passwords.
    #[serde(default)]
    pub command: String,
    /// When the first buyer could come, in Unix milliseconds; 0 where that was not written down.
    #[serde(default)]
    pub started_at: u64,
    /// Buyers.
    pub users: u64,
    /// The seed of buyers and carts.
    pub seed: u64,
    /// A hash of arrivals, carts and behaviour: equal for equal seeds and settings.
    pub plan_digest: String,
    /// From the first arrival to the last order that became final, in seconds.
    pub elapsed_s: f64,
    /// What became of the orders.
    pub orders: OrderCounts,
    /// Units in orders placed by this run.
    pub units_sold: u64,
    /// Orders placed per second.
    pub placed_per_s: f64,
    /// Orders placed or failed per second.
    pub decided_per_s: f64,
    /// Latencies in milliseconds.
    pub latency_ms: LatencyTable,
    /// The same from when each was sent, not from when it was due.
    #[serde(default)]
    pub service_ms: LatencyTable,
    /// How honest the generator was.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// Whether the figures count: not if the generator was too late too often.
    #[serde(default = "yes")]
    pub valid: bool,
    /// Thresholds and what came of them.
    #[serde(default)]
    pub thresholds: Vec<ThresholdResult>,
    /// Distributions that can be merged.
    #[serde(default)]
    pub histograms: Distributions,
    /// The course of the run.
    #[serde(default)]
    pub series: Series,
    /// How fair the sale was.
    #[serde(default)]
    pub fairness: Fairness,
    /// What it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Comparison>,
    /// The key figures of every run, where there were several; all else is of one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeats: Vec<Repeat>,
    /// How often each invariant is broken: 0 when clean.
    pub invariants: Invariants,
    /// Accepted orders whose verdict the gateway owes.
    #[serde(default)]
    pub awaiting_gateway: u64,
    /// Refunds that were due and not executed when the run was over.
    #[serde(default)]
    pub refunds_due: u64,
    /// The most memory this process had in use.
    #[serde(default)]
    pub peak_rss_bytes: u64,
    /// Processor time that this process used while buyers came and were served, in seconds, to 10 ms: of the generator
    /// where a service is stormed, of all that is embedded where it runs in this process.
    #[serde(default)]
    pub processor_s: f64,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether the run was interrupted.
    #[serde(default)]
    pub interrupted: bool,
    /// What is wrong, at most 1,000 of it.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    #[serde(default)]
    pub findings_omitted: u64,
    /// What an audit could not look at, and the like.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The trace that was replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceReport>,
    /// Orders whose story is worth reading.
    #[serde(default)]
    pub examples: Vec<Example>,
    /// How it was run.
    pub settings: RunSettings,
}

const fn yes() -> bool {
    true
}

/// What became of the orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderCounts {
    /// Accepted: placed + failed, and those that never became final.
    pub accepted: u64,
    /// Placed.
    pub placed: u64,
    /// Buyers who were refused at once and left, by reason.
    pub refused: BTreeMap<Reason, u64>,
    /// Failed, by reason.
    pub failed: BTreeMap<Reason, u64>,
    /// Carts sent, returns included.
    pub attempts: u64,
    /// Returns of buyers who had been told `held`.
    pub returned: u64,
    /// Buyers who were told `held` once more than they come back: waste, not a fault.
    pub gave_up_held: u64,
    /// Carts to which no answer came, and which are in no order.
    pub in_doubt: u64,
    /// Requests that failed and were tried again.
    pub errors: u64,
}

impl OrderCounts {
    /// Accepted orders that failed, for whatever reason.
    pub fn failed_all(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Buyers who were refused at once and left, for whatever reason.
    pub fn refused_all(&self) -> u64 {
        self.refused.values().sum()
    }
}

impl From<&Counts> for OrderCounts {
    fn from(counts: &Counts) -> Self {
        let by_reason = |counts: &[u64]| {
            Reason::ALL
                .iter()
                .zip(counts)
                .filter(|(_, count)| **count > 0)
                .map(|(reason, count)| (*reason, *count))
                .collect()
        };
        Self {
            accepted: counts.accepted,
            placed: counts.placed,
            refused: by_reason(&counts.refused),
            failed: by_reason(&counts.failed),
            attempts: counts.attempts,
            returned: counts.returned,
            gave_up_held: counts.gave_up_held,
            in_doubt: counts.in_doubt,
            errors: 0,
        }
    }
}

/// How often each invariant is broken; a key for every check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Invariants(pub BTreeMap<String, u64>);

impl Invariants {
    /// Counts findings.
    pub fn of(findings: &[Finding]) -> Self {
        let mut counts: BTreeMap<String, u64> = (Check::ALL.iter())
            .map(|check| (check.as_str().to_owned(), 0))
            .collect();
        for finding in findings {
            *counts.entry(finding.check.as_str().to_owned()).or_default() += finding.count;
        }
        Self(counts)
    }

    /// How often a check failed.
    pub fn count(&self, check: Check) -> u64 {
        self.0.get(check.as_str()).copied().unwrap_or(0)
    }

    /// Whether all hold.
    pub fn hold(&self) -> bool {
        self.0.values().all(|count| *count == 0)
    }
}

/// Whether everything held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing was oversold, undersold or lost.
    Ok,
    /// An invariant is broken.
    Broken,
}

/// The rows of a trace: rows = order lines + merged + Σ skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceReport {
    /// The file.
    pub file: String,
    /// CSV records after the header.
    pub rows: u64,
    /// Rows that became a line of a cart.
    pub order_lines: u64,
    /// Rows whose SKU was in the same cart already.
    pub merged: u64,
    /// Rows that became nothing, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Invoices all of whose rows were skipped.
    pub empty_invoices: u64,
    /// What became of each other invoice.
    pub invoices: Vec<InvoiceOutcome>,
}

/// An order whose story is worth reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// What became of it: `placed`, `failed: <reason>`, `refunded`.
    pub outcome: String,
    /// Its id.
    pub order_id: OrderId,
}

/// How a run was made: what another run has to share to be compared with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunSettings {
    /// The program's version.
    pub version: String,
    /// The store that was stormed.
    pub store_id: Uuid,
    /// `in-process`, or the URL of the service.
    pub target: String,
    /// The gateway, as given.
    pub payment_url: String,
    /// Whether this process had a worker.
    pub worker: bool,
    /// Items for sale.
    pub items: u64,
    /// What was done to the catalogue before.
    pub seeded: Option<Seeded>,
    /// The exponent of popularity; none for a trace.
    pub zipf: Option<f64>,
    /// Different items per cart.
    pub lines: Option<String>,
    /// Units per line.
    pub quantity: Option<String>,
    /// How often a buyer who was told `held` comes back.
    pub come_back: u32,
    /// Over how long arrivals were spread, in milliseconds.
    pub ramp_ms: u64,
    /// What makes the load beside that: rate, stages, behaviour, corrections of stock.
    #[serde(flatten)]
    pub load: LoadSettings,
    /// How much faster than life a trace was replayed.
    pub speed: Option<f64>,
    /// How long items are held, in milliseconds.
    pub hold_ms: u64,
    /// How long `placeOrder` waits, in milliseconds.
    pub wait_ms: u64,
    /// The most buyers that were let under way at once, if that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
    /// The most buyers under way at once, as found.
    pub in_flight_max: u64,
    /// Which part of the buyers came, such as `1/4`; none if all did.
    pub shard: Option<String>,
    /// How late the latest buyer arrived, in milliseconds.
    pub arrival_lag_max_ms: u64,
}
