//! Orders as an audit reads them: each row on its own, what is summed over all of them, and what a checkpoint keeps.
//!
//! Memory grows with the number of items and of uncovered batches, not with the number of orders.

use std::collections::{HashMap, HashSet};

use super::checkpoint::ranges;
use super::checksum::Checksum;
use super::{AuditReport, Check, CheckedOrder, Coverage, CoveredUnits, Finding};
use crate::domain::{OrderId, OrderState, Sku};
use crate::inventory::body::{self, Cart};

/// A row of `orders` with its settlement and its refund.
pub(in crate::inventory) struct OrderRow<'a> {
    pub order_id: OrderId,
    pub customer: Option<&'a [u8]>,
    pub body: &'a [u8],
    /// Unix milliseconds.
    pub hold_until: i64,
    pub batch_id: Option<i64>,
    /// Of the settlement; none while the order is BLOCK.
    pub state: Option<i64>,
    pub reason: Option<&'a [u8]>,
    /// Unix milliseconds.
    pub settled_at: Option<i64>,
    pub refund: Option<RefundState>,
}

/// How far a recorded refund has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inventory) enum RefundState {
    Due,
    Executed,
}

const PLACED: i64 = OrderState::Placed.code() as i64;
const FAILED: i64 = OrderState::Failed.code() as i64;

impl OrderRow<'_> {
    /// Whether it may still change: it has not ended, or a refund is to be executed.
    fn is_open(&self) -> bool {
        self.state.is_none() || self.refund == Some(RefundState::Due)
    }

    /// Over all columns of the order and its settlement.
    fn checksum(&self) -> u64 {
        Checksum::new()
            .bytes(self.order_id.as_bytes())
            .maybe_bytes(self.customer)
            .bytes(self.body)
            .number(self.hold_until.cast_unsigned())
            .maybe_number(self.batch_id)
            .maybe_number(self.state)
            .maybe_bytes(self.reason)
            .maybe_number(self.settled_at)
            .value()
    }
}

/// The last checkpoint, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inventory) struct StoredCheckpoint {
    pub number: u64,
    pub orders: u64,
    pub checksum: u64,
}

impl StoredCheckpoint {
    const fn sum(self) -> Sum {
        Sum {
            orders: self.orders,
            checksum: self.checksum,
        }
    }
}

/// What an audit begins with, all of it from one snapshot.
pub(in crate::inventory) struct Start {
    /// A hold that ended before is overdue, in Unix milliseconds.
    pub due_before: i64,
    /// Whether the orders that the checkpoint covers are read as well.
    pub is_full: bool,
    pub checkpoint: Option<StoredCheckpoint>,
    /// The batches that no checkpoint covers.
    pub uncovered: Vec<i64>,
    /// Units sold by the orders that the checkpoint covers, by SKU.
    pub sold: Vec<(String, i64)>,
    /// No checkpoint may cover the batches of these orders.
    pub at_fault: Vec<OrderId>,
}

/// Orders and what they add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    orders: u64,
    checksum: u64,
}

/// Units of one item in the carts of orders.
#[derive(Debug, Default)]
struct Units {
    /// By BLOCK orders.
    held: i64,
    /// Bought by covered orders, as the checkpoint says.
    stored: i64,
    /// Bought by covered orders, as read.
    covered: i64,
    /// Bought by orders that a new checkpoint can cover.
    new: i64,
    /// Bought by any other orders.
    other: i64,
    /// Whether it is in the catalogue.
    is_item: bool,
}

/// Where an order stands among checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Covered,
    New,
    /// In no batch, or in one that is open: no checkpoint covers it.
    Other,
}

/// Checks orders, one by one, and adds them up.
pub(in crate::inventory) struct OrderAudit {
    due_before: i64,
    is_full: bool,
    checkpoint: Option<StoredCheckpoint>,
    /// The batches that no checkpoint covers, and whether that has to stay so: an order may still change, or is at fault.
    batches: HashMap<i64, bool>,
    at_fault: HashSet<OrderId>,
    units: HashMap<Box<str>, Units>,
    covered: Sum,
    new: Sum,
    orders: u64,
    settlements: u64,
    refunds: u64,
    overdue: Vec<OrderId>,
    findings: Vec<Finding>,
    /// Whether anything else than single orders is wrong.
    is_broken: bool,
}

impl OrderAudit {
    pub(in crate::inventory) fn new(start: Start) -> Self {
        let stored = |(sku, stored): (String, i64)| {
            let units = Units {
                stored,
                ..Units::default()
            };
            (sku.into_boxed_str(), units)
        };
        Self {
            due_before: start.due_before,
            is_full: start.is_full,
            checkpoint: start.checkpoint,
            batches: start.uncovered.into_iter().map(|id| (id, false)).collect(),
            at_fault: start.at_fault.into_iter().collect(),
            units: start.sold.into_iter().map(stored).collect(),
            covered: Sum::default(),
            new: Sum::default(),
            orders: 0,
            settlements: 0,
            refunds: 0,
            overdue: Vec::new(),
            findings: Vec::new(),
            is_broken: false,
        }
    }

