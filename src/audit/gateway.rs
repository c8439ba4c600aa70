//! P and U: the gateway's ledger against the orders. Both are read in the order of their ids, side by side.

use super::{PAGE, Report};
use crate::domain::{Money, Order, OrderId, OrderState, Timestamp};
use crate::inventory::{Administration, Check, Finding, GatewayBinding, OrderFilter, Refund};
use crate::payments::{LedgerEntry, Payments, Verdict};
use crate::ports::{Error, Ports};
use crate::terminal::counted;

/// Placed orders looked up one by one where the gateway cannot be listed.
const LOOKED_UP_MAX: usize = 1_000;

/// Since when the first gateway of a store vouches for its payments.
const FIRST: Timestamp = Timestamp::from_millis(i64::MIN);

pub(super) async fn check<P>(ports: &P, report: &mut Report) -> Result<(), Error>
where
    P: Ports<Inventory: Administration + GatewayBinding>,
{
    let since = (ports.inventory().gateway().await?).map_or(FIRST, |record| record.since);
    let Some(first) = ports.payments().ledger(None, PAGE).await? else {
        return look_up(ports, since, report).await;
    };
    let mut earlier = 0_u64;
    let mut ledger = Pages {
        page: first.into_iter(),
        after: None,
        done: false,
    };
    let mut after = None;
    let mut entry = ledger.next(ports).await?;
    loop {
        let filter = OrderFilter {
            after,
            limit: PAGE,
            ..OrderFilter::default()
        };
        let orders = ports.inventory().find_orders(filter).await?;
        let Some(last) = orders.last() else { break };
        after = Some(last.order_id);
        for order in orders {
            while let Some(unknown) = entry.take_if(|entry| entry.order_id < order.order_id) {
                without_order(&unknown, report);
                entry = ledger.next(ports).await?;
            }
            let own = entry.take_if(|entry| entry.order_id == order.order_id);
            if own.is_none() && order.decided_at < since {
                earlier += 1;
            } else {
                compare(ports, &order, own.as_ref(), report).await?;
            }
            if own.is_some() {
                entry = ledger.next(ports).await?;
            }
        }
    }
    while let Some(unknown) = entry {
        without_order(&unknown, report);
        entry = ledger.next(ports).await?;
    }
    note_earlier(earlier, report);
    Ok(())
}

/// Says how many orders were left out, since they were decided before the store moved to this gateway.
fn note_earlier(orders: u64, report: &mut Report) {
    if orders > 0 {
        report.notes.push(format!(
            "{} decided before the store moved to this gateway: {} not compared with it",
            counted(orders, "order"),
            if orders == 1 { "it was" } else { "they were" },
        ));
    }
}

/// The ledger, page by page.
struct Pages {
    page: std::vec::IntoIter<LedgerEntry>,
    after: Option<OrderId>,
    done: bool,
}

impl Pages {
    async fn next<P: Ports>(&mut self, ports: &P) -> Result<Option<LedgerEntry>, Error> {
        if self.page.len() == 0 && !self.done {
            let page = match self.after {
                None => Vec::new(),
                after => ports
                    .payments()
                    .ledger(after, PAGE)
                    .await?
                    .unwrap_or_default(),
            };
            self.done = page.is_empty();
            self.page = page.into_iter();
        }
        let entry = self.page.next();
        if let Some(entry) = &entry {
            self.after = Some(entry.order_id);
        }
        Ok(entry)
    }
}

fn find(report: &mut Report, check: Check, id: OrderId, detail: String) {
    report.findings.push(Finding {
        check,
        subject: id.to_string(),
        detail,
        count: 1,
    });
}

/// A key without an order: a fence, or a charge whose order the database has lost.
fn without_order(entry: &LedgerEntry, report: &mut Report) {
    if entry.captured > entry.refunded {
        let detail = format!("paid {}, and there is no such order", entry.captured);
        find(report, Check::Unpaid, entry.order_id, detail);
    }
}

/// What the gateway did under one key: nothing, if it does not know it.
#[derive(Clone, Copy)]
struct Done {
    captured: Money,
    captures: u64,
    refunded: Money,
    refunds: u64,
}

