//! What an audit of committed state is told as.

use std::collections::BTreeMap;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::inventory::{Check, Checkpoint, Finding};

/// Findings that are listed in JSON; all are counted.
const FINDINGS_MAX: usize = 1_000;

/// The result of auditing committed state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Items checked.
    pub skus: u64,
    /// Whether all orders were checked, covered ones included.
    pub full: bool,
    /// Orders checked.
    pub orders: u64,
    /// The last checkpoint, with the one that this audit has written.
    pub checkpoint: Option<Checkpoint>,
    /// Units sold, in all.
    pub units_sold: u64,
    /// Overdue orders whose verdict the gateway owes.
    pub awaiting_gateway: u64,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
    /// What could not be looked at.
    pub notes: Vec<String>,
    /// Whether some orders were not compared with every store, so that no checkpoint may cover them.
    pub is_partial: bool,
}

impl Report {
    /// How much a check has found.
    pub fn count(&self, check: Check) -> u64 {
        self.findings
            .iter()
            .filter(|finding| finding.check == check)
            .map(|finding| finding.count)
            .sum()
    }

    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.findings.is_empty()
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let invariants: BTreeMap<&str, Option<u64>> = Check::ALL
            .iter()
            .map(|check| match check {
                // Only those who asked know what they were told.
                Check::Undersold | Check::Lost => (check.as_str(), None),
                check => (check.as_str(), Some(self.count(*check))),
            })
            .collect();
        let listed = &self.findings[..self.findings.len().min(FINDINGS_MAX)];
        let mut report = serializer.serialize_struct("Report", 12)?;
        report.serialize_field("ok", &self.is_ok())?;
        report.serialize_field("invariants", &invariants)?;
        report.serialize_field("skus", &self.skus)?;
        report.serialize_field("full", &self.full)?;
        report.serialize_field("orders", &self.orders)?;
        let number = self.checkpoint.map(|checkpoint| checkpoint.number);
        report.serialize_field("checkpoint", &number)?;
        let covered = self.checkpoint.map_or(0, |checkpoint| checkpoint.orders);
        report.serialize_field("covered_orders", &covered)?;
        report.serialize_field("units_sold", &self.units_sold)?;
        report.serialize_field("awaiting_gateway", &self.awaiting_gateway)?;
        report.serialize_field("findings", listed)?;
        report.serialize_field("findings_omitted", &(self.findings.len() - listed.len()))?;
        report.serialize_field("notes", &self.notes)?;
        report.end()
    }
}
