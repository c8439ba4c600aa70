//! D and N: whether clients were told the truth, and whether anybody was refused what was free.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::PAGE;
use super::timeline::{Free, Timeline};
use crate::domain::{Order, OrderId, OrderState, Sku};
use crate::inventory::{Administration, Check, Finding, Inventory, OrderFilter};
use crate::ports::{Error, Ports};
use crate::simulate::{Answer, Plan, Told};

/// A cart counts as free throughout only if it was free for so long before it arrived, too (N).
const FREE_BEFORE: Duration = Duration::from_millis(100);

/// The most corrections read of one item.
const ADJUSTMENTS_MAX: usize = 100_000;

/// Joins committed state with what the clients of a run were told.
///
/// An order's times are taken inside its transaction, before the commit returns. `slack` is the longest that may have
/// taken, as seen in the run: units given back count as free only so much later, units taken as taken at once. So a
/// refusal is found only if the cart was free beyond doubt.
///
/// # Errors
/// When the inventory does not answer.
pub async fn clients<P>(
    ports: &P,
    plan: &Plan,
    told: &[Told],
    slack: Duration,
) -> Result<Vec<Finding>, Error>
where
    P: Ports<Inventory: Administration>,
{
    let mut findings = Vec::new();
    for page in told.chunks(PAGE) {
        let ids = page.iter().map(|told| told.order_id).collect();
        let orders = ports.inventory().orders(ids).await?;
        for (told, order) in page.iter().zip(orders) {
            findings.extend(lie(told, order.as_ref()).map(|detail| Finding {
                check: Check::Lost,
                subject: told.order_id.to_string(),
                detail,
                count: 1,
            }));
        }
    }
    let refused: Vec<&Told> = told
        .iter()
        .filter(|told| told.answer.out_of_stock().is_some())
        .collect();
    findings.extend(undersold(ports, plan, &refused, slack).await?);
    Ok(findings)
}

/// What a client was told that is not so.
fn lie(told: &Told, order: Option<&Order>) -> Option<String> {
    let state = order.map(|order| order.state);
    match (told.answer, state) {
        (Answer::Forgotten, _) => {
            Some("accepted, and then told that there is no such order".to_owned())
        }
        (answer, None) if answer.was_accepted() => {
            Some("accepted, and the database does not know it".to_owned())
        }
        (Answer::Placed, Some(state)) if state != OrderState::Placed => {
            Some(format!("told PLACED, and it is {}", state.status()))
        }
        (Answer::Failed(reason), Some(state)) if state != OrderState::Failed => Some(format!(
            "told FAILED ({reason}), and it is {}",
            state.status()
        )),
        _ => None,
    }
}

async fn undersold<P>(
    ports: &P,
    plan: &Plan,
    refused: &[&Told],
    slack: Duration,
) -> Result<Vec<Finding>, Error>
where
    P: Ports<Inventory: Administration>,
{
    if refused.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: HashSet<Sku> = refused
        .iter()
        .flat_map(|told| plan.cart(told.buyer.into()).lines().to_vec())
        .map(|line| line.sku)
        .collect();
    let free = timelines(ports, wanted, slack).await?;
    let before = i64::try_from(FREE_BEFORE.as_millis()).unwrap_or(i64::MAX);
    let mut findings = Vec::new();
    for told in refused {
        let (from, to) = (told.asked_at.millis() - before, told.answered_at.millis());
        let cart = plan.cart(told.buyer.into());
        let was_free = cart.lines().iter().all(|line| {
            // An item that the audit cannot follow gives nobody reason to complain.
            free.get(&line.sku)
                .is_some_and(|free| free.least(from, to) >= line.quantity.units())
        });
        if was_free {
            let reason = told
                .answer
                .out_of_stock()
                .map_or("", |reason| reason.as_str());
            findings.push(Finding {
                check: Check::Undersold,
                subject: told.order_id.to_string(),
                detail: format!(
                    "refused as {reason} at {}, and all its items were free throughout: {}",
                    told.answered_at,
                    cart.lines()
                        .iter()
                        .map(|line| format!("{} × {}", line.quantity, line.sku))
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
                count: 1,
            });
        }
    }
    Ok(findings)
}

/// What was free of each of these items, and when.
async fn timelines<P>(
    ports: &P,
    wanted: HashSet<Sku>,
    slack: Duration,
) -> Result<HashMap<Sku, Free>, Error>
where
    P: Ports<Inventory: Administration>,
{
    let slack = i64::try_from(slack.as_millis())
        .unwrap_or(i64::MAX)
        .saturating_add(1);
    let mut timelines: HashMap<Sku, Timeline> = wanted
        .into_iter()
        .map(|sku| (sku, Timeline::default()))
        .collect();
    let mut after: Option<OrderId> = None;
    loop {
        let filter = OrderFilter {
            after,
            limit: PAGE,
            ..OrderFilter::default()
        };
        let orders = ports.inventory().find_orders(filter).await?;
        let Some(last) = orders.last() else { break };
        after = Some(last.order_id);
        for order in &orders {
            follow(order, &mut timelines, slack);
        }
    }
    let mut free = HashMap::new();
    let mut after = None;
    loop {
        let page = ports.inventory().items(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(free);
        };
        after = Some(last.level.sku.clone());
        for item in page {
            let Some(mut timeline) = timelines.remove(&item.level.sku) else {
                continue;
            };
            if item.adjusted != 0 {
                let rows = ports
                    .inventory()
                    .adjustments(item.level.sku.clone(), ADJUSTMENTS_MAX)
                    .await?;
                for row in rows {
                    let at = row.at.millis() + if row.by > 0 { slack } else { 0 };
                    timeline.change(at, row.by);
                }
            }
            let finished = timeline.finish(item.initial);
            // Orders of others may have come in meanwhile, or there are more corrections than were read.
            if finished.end() == item.level.available {
                free.insert(item.level.sku, finished);
            }
        }
    }
}

fn follow(order: &Order, timelines: &mut HashMap<Sku, Timeline>, slack: i64) {
    // A refused order never held anything: its hold ended when it was decided.
    if order.hold_until <= order.decided_at {
        return;
    }
    for line in &order.lines {
        let Some(timeline) = timelines.get_mut(&line.sku) else {
            continue;
        };
        let units = line.quantity.units();
        timeline.change(order.decided_at.millis(), -units);
        if let (OrderState::Failed, Some(settled_at)) = (order.state, order.settled_at) {
            timeline.change(settled_at.millis() + slack, units);
        }
    }
}

#[cfg(test)]
mod tests;
