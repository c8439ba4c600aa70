//! What became of each invoice of a trace.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::told::{Answer, Told};
use crate::domain::{OrderId, OrderState, Reason, Sku};
use crate::inventory::Inventory;
use crate::ports::{Error, Ports};

/// The most orders read at once.
const PAGE: usize = 2_000;

/// One invoice, and what became of it in the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceOutcome {
    /// Its number in the file.
    pub invoice: String,
    /// The last order it became; it was refused under this id if it became none.
    pub order_id: OrderId,
    /// `placed`, `failed`, `refused`, or `unknown` where no answer came.
    pub outcome: Cow<'static, str>,
    /// Why not.
    pub reason: Option<Reason>,
    /// The item at fault, of a cart refused for want of stock.
    pub sku: Option<Sku>,
    /// How many orders it took: returns included.
    pub attempts: u32,
}

/// Tells of each invoice, in the order of the plan.
///
/// # Errors
/// When the inventory does not answer.
pub async fn outcomes<P: Ports>(
    ports: &P,
    plan: &Plan,
    told: &[Told],
    faults: &[(OrderId, Sku)],
) -> Result<Vec<InvoiceOutcome>, Error> {
    let mut attempts: HashMap<u32, Vec<&Told>> = HashMap::new();
    for told in told {
        attempts.entry(told.buyer).or_default().push(told);
    }
    let mut faults: HashMap<OrderId, Sku> = faults.iter().cloned().collect();
    let mut last: Vec<(u32, &Told, u32)> = attempts
        .into_iter()
        .filter_map(|(buyer, told)| {
            let count = u32::try_from(told.len()).unwrap_or(u32::MAX);
            told.into_iter()
                .max_by_key(|told| told.asked_at)
                .map(|told| (buyer, told, count))
        })
        .collect();
    last.sort_by_key(|(buyer, ..)| *buyer);
    let mut outcomes = Vec::with_capacity(last.len());
    for page in last.chunks(PAGE) {
        let ids = page.iter().map(|(_, told, _)| told.order_id).collect();
        let orders = ports.inventory().orders(ids).await?;
        for ((buyer, told, attempts), order) in page.iter().zip(orders) {
            let Some(invoice) = plan.invoice(u64::from(*buyer)) else {
                continue;
            };
            // A row tells more than the client was told: it has the stock that was there.
            let short = order.as_ref().and_then(|order| {
                order
                    .lines
                    .iter()
                    .find(|line| line.available_before < line.quantity.units())
            });
            let status = order.as_ref().map(|order| order.state);
            let (outcome, reason) = match (told.answer, status) {
                (_, Some(OrderState::Placed)) => ("placed", None),
                (_, Some(OrderState::Failed)) => {
                    ("failed", order.as_ref().and_then(|order| order.reason))
                }
                (Answer::Refused(reason), _) => ("refused", Some(reason)),
                _ => ("unknown", None),
            };
            let for_stock = matches!(
                reason,
                Some(Reason::SoldOut | Reason::Held | Reason::UnknownSku)
            );
            outcomes.push(InvoiceOutcome {
                invoice: invoice.number.clone(),
                order_id: told.order_id,
                outcome: Cow::Borrowed(outcome),
                reason,
                sku: faults
                    .remove(&told.order_id)
                    .or_else(|| short.filter(|_| for_stock).map(|line| line.sku.clone())),
                attempts: *attempts,
            });
        }
    }
    Ok(outcomes)
}
