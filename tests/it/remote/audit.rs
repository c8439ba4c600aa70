//! The audit against a gateway over HTTP, which cannot be listed: every settled order is looked up.

use std::time::Duration;

use oms::inventory::{AuditRequest, Check, Inventory as _, Settle, SettleAction};
use oms::payments::{Charge, Payments as _};
use oms::ports::Backends;

use super::gateway;
use crate::make::{customer, id, money};
use crate::model::{ManualClock, ModelInventory, ModelPayments, ModelQueue, ModelStatuses};

/// What an audit finds wrong with the orders of one number.
async fn found(inventory: &ModelInventory, payments: &ModelPayments, number: u64) -> Vec<String> {
    let clock = ManualClock::default();
    let gateway = gateway::serve(payments.clone()).await;
    let ports = Backends {
        inventory: inventory.clone(),
        queue: ModelQueue::default(),
        statuses: ModelStatuses::new(clock.clone()),
        payments: gateway.client(),
        clock,
    };
    let report = oms::audit::committed(&ports, AuditRequest::full(Duration::ZERO))
        .await
        .unwrap();
    let looked_up = report
        .notes
        .iter()
        .any(|note| note.contains("looked up one by one"));
    assert!(looked_up, "{:?}", report.notes);
    let of_number = report.findings.into_iter().filter(|finding| {
        finding.check == Check::Unpaid && finding.subject == id(number).to_string()
    });
    of_number.map(|finding| finding.detail).collect()
}

#[tokio::test]
async fn a_failed_order_that_was_paid_is_found_and_so_is_a_refund_that_was_never_executed() {
    let clock = ManualClock::default();
    let inventory = ModelInventory::new(clock.clone());
    let payments = ModelPayments::new(clock);
    let settle = async |action: SettleAction| {
        let order_id = id(1);
        inventory
            .settle(vec![Settle { order_id, action }])
            .await
            .unwrap();
    };
    let reason = oms::domain::Reason::GaveUp;
    settle(SettleAction::Abandon {
        reason,
        customer: None,
        cart_hash: None,
    })
    .await;
    assert_eq!(found(&inventory, &payments, 1).await, Vec::<String>::new());
    let charge = Charge {
        order_id: id(1),
        customer: customer("payer"),
        amount: money(500),
    };
    payments.charge(charge).await.unwrap();
    let details = found(&inventory, &payments, 1).await;
    assert!(details[0].contains("no refund is recorded"), "{details:?}");
    settle(SettleAction::Confirm {
        captured: money(500),
    })
    .await;
    // The database says that it is returned; the gateway knows better.
    inventory.refunded(vec![id(1)]).await.unwrap();
    let details = found(&inventory, &payments, 1).await;
    assert!(details[0].contains("the gateway knows none"), "{details:?}");
    payments.refund(id(1), money(500)).await.unwrap();
    assert_eq!(found(&inventory, &payments, 1).await, Vec::<String>::new());
}
