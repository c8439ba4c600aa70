//! The audit of the model's state.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use oms::domain::{GatewayId, Order, OrderId, OrderState, Sku, Timestamp};
use oms::inventory::{
    AuditReport, AuditRequest, Auditing, BatchRange, Check, Checkpoint, Coverage, Error, Finding,
    GatewayBinding, GatewayRecord, OrderSink,
};
use oms::ports::Clock;
use tokio::task::yield_now;
use uuid::Uuid;

use super::ModelInventory;
use super::inventory::State;

impl Auditing for ModelInventory {
    async fn store_id(&self) -> Result<Uuid, Error> {
        yield_now().await;
        Ok(self.store_id_value())
    }

    async fn checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        yield_now().await;
        Ok(self.state().checkpoint.map(|(checkpoint, _)| checkpoint))
    }

    async fn audit(
        &self,
        request: AuditRequest,
        mut orders: OrderSink,
    ) -> Result<AuditReport, Error> {
        yield_now().await;
        let late = self.clock().now().minus(request.grace);
        let state = self.state().clone();
        let is_full = request.full || state.checkpoint.is_none();
        let read = state.orders.values();
        let read = read.filter(|order| is_full || !state.is_covered(order));
        let read: Vec<&Order> = read.collect();
        let mut report = AuditReport {
            skus: state.items.len() as u64,
            orders: read.len() as u64,
            ..AuditReport::default()
        };
        for item in state.items.values() {
            report.units_sold += u64::try_from(item.level.sold).unwrap_or(0);
        }
        report.findings = conservation(&state);
        if is_full {
            report.findings.extend(changed(&state));
        }
        for order in state.orders.values() {
            if order.state == OrderState::Blocked && order.hold_until < late {
                report.overdue.push(order.order_id);
            }
        }
        if report.findings.is_empty() {
            report.coverage = coverage(&state, &request.at_fault);
        }
        for refund in state.refunds.values() {
            if refund.executed_at.is_none() && refund.recorded_at < late {
                report.findings.push(Finding {
                    check: Check::Unrefunded,
                    subject: refund.order_id.to_string(),
                    detail: format!("{} is owed since {}", refund.amount, refund.recorded_at),
                    count: 1,
                });
            }
        }
        for order in read {
            if orders.push(order.into()) {
                orders.send().await;
            }
        }
        orders.send().await;
        Ok(report)
    }

    async fn cover(&self, coverage: Coverage, audited_at: Timestamp) -> Result<bool, Error> {
        yield_now().await;
        let mut state = self.state();
        if state.next_checkpoint() != coverage.number {
            return Ok(false);
        }
        let ranges = coverage.batches.iter();
        state
            .covered
            .extend(ranges.flat_map(|range| range.first..=range.last));
        let checkpoint = Checkpoint {
            number: coverage.number,
            audited_at,
            orders: coverage.orders,
        };
        state.checkpoint = Some((checkpoint, coverage.checksum));
        Ok(true)
    }

    fn audit_sql(&self) -> Vec<(Check, &'static str)> {
        // A model has no queries.
        Vec::new()
    }
}

impl GatewayBinding for ModelInventory {
    async fn gateway(&self) -> Result<Option<GatewayRecord>, Error> {
        yield_now().await;
        Ok(self.state().gateway.clone())
    }

    async fn bind_gateway(
        &self,
        record: GatewayRecord,
        replaces: Option<GatewayId>,
    ) -> Result<GatewayRecord, Error> {
        yield_now().await;
        let mut state = self.state();
        if state.gateway.as_ref().map(|present| &present.id) == replaces.as_ref() {
            state.gateway = Some(record);
        }
        Ok(state.gateway.clone().unwrap())
    }
}

impl State {
    fn next_checkpoint(&self) -> u64 {
        self.checkpoint.map_or(0, |(last, _)| last.number) + 1
    }

    fn is_covered(&self, order: &Order) -> bool {
        let batch = order.batch.map(|batch| batch.id);
        batch.is_some_and(|id| self.covered.contains(&id))
    }

    /// Whether an order may still change.
    fn is_open(&self, order: &Order) -> bool {
        let refund = self.refunds.get(&order.order_id);
        order.state == OrderState::Blocked
            || refund.is_some_and(|refund| refund.executed_at.is_none())
    }

