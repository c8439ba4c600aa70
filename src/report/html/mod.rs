//! x
use super::RunReport;
pub(super) fn page(report: &RunReport) -> String {
    report.plan_digest.clone()
}
