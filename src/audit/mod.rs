//! The audit: every invariant, from committed state and from what clients were told. It can say no.
//!
//! [`committed`] checks what anybody can check at any time: the inventory's own queries, joined with the gateway's
//! ledger and the status store. [`clients`] checks what only those who asked can know: whether they were told the truth,
//! and whether anybody was refused what was free.

mod clients;
mod gateway;
mod projection;
mod report;
mod timeline;

use std::collections::HashSet;
use std::time::Duration;

pub use clients::clients;
pub use report::Report;

use crate::inventory::{Administration, Auditing, Check, Finding, GatewayBinding};
use crate::payments::{Payments, Verdict};
use crate::ports::{Error, Ports};
use crate::statuses::ScanStatuses;

/// How many orders are read at once.
const PAGE: usize = 2_000;

/// How long after something looked wrong it is looked at again: several rounds of the sweep.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Checks committed state. What is due counts as overdue when late by more than `grace`.
///
/// The stores are read one after the other, and others may be at work meanwhile: an order that is placed between two
/// reads contradicts nothing. So what looks wrong is looked at again, and is wrong if it still is.
///
/// # Errors
/// When a port does not answer: an audit that saw only half says nothing.
pub async fn committed<P>(ports: &P, grace: Duration) -> Result<Report, Error>
where
    P: Ports<Inventory: Administration + Auditing + GatewayBinding, Statuses: ScanStatuses>,
{
    let first = look(ports, grace).await?;
    if first.is_ok() {
        return Ok(first);
    }
    tokio::time::sleep(LOOK_AGAIN_AFTER).await;
    let mut second = look(ports, grace).await?;
    let seen: HashSet<(Check, &str)> = (first.findings.iter())
        .map(|finding| (finding.check, finding.subject.as_str()))
        .collect();
    second
        .findings
        .retain(|finding| seen.contains(&(finding.check, finding.subject.as_str())));
    Ok(second)
}

async fn look<P>(ports: &P, grace: Duration) -> Result<Report, Error>
where
    P: Ports<Inventory: Administration + Auditing + GatewayBinding, Statuses: ScanStatuses>,
{
    let inventory = ports.inventory().audit(grace).await?;
    let mut report = Report {
        skus: inventory.skus,
        orders: inventory.orders,
        units_sold: inventory.units_sold,
        findings: inventory.findings,
        ..Report::default()
    };
    for id in inventory.overdue {
        match ports.payments().lookup(id).await {
            Ok(Some(Verdict::Pending)) | Err(_) => report.awaiting_gateway += 1,
            Ok(_) => report.findings.push(Finding {
                check: Check::Stuck,
                subject: id.to_string(),
                detail: "still BLOCK after its hold and the grace".to_owned(),
                count: 1,
            }),
        }
    }
    gateway::check(ports, &mut report).await?;
    projection::check(ports, &mut report).await?;
    Ok(report)
}