    /// How many orders these batches have, and a sum over all that is known of them.
    fn sum(&self, batches: &BTreeSet<u64>) -> (u64, u64) {
        let of_batches = self.orders.values().filter(|order| {
            let batch = order.batch.map(|batch| batch.id);
            batch.is_some_and(|id| batches.contains(&id))
        });
        of_batches.fold((0, 0), |(orders, sum), order| {
            let mut hasher = DefaultHasher::new();
            format!("{order:?}").hash(&mut hasher);
            (orders + 1, sum.wrapping_add(hasher.finish()))
        })
    }
}

/// Whether covered orders are not what they were.
fn changed(state: &State) -> Option<Finding> {
    let (checkpoint, checksum) = state.checkpoint?;
    let now = state.sum(&state.covered);
    (now != (checkpoint.orders, checksum)).then(|| Finding {
        check: Check::Conservation,
        subject: format!("checkpoint {}", checkpoint.number),
        detail: format!("{} orders then, {} now", checkpoint.orders, now.0),
        count: 1,
    })
}

/// What a checkpoint can cover: batches whose orders have all ended and are not at fault.
fn coverage(state: &State, at_fault: &[OrderId]) -> Option<Coverage> {
    let open: BTreeSet<u64> = state
        .orders
        .values()
        .filter(|order| state.is_open(order) || at_fault.contains(&order.order_id))
        .filter_map(|order| order.batch.map(|batch| batch.id))
        .collect();
    let ids = state.batches.iter().map(|batch| batch.id);
    let new = ids.filter(|id| !open.contains(id) && !state.covered.contains(id));
    let new: BTreeSet<u64> = new.collect();
    if new.is_empty() {
        return None;
    }
    let (orders, checksum) = state.sum(&new);
    let last = state.checkpoint.map(|(last, sum)| (last.orders, sum));
    let last = last.unwrap_or_default();
    Some(Coverage {
        number: state.next_checkpoint(),
        orders: last.0 + orders,
        checksum: last.1.wrapping_add(checksum),
        batches: new
            .into_iter()
            .map(|id| BatchRange {
                first: id,
                last: id,
            })
            .collect(),
        sold: Vec::new(),
    })
}

/// Invariant C: the counters of every item against its history and the carts of its orders.
pub fn conservation(state: &State) -> Vec<Finding> {
    let mut blocked: BTreeMap<&Sku, i64> = BTreeMap::new();
    let mut sold: BTreeMap<&Sku, i64> = BTreeMap::new();
    for order in state.orders.values() {
        let sum = match order.state {
            OrderState::Blocked => &mut blocked,
            OrderState::Placed => &mut sold,
            OrderState::Failed => continue,
        };
        for line in &order.lines {
            *sum.entry(&line.sku).or_default() += line.quantity.units();
        }
    }
    let mut findings = Vec::new();
    for (sku, item) in &state.items {
        let level = &item.level;
        let mut find = |check, detail: String, count: i64| {
            findings.push(Finding {
                check,
                subject: sku.to_string(),
                detail,
                count: count.unsigned_abs(),
            });
        };
        let had = item.initial + item.adjusted;
        let has = level.available + level.blocked + level.sold;
        if had != has {
            find(
                Check::Conservation,
                format!("had {had} units, has {has}"),
                had - has,
            );
        }
        let (in_blocked, in_sold) = (
            blocked.get(sku).copied().unwrap_or(0),
            sold.get(sku).copied().unwrap_or(0),
        );
        if (level.blocked, level.sold) != (in_blocked, in_sold) {
            let detail = format!(
                "counts {} blocked, {} sold; its orders have {in_blocked} and {in_sold}",
                level.blocked, level.sold
            );
            let off = (level.blocked - in_blocked).abs() + (level.sold - in_sold).abs();
            find(Check::Conservation, detail, off);
        }
        let taken_away = state
            .adjustments
            .iter()
            .any(|row| row.sku == *sku && row.by < 0);
        if level.available < 0 && !taken_away {
            let detail = format!("{} units available without any correction", level.available);
            find(Check::Oversold, detail, level.available);
        }
    }
    findings
}
