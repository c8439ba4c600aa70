//! V: the status store must not contradict the database. Missing or behind is fine: it heals.

use super::{PAGE, Report};
use crate::domain::{OrderId, Status};
use crate::inventory::{Check, CheckedOrder, Checksum, Finding, Inventory};
use crate::ports::{Error, Ports};
use crate::statuses::{ScanStatuses, StatusEntry, Statuses};

/// The comparison of orders, page by page, with their status entries.
pub(super) struct Comparison {
    /// Final entries that an order was compared with; none if the audit does not read all orders.
    compared: Option<IdSums>,
    /// Whether the status store has failed to answer: it is not asked again.
    is_away: bool,
}

impl Comparison {
    pub(super) fn new(is_full: bool) -> Self {
        Self {
            compared: is_full.then(IdSums::default),
            is_away: false,
        }
    }

    /// Compares a page of orders.
    pub(super) async fn compare<P: Ports>(
        &mut self,
        ports: &P,
        orders: &[CheckedOrder],
        report: &mut Report,
    ) -> Result<(), Error> {
        if self.is_away {
            return Ok(());
        }
        let ids = orders.iter().map(|order| order.order_id).collect();
        let entries = match ports.statuses().get(ids).await {
            Ok(entries) => entries,
            Err(error) => {
                let note = format!("the status store was not looked at: {error}");
                report.notes.push(note);
                report.is_partial = true;
                self.is_away = true;
                return Ok(());
            }
        };
        let mut changed = Vec::new();
        for (order, entry) in orders.iter().zip(entries) {
            let Some(status) = final_status(entry.as_ref()) else {
                continue;
            };
            if let Some(compared) = &mut self.compared {
                compared.add(order.order_id);
            }
            if order.state.status() != status {
                changed.push((order.order_id, status));
            }
        }
        contradictions(ports, changed, report).await
    }

    /// Looks for final statuses without an order.
    pub(super) async fn finish<P>(self, ports: &P, report: &mut Report) -> Result<(), Error>
    where
        P: Ports<Statuses: ScanStatuses>,
    {
        match self.compared {
            Some(compared) if !self.is_away => without_order(ports, &compared, report).await,
            _ => Ok(()),
        }
    }
}

fn final_status(entry: Option<&StatusEntry>) -> Option<Status> {
    entry
        .map(|entry| entry.status)
        .filter(|status| status.is_final())
}

/// Compares statuses with their orders as these are now: they may have been settled since the audit read them.
async fn contradictions<P: Ports>(
    ports: &P,
    statuses: Vec<(OrderId, Status)>,
    report: &mut Report,
) -> Result<(), Error> {
    if statuses.is_empty() {
        return Ok(());
    }
    let ids = statuses.iter().map(|(id, _)| *id).collect();
    let orders = ports.inventory().orders(ids).await?;
    for ((id, status), order) in statuses.into_iter().zip(orders) {
        let row = order.map(|order| order.state.status());
        if row.is_some_and(|row| row != status) {
            let row = row.map_or_else(String::new, |row| row.to_string());
            report.findings.push(Finding {
                check: Check::Projection,
                subject: id.to_string(),
                detail: format!(
                    "the status store says {status}, the database {row}; `oms statuses rebuild` mends it"
                ),
                count: 1,
            });
        }
    }
    Ok(())
}

/// Final statuses without an order: the database has lost commits. Only entries in buckets where an entry is left over
/// are looked up, since to look all up would take longer than the rest of the audit. Statuses are read before orders,
/// so that an order that is placed meanwhile is found.
async fn without_order<P>(ports: &P, compared: &IdSums, report: &mut Report) -> Result<(), Error>
where
    P: Ports<Statuses: ScanStatuses>,
{
    let mut stored = IdSums::default();
    let added = scan(ports, report, async |ids| {
        for id in ids {
            stored.add(id);
        }
        Ok(Vec::new())
    });
    added.await?;
    if report.is_partial || stored == *compared {
        return Ok(());
    }
    let looked_up = scan(ports, report, async |mut ids| {
        ids.retain(|id| stored.differs(compared, *id));
        let orders = ports.inventory().orders(ids.clone()).await?;
        let missing = ids
            .into_iter()
            .zip(orders)
            .filter(|(_, order)| order.is_none());
        Ok(missing.map(|(id, _)| id).collect())
    });
    looked_up.await
}

/// Reads through the status store and hands over the ids of final entries, page by page; those that come back have no
/// order.
async fn scan<P>(
    ports: &P,
    report: &mut Report,
    mut missing: impl AsyncFnMut(Vec<OrderId>) -> Result<Vec<OrderId>, Error>,
) -> Result<(), Error>
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
                report.is_partial = true;
                return Ok(());
            }
        };
        let ended = (entries.iter()).filter(|(_, entry)| entry.status.is_final());
        let missing = missing(ended.map(|(id, _)| *id).collect()).await?;
        for (id, entry) in entries.iter().filter(|(id, _)| missing.contains(id)) {
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
        match next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}

/// Number of buckets of [`IdSums`].
const BUCKETS: usize = 1 << 12;

/// Sums over a set of ids, by which two sets of any size are told apart: equal sets have equal sums, and where sums
/// differ, an id in that bucket is in one set only (or came twice).
#[derive(PartialEq, Eq)]
struct IdSums(Vec<u64>);

impl Default for IdSums {
    fn default() -> Self {
        Self(vec![0; BUCKETS])
    }
}

impl IdSums {
    fn add(&mut self, id: OrderId) {
        let hash = hash(id);
        let sum = &mut self.0[bucket(hash)];
        *sum = sum.wrapping_add(hash);
    }

    fn differs(&self, other: &Self, id: OrderId) -> bool {
        let bucket = bucket(hash(id));
        self.0[bucket] != other.0[bucket]
    }
}

fn hash(id: OrderId) -> u64 {
    Checksum::new().bytes(id.as_bytes()).value()
}

fn bucket(hash: u64) -> usize {
    usize::try_from(hash >> 40).unwrap_or_default() % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> OrderId {
        OrderId::v7(1_700_000_000_000 + number / 8, &{
            let mut random = [7; 10];
            random[..8].copy_from_slice(&number.to_be_bytes());
            random
        })
    }

    #[test]
    fn sums_find_the_one_id_that_only_one_set_has() {
        let (mut one, mut other) = (IdSums::default(), IdSums::default());
        (0..20_000).for_each(|number| one.add(id(number)));
        (0..20_000).rev().for_each(|number| other.add(id(number)));
        assert!(one == other, "in any order");
        other.add(id(20_000));
        assert!(one != other);
        assert!(other.differs(&one, id(20_000)));
        let suspects = (0..20_000).filter(|number| other.differs(&one, id(*number)));
        assert!(suspects.count() < 100, "the others need not be looked up");
    }
}
