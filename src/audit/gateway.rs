//! P and U: the gateway's ledger against the orders that an audit reads.

use std::collections::HashSet;
use std::time::Duration;

use futures::StreamExt;

use super::{PAGE, Report, Scope};
use crate::domain::{Money, OrderId, OrderState, Timestamp};
use crate::inventory::{
    Administration, Check, CheckedOrder, Finding, GatewayBinding, Inventory, Refund,
};
use crate::payments::{CaptureCursor, ChargeRecord, LedgerEntry, LedgerQuery, Payments};
use crate::ports::{Error, Ports};
use crate::terminal::counted;

/// Settled orders that a full audit looks up one by one where the gateway cannot be listed.
const LOOKED_UP_MAX: usize = 100_000;

/// How many of them are looked up at a time.
const ASKED_AT_ONCE: usize = 32;

/// How long before the last checkpoint a charge may have been captured that its audit did not see: clocks differ, and a
/// capture can be read only once it is committed.
const SEEN_LATE_MAX: Duration = Duration::from_secs(60);

/// Orders that an incremental audit remembers to have compared; charges of others are compared again.
const REMEMBERED_MAX: usize = 250_000;

/// Since when the first gateway of a store vouches for its payments.
const FIRST: Timestamp = Timestamp::from_millis(i64::MIN);

/// The comparison of orders, page by page, with what the gateway did.
pub(super) struct Comparison {
    since: Timestamp,
    earlier: u64,
    how: How,
}

/// How the gateway is asked.
enum How {
    /// For its whole ledger, side by side with all orders. Both are ordered by id.
    Ledger(Pages),
    /// For the entries of these orders; then for what was captured since the last checkpoint.
    Entries {
        since: Timestamp,
        compared: HashSet<OrderId>,
    },
    /// Order by order, since it cannot be listed.
    LookUp { max: usize, looked_up: usize },
}

impl Comparison {
    pub(super) async fn begin<P>(ports: &P, scope: &Scope) -> Result<Self, Error>
    where
        P: Ports<Inventory: Administration + GatewayBinding>,
    {
        let record = ports.inventory().gateway().await?;
        let first = match scope.since {
            None => LedgerQuery::after(None, PAGE),
            Some(_) => LedgerQuery::Keys(Vec::new()),
        };
        let page = ports.payments().ledger(first).await?;
        let how = match (page, scope.since) {
            (None, _) => How::LookUp {
                max: if scope.is_asked_for {
                    LOOKED_UP_MAX
                } else {
                    usize::MAX
                },
                looked_up: 0,
            },
            (Some(page), None) => How::Ledger(Pages::new(page)),
            (Some(_), Some(since)) => How::Entries {
                since: since.minus(SEEN_LATE_MAX),
                compared: HashSet::new(),
            },
        };
        Ok(Self {
            since: record.map_or(FIRST, |record| record.since),
            earlier: 0,
            how,
        })
    }

    /// Compares a page of orders.
    pub(super) async fn compare<P>(
        &mut self,
        ports: &P,
        orders: &[CheckedOrder],
        report: &mut Report,
    ) -> Result<(), Error>
    where
        P: Ports<Inventory: Administration>,
    {
        let since = self.since;
        match &mut self.how {
            How::Ledger(ledger) => {
                let mut unknown = Vec::new();
                for order in orders {
                    ledger.before(ports, order.order_id, &mut unknown).await?;
                    let own = ledger.of(ports, order.order_id).await?;
                    if own.is_none() && order.decided_at < since {
                        self.earlier += 1;
                    } else {
                        compare(ports, order, Done::of(own.as_ref()), report).await?;
                    }
                }
                without_order(ports, unknown, report).await
            }
            How::Entries { compared, .. } => {
                let ids: Vec<OrderId> = orders.iter().map(|order| order.order_id).collect();
                let room = REMEMBERED_MAX.saturating_sub(compared.len());
                compared.extend(ids.iter().take(room));
                let entries = ports.payments().ledger(LedgerQuery::Keys(ids)).await?;
                let entries = entries.unwrap_or_default();
                for order in orders {
                    let own = entries.binary_search_by_key(&order.order_id, |entry| entry.order_id);
                    let own = own.ok().map(|position| &entries[position]);
                    if own.is_none() && order.decided_at < since {
                        self.earlier += 1;
                    } else {
                        compare(ports, order, Done::of(own), report).await?;
                    }
                }
                Ok(())
            }
            How::LookUp { max, looked_up } => {
                let settled = orders.iter().filter(|order| {
                    let is_earlier = order.decided_at < since;
                    self.earlier += u64::from(is_earlier);
                    !is_earlier && order.state != OrderState::Blocked
                });
                let settled: Vec<&CheckedOrder> = settled.take(*max - *looked_up).collect();
                *looked_up += settled.len();
                look_up(ports, settled, report).await
            }
        }
    }

    /// Looks at what no order was compared with.
    pub(super) async fn finish<P>(self, ports: &P, report: &mut Report) -> Result<(), Error>
    where
        P: Ports<Inventory: Administration>,
    {
        match self.how {
            How::Ledger(mut ledger) => loop {
                let mut unknown = Vec::new();
                ledger.rest(ports, &mut unknown).await?;
                if unknown.is_empty() {
                    break;
                }
                without_order(ports, unknown, report).await?;
            },
            How::Entries { since, compared } => {
                let seen = report.findings.len();
                captured_since(ports, since, &compared, report).await?;
                let (before, after) = report.findings.split_at(seen);
                let mut new = after.to_vec();
                new.retain(|finding| !before.contains(finding));
                report.findings.truncate(seen);
                report.findings.append(&mut new);
            }
            How::LookUp { max, looked_up } => note_looked_up(max, looked_up, report),
        }
        note_earlier(self.earlier, report);
        Ok(())
    }
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

fn note_looked_up(max: usize, looked_up: usize, report: &mut Report) {
    let bound = if looked_up < max {
        ""
    } else {
        report.is_partial = true;
        ", and those after them were not"
    };
    report.notes.push(format!(
        "the gateway cannot be listed: {} looked up one by one{bound}; a charge without an order shows only if the \
         status store knows the order",
        counted(looked_up, "settled order"),
    ));
}

/// The ledger, page by page, in the order of its keys.
struct Pages {
    page: std::iter::Peekable<std::vec::IntoIter<LedgerEntry>>,
    after: Option<OrderId>,
}

impl Pages {
    fn new(page: Vec<LedgerEntry>) -> Self {
        Self {
            after: page.last().map(|last| last.order_id),
            page: page.into_iter().peekable(),
        }
    }

