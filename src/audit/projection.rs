//! V: the status store must not contradict the database. Missing or behind is fine: it heals.

use super::{PAGE, Report};
use crate::domain::Status;
use crate::inventory::{Administration, Check, Finding, OrderFilter};
use crate::ports::{Error, Ports};
use crate::statuses::Statuses;

pub(super) async fn check<P>(ports: &P, report: &mut Report) -> Result<(), Error>
where
    P: Ports<Inventory: Administration>,
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
            return Ok(());
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