    /// Checks an order; none if its cart cannot be read.
    pub(in crate::inventory) fn add(&mut self, row: &OrderRow<'_>) -> Option<CheckedOrder> {
        self.orders += 1;
        self.settlements += u64::from(row.state.is_some());
        self.refunds += u64::from(row.refund.is_some());
        self.check_settlement(row);
        if row.state.is_none() && row.hold_until < self.due_before {
            self.overdue.push(row.order_id);
        }
        let place = self.place(row);
        match place {
            Place::Covered => self.covered.add(row),
            Place::New => self.new.add(row),
            Place::Other => {}
        }
        let Ok(cart) = body::cart(row.body) else {
            self.find(Check::Conservation, row, "its cart cannot be read");
            return None;
        };
        match row.state {
            None => self.count(&cart, |units| &mut units.held, 1),
            Some(PLACED) => self.count(&cart, |units| units.bought(place), 1),
            Some(_) => {}
        }
        Some(CheckedOrder {
            order_id: row.order_id,
            state: match row.state {
                None => OrderState::Blocked,
                Some(PLACED) => OrderState::Placed,
                Some(_) => OrderState::Failed,
            },
            amount: cart.amount,
            decided_at: cart.decided_at,
            is_decided: row.batch_id.is_some(),
        })
    }

    /// How an order ended, and whether that and its refund agree.
    fn check_settlement(&mut self, row: &OrderRow<'_>) {
        match row.state {
            Some(PLACED) if row.settled_at.is_none() || row.reason.is_some() => self.find(
                Check::Unpaid,
                row,
                "placed without a time of settlement, or with a reason to fail",
            ),
            Some(FAILED) if row.reason.is_none() => {
                self.find(Check::Uniqueness, row, "failed without a reason");
            }
            None | Some(PLACED | FAILED) => {}
            Some(_) => self.find(Check::Conservation, row, "its state cannot be read"),
        }
        if row.refund.is_some() && row.state != Some(FAILED) {
            self.find(Check::Uniqueness, row, "refunded, and it did not fail");
        }
    }

    fn place(&mut self, row: &OrderRow<'_>) -> Place {
        let Some(batch) = row.batch_id else {
            return Place::Other;
        };
        match self.batches.get_mut(&batch) {
            Some(is_open) => {
                *is_open |= row.is_open() || self.at_fault.contains(&row.order_id);
                Place::New
            }
            None if self.checkpoint.is_some() => Place::Covered,
            // Its batch is gone.
            None => Place::Other,
        }
    }

    fn count(&mut self, cart: &Cart<'_>, of: impl Fn(&mut Units) -> &mut i64, sign: i64) {
        for (sku, units) in cart.units() {
            if !self.units.contains_key(sku) {
                self.units.insert(sku.into(), Units::default());
            }
            if let Some(of_item) = self.units.get_mut(sku) {
                let sum = of(of_item);
                *sum = sum.saturating_add(sign * units);
            }
        }
    }

    fn find(&mut self, check: Check, row: &OrderRow<'_>, detail: &str) {
        self.findings.push(Finding {
            check,
            subject: row.order_id.to_string(),
            detail: detail.to_owned(),
            count: 1,
        });
        if let Some(is_open) = row.batch_id.and_then(|batch| self.batches.get_mut(&batch)) {
            *is_open = true;
        }
    }

    /// How many settlements and refunds came with the orders.
    pub(in crate::inventory) const fn attached(&self) -> (u64, u64) {
        (self.settlements, self.refunds)
    }

    /// Whether orders are read that a checkpoint covers.
    pub(in crate::inventory) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// The batches that no checkpoint can cover yet, although their orders were added: [`OrderAudit::take_back`] them.
    pub(in crate::inventory) fn open_batches(&self) -> Vec<i64> {
        let open = self.batches.iter().filter(|(_, is_open)| **is_open);
        let mut open: Vec<i64> = open.map(|(id, _)| *id).collect();
        open.sort_unstable();
        open
    }

    /// Takes an order of an open batch out of what a checkpoint is to cover.
    pub(in crate::inventory) fn take_back(&mut self, row: &OrderRow<'_>) {
        self.new.orders -= 1;
        self.new.checksum = self.new.checksum.wrapping_sub(row.checksum());
        if let (Some(PLACED), Ok(cart)) = (row.state, body::cart(row.body)) {
            self.count(&cart, |units| &mut units.new, -1);
            self.count(&cart, |units| &mut units.other, 1);
        }
    }

    /// Compares the counters of an item with the carts of its orders; `is_item` is false for what only sales mention.
    pub(in crate::inventory) fn item(&mut self, sku: &str, counters: (i64, i64), is_item: bool) {
        let (blocked, sold) = counters;
        let is_full = self.is_full;
        let units = match self.units.get_mut(sku) {
            Some(units) => units,
            None => self.units.entry(sku.into()).or_default(),
        };
        units.is_item = true;
        let (held, bought) = (units.held, units.bought_in_all(is_full));
        let off = (blocked - held).saturating_abs() + (sold - bought).saturating_abs();
        if is_item && off == 0 {
            return;
        }
        self.is_broken = true;
        let detail = if is_item {
            format!(
                "blocked is {blocked} and sold {sold}, but its orders hold {held} and bought {bought}"
            )
        } else {
            of_no_item(held, bought)
        };
        self.findings.push(Finding {
            check: Check::Conservation,
            subject: sku.to_owned(),
            detail,
            count: off.unsigned_abs().max(1),
        });
    }

