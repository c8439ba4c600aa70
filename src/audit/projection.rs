//! V: the status store must not contradict the database. Missing or behind is fine: it heals.

use super::{PAGE, Report};
use crate::domain::{OrderId, Status};
use crate::inventory::{Administration, Check, Finding, Inventory, OrderFilter};
use crate::ports::{Error, Ports};
use crate::statuses::{ScanStatuses, StatusEntry, Statuses};

pub(super) async fn check<P>(ports: &P, report: &mut Report) -> Result<(), Error>
where
    P: Ports<Inventory: Administration, Statuses: ScanStatuses>,
{
    let mut after = None;
    loop {
        let filter = OrderFilter {
            after,
            limit: PAGE,
            ..OrderFilter::default()
        };
        let orders = ports.inventory().find_orders(filter).await?;
        let Some(last) = orders.last() else {
            return without_order(ports, report).await;
        };
        after = Some(last.order_id);
        let ids = orders.iter().map(|order| order.order_id).collect();
        let entries = match ports.statuses().get(ids).await {
            Ok(entries) => entries,
            Err(error) => {
                report
                    .notes
                    .push(format!("the status store was not looked at: {error}"));
                return Ok(());
            }
        };
        for (order, entry) in orders.iter().zip(entries) {
            let Some(status) = entry
                .map(|entry| entry.status)
                .filter(|status| status.is_final())
            else {
                continue;
            };
            let row: Status = order.state.status();
            if row != status {
                report.findings.push(Finding {
                    check: Check::Projection,
                    subject: order.order_id.to_string(),
                    detail: format!(
                        "the status store says {status}, the database {row}; `oms statuses rebuild` mends it"
                    ),
                    count: 1,
                });
            }
        }
    }
}

/// Final statuses without an order: the database has lost commits. Statuses are read before orders, so that an order that
/// is placed meanwhile is found.
async fn without_order<P>(ports: &P, report: &mut Report) -> Result<(), Error>
where
    P: Ports<Statuses: ScanStatuses>,
{
    let mut cursor = None;
    loop {
        let (entries, next) = match ports.statuses().scan(cursor, PAGE).await {
            Ok(page) => page,
            Err(error) => {
                let note = format!("the status store was not read through: {}", error.chain());
                report.notes.push(note);
                return Ok(());
            }
        };
        let ended: Vec<(OrderId, StatusEntry)> = (entries.into_iter())
            .filter(|(_, entry)| entry.status.is_final())
            .collect();
        let ids = ended.iter().map(|(id, _)| *id).collect();
        let orders = ports.inventory().orders(ids).await?;
        for ((id, entry), order) in ended.into_iter().zip(orders) {
            if order.is_none() {
                report.findings.push(Finding {
                    check: Check::Projection,
                    subject: id.to_string(),
                    detail: format!(
                        "the status store says {}, and there is no such order: the database has lost it; \
                         `oms recover` decides it again or refunds it",
                        entry.status
                    ),
                    count: 1,
                });
            }
        }
        match next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}
