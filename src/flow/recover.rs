//! After a failover of the database that lost commits: what log, status store and gateway still know is held against it, and
//! mended (rule 21). Every step is one that the flow takes anyway, so that a second run, or a service at work meanwhile,
//! does no harm.

use std::collections::{BTreeMap, HashSet};

use futures::StreamExt;
use serde::Serialize;

use super::{Flow, message};
use crate::domain::{Money, Order, OrderId, OrderState, Reason, Status, Timestamp};
use crate::inventory::{Administration, DeadLetterIndex, Inventory, SettleAction};
use crate::payments::{Cancelled, ChargeRecord, LedgerEntry, LedgerQuery, Payments, Verdict};
use crate::ports::{Error, Ports};
use crate::queue::{Delivery, Replay, Replayable};
use crate::statuses::{ScanStatuses, StatusEntry, Statuses};

/// Messages, statuses or charges that are held against the database at once.
const PAGE: usize = 1_000;

/// How many orders the gateway is asked about at a time.
const ASKED_AT_ONCE: usize = 32;

/// The ports that a recovery reads.
pub trait Recoverable:
    Ports<Inventory: Administration + DeadLetterIndex, Queue: Replayable, Statuses: ScanStatuses>
{
}

impl<P> Recoverable for P where
    P: Ports<
            Inventory: Administration + DeadLetterIndex,
            Queue: Replayable,
            Statuses: ScanStatuses,
        >
{
}

/// What a recovery looks at, and whether it changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoverOptions {
    /// The log is read again from the first message at or after this time.
    pub since: Timestamp,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// How much was looked at, and what became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RecoverTotals {
    /// Messages of the log that were read again.
    pub messages: u64,
    /// Statuses that were read.
    pub statuses: u64,
    /// Charges of the gateway's ledger that were read; 0 from a gateway that cannot be listed.
    pub charges: u64,
    /// Accepted carts without an order in the database.
    pub missing: u64,
    /// Of those, decided again.
    pub decided_again: u64,
    /// Orders placed by what was captured.
    pub placed: u64,
    /// Orders released, since their clients had been told that they failed.
    pub released: u64,
    /// Orders whose capture is refunded.
    pub refunded: u64,
    /// Failures written again for orders whose carts are not in the log.
    pub tombstones: u64,
    /// Orders that could not be dealt with: run it again.
    pub left: u64,
}

/// Who knew of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoverSource {
    /// Its cart is in the log.
    Log,
    /// It has a status.
    Statuses,
    /// It has a charge.
    Gateway,
}

/// What was done about an order, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoverAction {
    /// Its cart was decided again, and nothing had been paid.
    DecidedAgain,
    /// It was paid, and is settled by that.
    Settled,
    /// Its client had been told that it failed: its units go back.
    Released,
    /// It was paid and cannot be placed: the payment is returned.
    Refunded,
    /// Its failure is written again.
    Tombstone,
    /// Nothing, for now.
    Left,
}

impl RecoverAction {
    /// The action as tables show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DecidedAgain => "decided again",
            Self::Settled => "settled",
            Self::Released => "released",
            Self::Refunded => "refunded",
            Self::Tombstone => "failure written again",
            Self::Left => "left",
        }
    }
}

/// An order that was found to differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecoveredOrder {
    /// Which.
    pub order_id: OrderId,
    /// Who knew of it.
    pub source: RecoverSource,
    /// What was done, or would be.
    pub action: RecoverAction,
    /// What the gateway has captured, as far as it was asked.
    pub captured: Option<Money>,
    /// What the status store said before.
    pub status_before: Option<Status>,
    /// Where the order stands now; `None` where nothing was done.
    pub status: Option<Status>,
    /// Why it failed.
    pub reason: Option<Reason>,
    /// Why it was left, or why its refund is still due.
    pub detail: Option<String>,
}

