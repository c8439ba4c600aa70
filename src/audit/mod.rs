//! The audit: every invariant, from committed state and from what clients were told. It can say no.
//!
//! [`committed`] checks committed state at any time: the inventory's own checks, joined with the gateway's ledger and the
//! status store. What it has found right it covers with a checkpoint, so that the next audit reads only what is new.
//! [`clients`] checks what only the clients of a run can know: whether they were told the truth, and whether one was
//! refused what was free.

mod clients;
mod gateway;
mod projection;
mod report;
mod timeline;

use std::collections::HashSet;
use std::time::Duration;

pub use clients::clients;
pub use report::Report;

use crate::domain::{OrderId, Timestamp};
use crate::inventory::{
    Administration, AuditReport, AuditRequest, Auditing, Check, Checkpoint, Coverage, Finding,
    GatewayBinding, OrderPages, OrderSink,
};
use crate::payments::{Payments, Verdict};
use crate::ports::{Clock, Error, Ports};
use crate::statuses::ScanStatuses;

/// How many entries of a ledger or a status store are read at once.
const PAGE: usize = 2_000;

/// How long after something looked wrong it is looked at again: several rounds of the sweep.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The most orders at fault beside which the others are covered.
const FAULTS_MAX: usize = 1_000;

/// The ports that an audit reads.
pub trait Audited:
    Ports<Inventory: Administration + Auditing + GatewayBinding, Statuses: ScanStatuses>
{
}

impl<P> Audited for P where
    P: Ports<Inventory: Administration + Auditing + GatewayBinding, Statuses: ScanStatuses>
{
}

/// How far an audit reads.
struct Scope {
    /// When the audit began that wrote the last checkpoint; none if this one reads everything.
    since: Option<Timestamp>,
    /// Whether the caller asked for a full audit.
    is_asked_for: bool,
}

/// What one reading of all stores came to.
struct Look {
    report: Report,
    /// The last checkpoint before it.
    last: Option<Checkpoint>,
    began: Timestamp,
    coverage: Option<Coverage>,
}

/// Checks committed state, and covers what is right with a checkpoint. What is due counts as overdue when late by more
/// than the grace. Where there is no checkpoint yet, everything is read.
///
/// The stores are read one after the other, and others may be at work meanwhile: an order that is placed between two
/// reads contradicts nothing. So what looks wrong is looked at again, and is wrong if it still is.
///
/// # Errors
/// When a port does not answer: an audit that saw only half says nothing.
pub async fn committed<P: Audited>(ports: &P, request: AuditRequest) -> Result<Report, Error> {
    let first = look(ports, request.clone()).await?;
    if first.report.is_ok() {
        return Ok(cover(ports, first).await);
    }
    tokio::time::sleep(LOOK_AGAIN_AFTER).await;
    let seen: HashSet<(Check, String)> = (first.report.findings.into_iter())
        .map(|finding| (finding.check, finding.subject))
        .collect();
    let at_fault: HashSet<OrderId> = seen
        .iter()
        .filter_map(|(_, subject)| subject.parse().ok())
        .take(FAULTS_MAX)
        .collect();
    let again = AuditRequest {
        at_fault: at_fault.iter().copied().collect(),
        ..request
    };
    let mut second = look(ports, again).await?;
    let is_known = |finding: &Finding| {
        let order = finding.subject.parse();
        order.is_ok_and(|order| at_fault.contains(&order))
    };
    if !second.report.findings.iter().all(is_known) {
        second.coverage = None;
    }
    second.report.findings.retain(|finding| {
        let key = (finding.check, finding.subject.clone());
        seen.contains(&key)
    });
    Ok(cover(ports, second).await)
}

/// Writes a checkpoint, if there is anything to cover. That it cannot be written is no fault of what was audited.
async fn cover<P: Audited>(ports: &P, look: Look) -> Report {
    let Look {
        mut report,
        last,
        began,
        coverage,
    } = look;
    report.checkpoint = last;
    let Some(coverage) = coverage.filter(|_| !report.is_partial) else {
        return report;
    };
    let written = Checkpoint {
        number: coverage.number,
        audited_at: began,
        orders: coverage.orders,
    };
    match ports.inventory().cover(coverage, began).await {
        Ok(true) => report.checkpoint = Some(written),
        Ok(false) => report.notes.push(format!(
            "checkpoint {} was written by another audit at the same time",
            written.number
        )),
        Err(error) => report.notes.push(format!(
            "no checkpoint was written, so that the next audit reads the same again: {}",
            error.chain()
        )),
    }
    report
}

async fn look<P: Audited>(ports: &P, request: AuditRequest) -> Result<Look, Error> {
    let began = ports.clock().now();
    let last = ports.inventory().checkpoint().await?;
    let scope = Scope {
        since: last
            .filter(|_| !request.full)
            .map(|checkpoint| checkpoint.audited_at),
        is_asked_for: request.full,
    };
    let request = AuditRequest {
        full: scope.since.is_none(),
        ..request
    };
    let (sink, pages) = OrderSink::channel();
    let (inventory, compared) = tokio::join!(
        ports.inventory().audit(request.clone(), sink),
        compare(ports, &scope, pages)
    );
    let inventory = inventory?;
    let mut report = judge(ports, &inventory).await;
    let mut compared = compared?;
    report.full = request.full;
    report.findings.append(&mut compared.findings);
    report.notes = compared.notes;
    report.is_partial = compared.is_partial;
    Ok(Look {
        report,
        last,
        began,
        coverage: inventory.coverage,
    })
}

/// What the inventory's audit says, with what the gateway says of overdue orders.
async fn judge<P: Ports>(ports: &P, inventory: &AuditReport) -> Report {
    let mut report = Report {
        skus: inventory.skus,
        orders: inventory.orders,
        units_sold: inventory.units_sold,
        findings: inventory.findings.clone(),
        ..Report::default()
    };
    for id in &inventory.overdue {
        match ports.payments().lookup(*id).await {
            Ok(Some(Verdict::Pending)) | Err(_) => report.awaiting_gateway += 1,
            Ok(_) => report.findings.push(Finding {
                check: Check::Stuck,
                subject: id.to_string(),
                detail: "still BLOCK after its hold and the grace".to_owned(),
                count: 1,
            }),
        }
    }
    report
}

/// Compares orders with gateway and status store while the inventory's audit reads them.
async fn compare<P: Audited>(
    ports: &P,
    scope: &Scope,
    mut pages: OrderPages,
) -> Result<Report, Error> {
    let mut report = Report::default();
    // The other stores are read after the moment that the audit of the inventory sees: what it sees, they know.
    let mut next = pages.next().await;
    let mut gateway = gateway::Comparison::begin(ports, scope).await?;
    let mut projection = projection::Comparison::new(scope.since.is_none());
    while let Some(page) = next {
        gateway.compare(ports, &page, &mut report).await?;
        projection.compare(ports, &page, &mut report).await?;
        next = pages.next().await;
    }
    gateway.finish(ports, &mut report).await?;
    projection.finish(ports, &mut report).await?;
    Ok(report)
}