    /// The next entry, if it is wanted.
    async fn next_if<P: Ports>(
        &mut self,
        ports: &P,
        is_wanted: impl Fn(&LedgerEntry) -> bool,
    ) -> Result<Option<LedgerEntry>, Error> {
        if self.page.peek().is_none() && self.after.is_some() {
            let query = LedgerQuery::after(self.after, PAGE);
            let page = ports.payments().ledger(query).await?;
            *self = Self::new(page.unwrap_or_default());
        }
        Ok(self.page.next_if(is_wanted))
    }

    /// The entry of an order.
    async fn of<P: Ports>(&mut self, ports: &P, id: OrderId) -> Result<Option<LedgerEntry>, Error> {
        self.next_if(ports, |entry| entry.order_id == id).await
    }

    /// Collects the entries before an order that hold money.
    async fn before<P: Ports>(
        &mut self,
        ports: &P,
        id: OrderId,
        unknown: &mut Vec<LedgerEntry>,
    ) -> Result<(), Error> {
        while let Some(entry) = self.next_if(ports, |entry| entry.order_id < id).await? {
            unknown.extend(Some(entry).filter(LedgerEntry::is_kept));
        }
        Ok(())
    }

    /// Collects a page of what is left and holds money.
    async fn rest<P: Ports>(
        &mut self,
        ports: &P,
        unknown: &mut Vec<LedgerEntry>,
    ) -> Result<(), Error> {
        while unknown.len() < PAGE {
            let Some(entry) = self.next_if(ports, |_| true).await? else {
                break;
            };
            unknown.extend(Some(entry).filter(LedgerEntry::is_kept));
        }
        Ok(())
    }
}

impl LedgerEntry {
    /// Whether it holds money: one that does not is a fence, a decline, or was refunded.
    fn is_kept(&self) -> bool {
        self.captured > self.refunded
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

/// Charges whose order the audit has not read: the database has lost it, unless it was decided meanwhile.
async fn without_order<P: Ports>(
    ports: &P,
    unknown: Vec<LedgerEntry>,
    report: &mut Report,
) -> Result<(), Error> {
    if unknown.is_empty() {
        return Ok(());
    }
    let ids = unknown.iter().map(|entry| entry.order_id).collect();
    let orders = ports.inventory().orders(ids).await?;
    for (entry, order) in unknown.iter().zip(orders) {
        if order.is_none() {
            is_missing(entry, report);
        }
    }
    Ok(())
}

fn is_missing(entry: &LedgerEntry, report: &mut Report) {
    let detail = format!("paid {}, and there is no such order", entry.captured);
    find(report, Check::Unpaid, entry.order_id, detail);
}

/// Compares charges that were captured since then with their orders: those of covered orders were late.
async fn captured_since<P>(
    ports: &P,
    since: Timestamp,
    compared: &HashSet<OrderId>,
    report: &mut Report,
) -> Result<(), Error>
where
    P: Ports<Inventory: Administration>,
{
    let mut after = CaptureCursor::since(since);
    loop {
        let query = LedgerQuery::Captured { after, limit: PAGE };
        let page = ports.payments().ledger(query).await?.unwrap_or_default();
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = CaptureCursor::from(last);
        let new = page
            .iter()
            .filter(|entry| !compared.contains(&entry.order_id));
        let new: Vec<&LedgerEntry> = new.collect();
        let ids = new.iter().map(|entry| entry.order_id).collect();
        let orders = ports.inventory().orders(ids).await?;
        for (entry, order) in new.into_iter().zip(orders) {
            match order {
                Some(order) => {
                    compare(ports, &(&order).into(), Done::of(Some(entry)), report).await?;
                }
                None if entry.is_kept() => is_missing(entry, report),
                None => {}
            }
        }
    }
}

/// Compares settled orders with their charges, many at a time.
async fn look_up<P>(
    ports: &P,
    settled: Vec<&CheckedOrder>,
    report: &mut Report,
) -> Result<(), Error>
where
    P: Ports<Inventory: Administration>,
{
    let records = futures::stream::iter(settled).map(|order| async move {
        let record = ports.payments().record(order.order_id).await;
        (order, record)
    });
    let mut records = std::pin::pin!(records.buffered(ASKED_AT_ONCE));
    while let Some((order, record)) = records.next().await {
        let done = Done::of_record(record?.as_ref());
        compare(ports, order, done, report).await?;
    }
    Ok(())
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

async fn compare<P>(
    ports: &P,
    order: &CheckedOrder,
    done: Done,
    report: &mut Report,
) -> Result<(), Error>
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
            if order.is_decided && done.captured != order.amount {
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
fn mismatch(order: &CheckedOrder, captured: Money) -> String {
    format!(
        "{captured} was paid for an order of {}, and is refunded",
        order.amount
    )
}

/// A placed order is paid, and nothing of it was returned.
fn placed(order: &CheckedOrder, done: Done, report: &mut Report) {
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
