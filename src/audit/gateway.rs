//! P and U: the gateway's ledger against the orders. Both are read in the order of their ids, side by side.

use futures::StreamExt;

use super::{PAGE, Report};
use crate::domain::{Money, Order, OrderId, OrderState, Timestamp};
use crate::inventory::{Administration, Check, Finding, GatewayBinding, OrderFilter, Refund};
use crate::payments::{ChargeRecord, LedgerEntry, Payments};
use crate::ports::{Error, Ports};
use crate::terminal::counted;

/// Settled orders looked up one by one where the gateway cannot be listed.
const LOOKED_UP_MAX: usize = 100_000;

/// How many of them are looked up at a time.
const ASKED_AT_ONCE: usize = 32;

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
                compare(ports, &order, Done::of(own.as_ref()), report).await?;
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
    /// Whether the gateway tells of refunds at all.
    tells_refunds: bool,
}

impl Done {
    fn of(entry: Option<&LedgerEntry>) -> Self {
        Self {
            captured: entry.map_or(Money::ZERO, |entry| entry.captured),
            captures: entry.map_or(0, |entry| entry.captures),
            refunded: entry.map_or(Money::ZERO, |entry| entry.refunded),
            refunds: entry.map_or(0, |entry| entry.refunds),
            tells_refunds: true,
        }
    }

    fn of_record(record: Option<&ChargeRecord>) -> Self {
        let captured = record.map_or(Money::ZERO, ChargeRecord::captured);
        let refunded = record.and_then(|record| record.refunded);
        Self {
            captured,
            captures: u64::from(captured > Money::ZERO),
            refunded: refunded.unwrap_or_default(),
            refunds: u64::from(refunded.is_some_and(|refunded| refunded > Money::ZERO)),
            tells_refunds: refunded.is_some(),
        }
    }
}

async fn compare<P>(ports: &P, order: &Order, done: Done, report: &mut Report) -> Result<(), Error>
where
    P: Ports<Inventory: Administration>,
{
    let id = order.order_id;
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
            // Tombstones do not know their amount.
            if order.batch.is_some() && done.captured != order.amount {
                find(report, Check::Unpaid, id, mismatch(order, done.captured));
            }
            if let Some((check, detail)) = failed(done, recorded.as_ref()) {
                find(report, check, id, detail);
            }
        }
        // Not settled yet: the sweep asks the gateway when the hold runs out.
        OrderState::Failed | OrderState::Blocked => {}
    }
    Ok(())
}

/// What the gateway has captured of an order that failed, where it is not what the order is worth.
fn mismatch(order: &Order, captured: Money) -> String {
    format!(
        "{captured} was paid for an order of {}, and is refunded",
        order.amount
    )
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
        tells_refunds,
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
        Some(refund) if tells_refunds && refund.executed_at.is_some() && refunds == 0 => Some((
            Check::Unpaid,
            "its refund counts as executed, and the gateway knows none".to_owned(),
        )),
        Some(_) => None,
    }
}

/// Without a list: the record of every settled order, one by one, many at a time.
async fn look_up<P>(ports: &P, since: Timestamp, report: &mut Report) -> Result<(), Error>
where
    P: Ports<Inventory: Administration>,
{
    let (mut after, mut looked_up, mut earlier) = (None, 0, 0);
    while looked_up < LOOKED_UP_MAX {
        let filter = OrderFilter {
            after,
            limit: PAGE,
            ..OrderFilter::default()
        };
        let orders = ports.inventory().find_orders(filter).await?;
        let Some(last) = orders.last() else { break };
        after = Some(last.order_id);
        let settled = orders.into_iter().filter(|order| {
            let is_earlier = order.decided_at < since;
            earlier += u64::from(is_earlier);
            !is_earlier && order.state != OrderState::Blocked
        });
        let settled: Vec<Order> = settled.collect();
        looked_up += settled.len();
        let records = futures::stream::iter(settled).map(|order| async move {
            let record = ports.payments().record(order.order_id).await;
            (order, record)
        });
        let mut records = std::pin::pin!(records.buffered(ASKED_AT_ONCE));
        while let Some((order, record)) = records.next().await {
            let done = Done::of_record(record?.as_ref());
            compare(ports, &order, done, report).await?;
        }
    }
    note_earlier(earlier, report);
    let bound = if looked_up < LOOKED_UP_MAX {
        ""
    } else {
        ", and those after them were not"
    };
    report.notes.push(format!(
        "the gateway cannot be listed: {} looked up one by one{bound}; a charge without an order shows only if the \
         status store knows the order",
        counted(looked_up, "settled order"),
    ));
    Ok(())
}
