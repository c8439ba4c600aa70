//! A run as one object. Its JSON is a contract; docs/json.md says what each key means.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use super::{Arrivals, Distributions, Fairness, LatencyTable, Series, ThresholdResult};
use crate::domain::{OrderId, Reason};
use crate::inventory::{Check, Finding};
use crate::simulate::{Counts, InvoiceOutcome, Seeded};

/// Findings that are listed; all are counted.
pub const FINDINGS_MAX: usize = 1_000;

/// Everything that a run is told as.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
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
    pub service_ms: LatencyTable,
    /// How honest the generator was.
    pub arrivals: Arrivals,
    /// Whether the figures count: not if the generator was too late too often.
    pub valid: bool,
    /// Thresholds and what came of them.
    pub thresholds: Vec<ThresholdResult>,
    /// Distributions that can be merged.
    pub histograms: Distributions,
    /// The course of the run.
    pub series: Series,
    /// How fair the sale was.
    pub fairness: Fairness,
    /// How often each invariant is broken: 0 when clean.
    pub invariants: Invariants,
    /// Accepted orders whose verdict the gateway owes.
    pub awaiting_gateway: u64,
    /// The most memory this process had in use.
    pub peak_rss_bytes: u64,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether the run was interrupted.
    pub interrupted: bool,
    /// What is wrong, at most 1,000 of it.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub findings_omitted: u64,
    /// What an audit could not look at, and the like.
    pub notes: Vec<String>,
    /// The trace that was replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceReport>,
    /// Orders whose story is worth reading.
    pub examples: Vec<Example>,
    /// How it was run.
    pub settings: RunSettings,
}

/// What became of the orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Invariants(pub BTreeMap<&'static str, u64>);

impl Invariants {
    /// Counts findings.
    pub fn of(findings: &[Finding]) -> Self {
        let mut counts: BTreeMap<_, _> =
            Check::ALL.iter().map(|check| (check.as_str(), 0)).collect();
        for finding in findings {
            *counts.entry(finding.check.as_str()).or_default() += finding.count;
        }
        Self(counts)
    }

    /// Whether all hold.
    pub fn hold(&self) -> bool {
        self.0.values().all(|count| *count == 0)
    }
}

/// Whether everything held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing was oversold, undersold or lost.
    Ok,
    /// An invariant is broken.
    Broken,
}

/// The rows of a trace: rows = order lines + merged + Σ skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    pub skipped: BTreeMap<&'static str, u64>,
    /// Invoices all of whose rows were skipped.
    pub empty_invoices: u64,
    /// What became of each other invoice.
    pub invoices: Vec<InvoiceOutcome>,
}

/// An order whose story is worth reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// What became of it: `placed`, `failed: <reason>`, `refunded`.
    pub outcome: String,
    /// Its id.
    pub order_id: OrderId,
}

/// How a run was made: what another run has to share to be compared with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSettings {
    /// The program's version.
    pub version: &'static str,
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
    /// How much faster than life a trace was replayed.
    pub speed: Option<f64>,
    /// How long items are held, in milliseconds.
    pub hold_ms: u64,
    /// How long `placeOrder` waits, in milliseconds.
    pub wait_ms: u64,
    /// The most buyers under way at once.
    pub in_flight_max: u64,
    /// How late the latest buyer arrived, in milliseconds.
    pub arrival_lag_max_ms: u64,
}
