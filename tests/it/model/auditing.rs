//! The audit of the model's state.

use std::collections::BTreeMap;
use std::time::Duration;

use oms::domain::{GatewayId, OrderState, Sku};
use oms::inventory::{AuditReport, Auditing, Check, Error, Finding, GatewayBinding, GatewayRecord};
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

    async fn audit(&self, grace: Duration) -> Result<AuditReport, Error> {
        yield_now().await;
        let late = self.clock().now().minus(grace);
        let state = self.state();
        let mut report = AuditReport {
            skus: state.items.len() as u64,
            orders: state.orders.len() as u64,
            ..AuditReport::default()
        };
        for item in state.items.values() {
            report.units_sold += u64::try_from(item.level.sold).unwrap_or(0);
        }
        report.findings = conservation(&state);
        for order in state.orders.values() {
            if order.state == OrderState::Blocked && order.hold_until < late {
                report.overdue.push(order.order_id);
            }
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
        Ok(report)
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