impl Done {
    fn of(entry: Option<&LedgerEntry>) -> Self {
        Self {
            captured: entry.map_or(Money::ZERO, |entry| entry.captured),
            captures: entry.map_or(0, |entry| entry.captures),
            refunded: entry.map_or(Money::ZERO, |entry| entry.refunded),
            refunds: entry.map_or(0, |entry| entry.refunds),
        }
    }
}

async fn compare<P>(
    ports: &P,
    order: &Order,
    entry: Option<&LedgerEntry>,
    report: &mut Report,
) -> Result<(), Error>
where
    P: Ports<Inventory: Administration>,
{
    let id = order.order_id;
    let done = Done::of(entry);
    for (what, times) in [("charged", done.captures), ("refunded", done.refunds)] {
        if times > 1 {
            find(
                report,
                Check::Uniqueness,
                id,
                format!("{what} {times} times"),
            );
        }
    }
    match order.state {
        OrderState::Placed => placed(order, done, report),
        OrderState::Failed if done.captured > Money::ZERO || done.refunds > 0 => {
            let story = ports.inventory().story(id).await?;
            let recorded = story.and_then(|story| story.refund);
            if let Some((check, detail)) = failed(done, recorded.as_ref()) {
                find(report, check, id, detail);
            }
        }
        // Not settled yet: the sweep asks the gateway when the hold runs out.
        OrderState::Failed | OrderState::Blocked => {}
    }
    Ok(())
}

/// A placed order is paid, and nothing of it was returned.
fn placed(order: &Order, done: Done, report: &mut Report) {
    let Done {
        captured,
        refunded,
        refunds,
        ..
    } = done;
    if captured != order.amount {
        let detail = format!("placed for {}, and {captured} was paid", order.amount);
        find(report, Check::Unpaid, order.order_id, detail);
    }
    if refunds > 0 {
        let detail = format!("placed, and {refunded} was refunded");
        find(report, Check::Unpaid, order.order_id, detail);
    }
}

/// What is wrong with a failed order under whose key money has moved: as much is returned as the database says.
fn failed(done: Done, recorded: Option<&Refund>) -> Option<(Check, String)> {
    let Done {
        captured,
        refunded,
        refunds,
        ..
    } = done;
    match recorded {
        None if refunds > 0 => Some((
            Check::Uniqueness,
            format!("{refunded} was refunded, and no refund is recorded"),
        )),
        None => Some((
            Check::Unpaid,
            format!("failed, {captured} was paid, and no refund is recorded"),
        )),
        Some(refund) if refund.amount != captured => Some((
            Check::Unpaid,
            format!(
                "{captured} was paid, and a refund of {} is recorded",
                refund.amount
            ),
        )),
        Some(refund) if refund.executed_at.is_some() && refunds == 0 => Some((
            Check::Unpaid,
            "its refund counts as executed, and the gateway knows none".to_owned(),
        )),
        Some(_) => None,
    }
}

/// Without a list: whether the placed orders are paid, one by one.
async fn look_up<P>(ports: &P, since: Timestamp, report: &mut Report) -> Result<(), Error>
where
    P: Ports<Inventory: Administration>,
{
    let filter = OrderFilter {
        state: Some(OrderState::Placed),
        limit: LOOKED_UP_MAX,
        ..OrderFilter::default()
    };
    let placed = ports.inventory().find_orders(filter).await?;
    let mut earlier = 0;
    for order in &placed {
        if order.decided_at < since {
            earlier += 1;
            continue;
        }
        match ports.payments().lookup(order.order_id).await? {
            Some(Verdict::Captured { amount }) if amount == order.amount => {}
            other => find(
                report,
                Check::Unpaid,
                order.order_id,
                format!(
                    "placed for {}, and the gateway says {other:?}",
                    order.amount
                ),
            ),
        }
    }
    note_earlier(earlier, report);
    report.notes.push(format!(
        "the gateway cannot be listed: {} placed orders were looked up, and charges without an order would not show",
        placed.len()
    ));
    Ok(())
}