/// What a recovery tells as it goes.
#[derive(Debug)]
pub enum RecoverEvent<'a> {
    /// How far it is.
    Progress(&'a RecoverTotals),
    /// An order that differed.
    Order(&'a RecoveredOrder),
}

impl<P: Recoverable> Flow<P> {
    /// Holds the log since a time, the status store and the gateway against the database. Accepted carts without an
    /// order are decided again; what was captured settles its order or is refunded. May be repeated.
    ///
    /// # Errors
    /// When the database, the log or the status store does not answer; what was mended until then is mended. A gateway
    /// that does not answer leaves its orders ([`RecoverTotals::left`]).
    pub async fn recover(
        &self,
        options: RecoverOptions,
        tell: impl FnMut(RecoverEvent<'_>) + Send,
    ) -> Result<RecoverTotals, Error> {
        let mut recovery = Recovery {
            flow: self,
            dry_run: options.dry_run,
            totals: RecoverTotals::default(),
            seen: HashSet::new(),
            tell,
        };
        recovery.replay(options.since).await?;
        recovery.scan_statuses().await?;
        recovery.walk_ledger().await?;
        Ok(recovery.totals)
    }
}

/// What is known of an order that may have to be mended.
struct Case {
    order_id: OrderId,
    source: RecoverSource,
    /// As the database has it, after its cart was decided again.
    order: Option<Order>,
    /// As the status store had it before.
    entry: Option<StatusEntry>,
    /// Whether the database had lost it.
    was_missing: bool,
}

impl Case {
    fn said(&self) -> Option<Status> {
        self.entry.map(|entry| entry.status)
    }

    fn told(&self, action: RecoverAction, captured: Option<Money>) -> RecoveredOrder {
        RecoveredOrder {
            order_id: self.order_id,
            source: self.source,
            action,
            captured,
            status_before: self.said(),
            status: None,
            reason: None,
            detail: None,
        }
    }

    /// An order that was decided again, and needs nothing else.
    fn decided_again(&self, order: &Order, captured: Option<Money>) -> Option<RecoveredOrder> {
        self.was_missing.then(|| RecoveredOrder {
            status: Some(order.state.status()),
            reason: order.reason,
            ..self.told(RecoverAction::DecidedAgain, captured)
        })
    }

    /// Why the order failed, as its client was told.
    fn reason(&self) -> Reason {
        let told = self.entry.and_then(|entry| entry.reason);
        told.unwrap_or(Reason::MissingOrder)
    }

    fn left(&self, detail: String) -> RecoveredOrder {
        RecoveredOrder {
            detail: Some(detail),
            ..self.told(RecoverAction::Left, None)
        }
    }
}

struct Recovery<'a, P: Ports, T> {
    flow: &'a Flow<P>,
    dry_run: bool,
    totals: RecoverTotals,
    /// Orders that were dealt with or left.
    seen: HashSet<OrderId>,
    tell: T,
}

impl<P: Recoverable, T: FnMut(RecoverEvent<'_>) + Send> Recovery<'_, P, T> {
    /// The log, from a time on to its end as it is now.
    async fn replay(&mut self, since: Timestamp) -> Result<(), Error> {
        let mut log = self.flow.ports().queue().replay(since).await?;
        loop {
            let deliveries = log.next(PAGE).await?;
            if deliveries.is_empty() {
                return Ok(());
            }
            self.totals.messages += deliveries.len() as u64;
            let cases = self.decide_again(deliveries).await?;
            self.mend(cases).await?;
            (self.tell)(RecoverEvent::Progress(&self.totals));
        }
    }

    /// Has the carts decided that the database has lost; what is known of each order of these messages.
    async fn decide_again(&mut self, deliveries: Vec<Delivery>) -> Result<Vec<Case>, Error> {
        let ports = self.flow.ports();
        // A message that names no order has no row to miss. Of an id that came twice the first message counts.
        let mut named = BTreeMap::new();
        for delivery in deliveries {
            if let Some(id) = message::order_id(&delivery.payload) {
                named.entry(id).or_insert(delivery);
            }
        }
        let ids: Vec<OrderId> = named.keys().copied().collect();
        // Before what is decided again overwrites them.
        let entries = ports.statuses().get(ids.clone()).await?;
        let mut orders = ports.inventory().orders(ids.clone()).await?;
        let missing: Vec<usize> = (0..ids.len()).filter(|at| orders[*at].is_none()).collect();
        self.totals.missing += missing.len() as u64;
        if !missing.is_empty() && !self.dry_run {
            let mut lost: Vec<Delivery> = (missing.iter())
                .filter_map(|at| named.remove(&ids[*at]))
                .collect();
            lost.sort_by_key(|delivery| delivery.position);
            let processed = self.flow.process(&lost).await?;
            self.flow.write_statuses(processed.statuses).await;
            let again = missing.iter().map(|at| ids[*at]).collect();
            let decided = ports.inventory().orders(again).await?;
            for (at, order) in missing.iter().zip(decided) {
                self.totals.decided_again += u64::from(order.is_some());
                orders[*at] = order;
            }
        }
        let missing: HashSet<usize> = missing.into_iter().collect();
        let cases = ids.into_iter().zip(orders).zip(entries).enumerate();
        Ok(cases
            .map(|(at, ((order_id, order), entry))| Case {
                order_id,
                source: RecoverSource::Log,
                order,
                entry,
                was_missing: missing.contains(&at),
            })
            .collect())
    }

    /// Statuses of orders that the database does not know, and whose carts were not in the log.
    async fn scan_statuses(&mut self) -> Result<(), Error> {
        let ports = self.flow.ports();
        let mut cursor = None;
        loop {
            let (entries, next) = ports.statuses().scan(cursor, PAGE).await?;
            self.totals.statuses += entries.len() as u64;
            // INIT is vouched for by the log alone: its cart may wait there.
            let known: Vec<(OrderId, StatusEntry)> = (entries.into_iter())
                .filter(|(id, entry)| {
                    entry.status.rank() >= Status::Block.rank() && !self.seen.contains(id)
                })
                .collect();
            let ids = known.iter().map(|(id, _)| *id).collect();
            let orders = ports.inventory().orders(ids).await?;
            let cases = known
                .into_iter()
                .zip(orders)
                .filter(|(_, order)| order.is_none());
            let cases = cases.map(|((order_id, entry), order)| Case {
                order_id,
                source: RecoverSource::Statuses,
                order,
                entry: Some(entry),
                was_missing: true,
            });
            self.mend(cases.collect()).await?;
            (self.tell)(RecoverEvent::Progress(&self.totals));
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Charges without an order, or of a failed one that nobody owes anything, where the gateway can be listed.
    async fn walk_ledger(&mut self) -> Result<(), Error> {
        let ports = self.flow.ports();
        let mut after = None;
        loop {
            let page = match ports
                .payments()
                .ledger(LedgerQuery::after(after, PAGE))
                .await
            {
                Ok(page) => page.unwrap_or_default(),
                Err(error) => {
                    tracing::warn!(cause = error.chain(), "the gateway's ledger was not read");
                    return Ok(());
                }
            };
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.order_id);
            self.totals.charges += page.len() as u64;
            let is_kept = |entry: &LedgerEntry| entry.captured > entry.refunded;
            let ids: Vec<OrderId> = (page.iter().filter(|entry| is_kept(entry)))
                .map(|entry| entry.order_id)
                .filter(|id| !self.seen.contains(id))
                .collect();
            let orders = ports.inventory().orders(ids.clone()).await?;
            let cases = ids.into_iter().zip(orders).filter(|(_, order)| {
                (order.as_ref()).is_none_or(|order| order.state == OrderState::Failed)
            });
            let cases = cases.map(|(order_id, order)| Case {
                order_id,
                source: RecoverSource::Gateway,
                was_missing: order.is_none(),
                order,
                entry: None,
            });
            self.mend(cases.collect()).await?;
            (self.tell)(RecoverEvent::Progress(&self.totals));
        }
    }

    /// Mends orders, many at a time, and tells of those that differed.
    async fn mend(&mut self, cases: Vec<Case>) -> Result<(), Error> {
        let (flow, dry_run) = (self.flow, self.dry_run);
        let mended = futures::stream::iter(cases).map(|case| async move {
            match flow.mend(&case, dry_run).await {
                // A damaged order does not keep the others from being mended (rule 18).
                Err(error) if !error.is_transient() => Ok(Some(case.left(error.chain()))),
                mended => mended,
            }
        });
        let mut mended = std::pin::pin!(mended.buffered(ASKED_AT_ONCE));
        while let Some(mended) = mended.next().await {
            let Some(order) = mended? else { continue };
            self.seen.insert(order.order_id);
            let totals = &mut self.totals;
            match (order.action, order.status) {
                (RecoverAction::Left, _) => totals.left += 1,
                // Its refund could not be executed yet.
                (RecoverAction::Refunded, _) => {
                    totals.refunded += 1;
                    totals.left += u64::from(order.detail.is_some());
                }
                (RecoverAction::Settled, Some(Status::Failed)) => totals.refunded += 1,
                (RecoverAction::Settled, _) => totals.placed += 1,
                (RecoverAction::Released, _) => totals.released += 1,
                (RecoverAction::Tombstone, _) => totals.tombstones += 1,
                (RecoverAction::DecidedAgain, _) => {}
            }
            (self.tell)(RecoverEvent::Order(&order));
        }
        Ok(())
    }
}

impl<P: Recoverable> Flow<P> {
    /// Does what an order needs; `None` if it needs nothing.
    async fn mend(&self, case: &Case, dry_run: bool) -> Result<Option<RecoveredOrder>, Error> {
        let Some(order) = &case.order else {
            return self.mend_without_order(case, dry_run).await;
        };
        match order.state {
            OrderState::Placed => Ok(case.decided_again(order, None)),
            OrderState::Failed => self.mend_failed(case, order, dry_run).await,
            OrderState::Blocked => self.mend_blocked(case, order, dry_run).await,
        }
    }

    /// A failed order owes what was captured for it.
    async fn mend_failed(
        &self,
        case: &Case,
        order: &Order,
        dry_run: bool,
    ) -> Result<Option<RecoveredOrder>, Error> {
        let captured = match self.charge_record(case.order_id).await {
            Ok(record) => record.map_or(Money::ZERO, |record| record.captured()),
            Err(error) => return Ok(Some(case.left(error.chain()))),
        };
        if captured > Money::ZERO {
            let story = self.ports().inventory().story(case.order_id).await?;
            if story.is_none_or(|story| story.refund.is_none()) {
                return self.pay_back(case, captured, dry_run).await.map(Some);
            }
        }
        Ok(case.decided_again(order, Some(captured)))
    }

    /// A reserved order is settled by what its client was told, and by what was paid.
    async fn mend_blocked(
        &self,
        case: &Case,
        order: &Order,
        dry_run: bool,
    ) -> Result<Option<RecoveredOrder>, Error> {
        let said = case.said();
        let was_settled = said.is_some_and(Status::is_final);
        // Whatever is under way goes on by itself.
        if !case.was_missing && !was_settled {
            return Ok(None);
        }
        let record = match self.charge_record(case.order_id).await {
            Ok(record) => record,
            Err(error) => return Ok(Some(case.left(error.chain()))),
        };
        if let Some(ChargeRecord {
            verdict: Some(Verdict::Pending),
            ..
        }) = record
        {
            let detail = "the gateway has not decided the charge yet".to_owned();
            return Ok(Some(case.left(detail)));
        }
        let captured = record.as_ref().map_or(Money::ZERO, ChargeRecord::captured);
        let is_refunded = record.as_ref().is_some_and(ChargeRecord::is_refunded);
        let told_failed = said == Some(Status::Failed);
        if captured > Money::ZERO && (is_refunded || told_failed) {
            if !dry_run {
                // What was captured stays captured: there is nothing left to fence.
                let reason = case.reason();
                let release = SettleAction::Release { reason };
                self.settle(case.order_id, release).await?;
            }
            return self.pay_back(case, captured, dry_run).await.map(Some);
        }
        if captured > Money::ZERO {
            let settled = case.told(RecoverAction::Settled, Some(captured));
            if dry_run {
                return Ok(Some(settled));
            }
            let confirm = SettleAction::Confirm { captured };
            let outcome = self.settle(case.order_id, confirm).await?;
            return self.after(settled, outcome.order).await.map(Some);
        }
        if told_failed {
            let released = case.told(RecoverAction::Released, Some(captured));
            if dry_run {
                return Ok(Some(released));
            }
            // Asks the gateway first: a charge may have arrived meanwhile (rule 1).
            if let Err(failure) = self.release(order, case.reason()).await {
                return Ok(Some(case.left(failure.to_string())));
            }
            let now = self.ports().inventory().orders(vec![case.order_id]).await?;
            return match now.into_iter().next().flatten() {
                Some(order) if order.state != OrderState::Blocked => {
                    self.after(released, Some(order)).await.map(Some)
                }
                _ => Ok(Some(case.left("the gateway owes its verdict".to_owned()))),
            };
        }
        Ok(case.decided_again(order, Some(captured)))
    }

    /// An order whose cart is not at hand: what was paid for it is returned, and its failure is written.
    async fn mend_without_order(
        &self,
        case: &Case,
        dry_run: bool,
    ) -> Result<Option<RecoveredOrder>, Error> {
        let id = case.order_id;
        if dry_run && case.source == RecoverSource::Log {
            let captured = match self.charge_record(id).await {
                Ok(record) => record.map(|record| record.captured()),
                Err(error) => return Ok(Some(case.left(error.chain()))),
            };
            let action = match captured {
                Some(captured) if captured > Money::ZERO => RecoverAction::Settled,
                _ => RecoverAction::DecidedAgain,
            };
            return Ok(Some(case.told(action, captured)));
        }
        let captured = if dry_run {
            (self.charge_record(id).await)
                .map(|record| record.map_or(Money::ZERO, |record| record.captured()))
        } else {
            // A charge may still arrive under a key without an order.
            self.fence(id).await.map(|cancelled| match cancelled {
                Cancelled::Captured { amount } => amount,
                Cancelled::Fenced => Money::ZERO,
            })
        };
        let captured = match captured {
            Ok(captured) => captured,
            Err(error) => return Ok(Some(case.left(error.chain()))),
        };
        if captured > Money::ZERO {
            return self.pay_back(case, captured, dry_run).await.map(Some);
        }
        // Not final: its cart may be in the log before the time that it was read from, so that it is not written off.
        if !case.said().is_some_and(Status::is_final) {
            return Ok(None);
        }
        let written = case.told(RecoverAction::Tombstone, Some(captured));
        if dry_run {
            return Ok(Some(written));
        }
        let abandon = SettleAction::Abandon {
            reason: case.reason(),
            customer: None,
            cart_hash: case.entry.and_then(|entry| entry.cart_hash),
        };
        let outcome = self.settle(id, abandon).await?;
        self.after(written, outcome.order).await.map(Some)
    }

    /// Records that a capture is owed, and returns it.
    async fn pay_back(
        &self,
        case: &Case,
        captured: Money,
        dry_run: bool,
    ) -> Result<RecoveredOrder, Error> {
        let told = case.told(RecoverAction::Refunded, Some(captured));
        if dry_run {
            return Ok(told);
        }
        let confirm = SettleAction::Confirm { captured };
        let outcome = self.settle(case.order_id, confirm).await?;
        self.after(told, outcome.order).await
    }

    /// Tells where an order stands now, makes sure that the status store says so, and returns what is owed for it.
    async fn after(
        &self,
        mut told: RecoveredOrder,
        order: Option<Order>,
    ) -> Result<RecoveredOrder, Error> {
        let Some(order) = order else {
            return Ok(told);
        };
        self.told(&order).await;
        told.status = Some(order.state.status());
        told.reason = order.reason;
        if order.state == OrderState::Failed {
            let story = self.ports().inventory().story(order.order_id).await?;
            let due = story
                .and_then(|story| story.refund)
                .filter(|refund| refund.executed_at.is_none());
            if let Some(due) = due {
                told.action = RecoverAction::Refunded;
                let returned = self.retry_refund(&due).await;
                told.detail = returned
                    .err()
                    .map(|error| format!("the refund stays due: {}", error.chain()));
            }
        }
        Ok(told)
    }

    /// What the gateway has done under a key, within the time of one payment.
    async fn charge_record(&self, id: OrderId) -> Result<Option<ChargeRecord>, Error> {
        let record = self.ports().payments().record(id);
        match tokio::time::timeout(self.settings().payment_timeout, record).await {
            Ok(record) => record,
            Err(elapsed) => Err(Error::unavailable("look up a charge").because(elapsed)),
        }
    }
}