    /// Puts what was found into the report, which has the other checks' findings already.
    pub(in crate::inventory) fn finish(mut self, report: &mut AuditReport) {
        self.find_units_of_no_item();
        if self.is_full {
            self.verify();
        }
        report.orders = self.orders;
        // A refund that is due keeps its batch open.
        let is_due = |finding: &Finding| finding.check == Check::Unrefunded;
        if !self.is_broken && report.findings.iter().all(is_due) {
            report.coverage = self.coverage();
        }
        report.findings.append(&mut self.findings);
        report.overdue = self.overdue;
        report.overdue.sort_unstable();
    }

    fn find_units_of_no_item(&mut self) {
        let unknown = self.units.iter().filter(|(_, units)| !units.is_item);
        let unknown =
            unknown.map(|(sku, units)| (sku, units.held, units.bought_in_all(self.is_full)));
        let mut found: Vec<Finding> = unknown
            .filter(|(_, held, bought)| (*held, *bought) != (0, 0))
            .map(|(sku, held, bought)| Finding {
                check: Check::Conservation,
                subject: sku.to_string(),
                detail: of_no_item(held, bought),
                count: held.saturating_add(bought).unsigned_abs().max(1),
            })
            .collect();
        found.sort_by(|one, other| one.subject.cmp(&other.subject));
        self.is_broken |= !found.is_empty();
        self.findings.append(&mut found);
    }

    /// Whether the orders that the checkpoint covers are those that it was written for.
    fn verify(&mut self) {
        let Some(checkpoint) = self.checkpoint else {
            return;
        };
        let stored = checkpoint.sum();
        let number = checkpoint.number;
        if self.covered != stored {
            self.is_broken = true;
            let (was, is) = (stored, self.covered);
            self.findings.push(Finding {
                check: Check::Conservation,
                subject: format!("checkpoint {number}"),
                detail: format!(
                    "orders changed after they had been audited: {} orders with checksum {:016x} then, {} with {:016x} now",
                    was.orders, was.checksum, is.orders, is.checksum
                ),
                count: was.orders.abs_diff(is.orders).max(1),
            });
            return;
        }
        let off = |units: &Units| units.stored.abs_diff(units.covered);
        let wrong = self.units.iter().filter(|(_, units)| off(units) > 0);
        let mut found: Vec<Finding> = wrong
            .map(|(sku, units)| Finding {
                check: Check::Conservation,
                subject: sku.to_string(),
                detail: format!(
                    "checkpoint {number} counts {} units sold by the orders that it covers, which bought {}",
                    units.stored, units.covered
                ),
                count: off(units),
            })
            .collect();
        found.sort_by(|one, other| one.subject.cmp(&other.subject));
        self.is_broken |= !found.is_empty();
        self.findings.append(&mut found);
    }

    fn coverage(&self) -> Option<Coverage> {
        let closed = self.batches.iter().filter(|(_, is_open)| !**is_open);
        let closed: Vec<u64> = closed
            .map(|(id, _)| u64::try_from(*id))
            .collect::<Result<_, _>>()
            .ok()?;
        if closed.is_empty() {
            return None;
        }
        let sold = self.units.iter().filter(|(_, units)| units.new != 0);
        let sold = sold.map(|(sku, units)| {
            Sku::new(sku).map(|sku| CoveredUnits {
                sku,
                units: units.new,
            })
        });
        let mut sold: Vec<CoveredUnits> = sold.collect::<Result<_, _>>().ok()?;
        sold.sort_unstable_by(|one, other| one.sku.cmp(&other.sku));
        let last = self
            .checkpoint
            .map(StoredCheckpoint::sum)
            .unwrap_or_default();
        Some(Coverage {
            number: self.checkpoint.map_or(0, |last| last.number) + 1,
            orders: last.orders + self.new.orders,
            checksum: last.checksum.wrapping_add(self.new.checksum),
            batches: ranges(closed),
            sold,
        })
    }
}

impl Sum {
    fn add(&mut self, row: &OrderRow<'_>) {
        self.orders += 1;
        self.checksum = self.checksum.wrapping_add(row.checksum());
    }
}

impl Units {
    fn bought(&mut self, place: Place) -> &mut i64 {
        match place {
            Place::Covered => &mut self.covered,
            Place::New => &mut self.new,
            Place::Other => &mut self.other,
        }
    }

    /// By all orders; those of covered ones as read, or as the checkpoint says where they were not read.
    fn bought_in_all(&self, is_full: bool) -> i64 {
        let covered = if is_full { self.covered } else { self.stored };
        covered.saturating_add(self.new).saturating_add(self.other)
    }
}

fn of_no_item(held: i64, bought: i64) -> String {
    format!("orders hold {held} and bought {bought} of no known item")
}
