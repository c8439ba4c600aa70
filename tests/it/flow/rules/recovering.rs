//! Rule 21: commits that a failover has lost are found without their buyers, and mended.

use std::time::Duration;

use oms::domain::{Money, Reason, Status, Timestamp};
use oms::flow::{
    Placement, RecoverAction, RecoverEvent, RecoverOptions, RecoverTotals, RecoveredOrder,
};
use oms::inventory::{AuditRequest, Check};
use oms::ports::{Backends, Clock as _};

use crate::flow::world::{BLOCKED, PLACED, Process, World, failed};
use crate::make::id;
use crate::model::Outcome;

const BEGINNING: Timestamp = Timestamp::from_millis(0);

async fn recover(shop: &Process, since: Timestamp) -> (RecoverTotals, Vec<RecoveredOrder>) {
    run(shop, since, false).await
}

async fn run(
    shop: &Process,
    since: Timestamp,
    dry_run: bool,
) -> (RecoverTotals, Vec<RecoveredOrder>) {
    let mut orders = Vec::new();
    let options = RecoverOptions { since, dry_run };
    let totals = shop.flow.recover(options, |event| {
        if let RecoverEvent::Order(order) = event {
            orders.push(order.clone());
        }
    });
    let totals = totals.await.unwrap();
    (totals, orders)
}

fn action(orders: &[RecoveredOrder], number: u64) -> Option<RecoverAction> {
    let found = orders.iter().find(|order| order.order_id == id(number));
    found.map(|order| order.action)
}

/// What an audit finds wrong with payments and statuses.
async fn findings(world: &World) -> Vec<(Check, String)> {
    let bare = Backends {
        inventory: world.inventory.clone(),
        queue: world.queue.clone(),
        statuses: world.statuses.clone(),
        payments: world.payments.clone(),
        clock: world.clock.clone(),
    };
    let report = oms::audit::committed(&bare, AuditRequest::full(Duration::from_secs(60)))
        .await
        .unwrap();
    let mut found: Vec<_> = (report.findings.into_iter())
        .map(|finding| (finding.check, finding.subject))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Accepts, decides and places an order.
async fn placed(shop: &Process, number: u64) {
    shop.accept(number, [("A", 1)]).await;
    shop.work_once().await;
    assert_eq!(shop.place(number).await.unwrap(), Placement::Placed);
}

#[tokio::test(start_paused = true)]
async fn rule_21_what_was_placed_and_lost_is_found_and_placed_by_its_capture() {
    let world = World::selling([("A", 10)]);
    let shop = world.process();
    placed(&shop, 1).await;
    let before = world.inventory.state().clone();
    for number in 2..=4 {
        placed(&shop, number).await;
    }
    world.inventory.restore(before);
    let found = findings(&world).await;
    for number in 2..=4 {
        for check in [Check::Unpaid, Check::Projection] {
            assert!(
                found.contains(&(check, id(number).to_string())),
                "{found:?}"
            );
        }
    }
    // A dry run says the same and changes nothing.
    let (totals, orders) = run(&shop, BEGINNING, true).await;
    assert_eq!(
        (totals.messages, totals.missing, totals.decided_again),
        (4, 3, 0)
    );
    assert_eq!(action(&orders, 3), Some(RecoverAction::Settled));
    assert_eq!(world.state(3), None);
    let (totals, orders) = recover(&shop, BEGINNING).await;
    assert_eq!(
        (totals.decided_again, totals.placed, totals.left),
        (3, 3, 0)
    );
    assert_eq!(orders.len(), 3);
    for number in 1..=4 {
        assert_eq!(world.state(number), PLACED);
        assert_eq!(world.paid(number).1, Money::ZERO);
        assert_eq!(world.status(number), Some(Status::Placed));
    }
    assert_eq!(world.stock("A"), (6, 0, 4));
    assert_eq!(findings(&world).await, []);
    // A second run finds nothing to do.
    let (again, orders) = recover(&shop, BEGINNING).await;
    assert_eq!((again.missing, again.placed, orders.len()), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn rule_21_what_was_paid_and_is_sold_out_now_is_refunded() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    let before = world.inventory.state().clone();
    placed(&shop, 1).await;
    world.inventory.restore(before);
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Somebody else bought the unit after the failover.
    placed(&shop, 2).await;
    let (totals, orders) = recover(&shop, BEGINNING).await;
    assert_eq!((totals.refunded, totals.placed, totals.left), (1, 0, 0));
    assert_eq!(action(&orders, 1), Some(RecoverAction::Refunded));
    assert_eq!(world.state(1), failed(Reason::SoldOut));
    let (captured, refunded) = world.paid(1);
    assert_eq!(captured, refunded);
    assert_ne!(captured, Money::ZERO);
    assert_eq!(world.status(1), Some(Status::Failed));
    assert_eq!(world.state(2), PLACED);
    assert_eq!(findings(&world).await, []);
}

#[tokio::test(start_paused = true)]
async fn rule_21_an_order_that_the_log_has_forgotten_is_refunded_once() {
    let world = World::selling([("A", 5)]);
    let shop = world.process();
    let before = world.inventory.state().clone();
    placed(&shop, 1).await;
    placed(&shop, 2).await;
    world.inventory.restore(before);
    // One of them is known to the gateway alone.
    world.statuses.forget(id(2));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let since = world.clock.now();
    for _ in 0..2 {
        recover(&shop, since).await;
    }
    for number in 1..=2 {
        assert_eq!(world.state(number), failed(Reason::MissingOrder));
        let entry = world.payments.entry(id(number)).unwrap();
        assert_eq!((entry.captures, entry.refunds), (1, 1));
        assert_eq!(entry.captured, entry.refunded);
    }
    assert_eq!(world.stock("A"), (5, 0, 0));
    assert_eq!(world.status(1), Some(Status::Failed));
    assert_eq!(findings(&world).await, []);
}

#[tokio::test(start_paused = true)]
async fn rule_21_what_a_client_was_told_as_failed_stays_failed() {
    let world = World::selling([("A", 5)]);
    let shop = world.process();
    let before = world.inventory.state().clone();
    // One is declined; one is paid, found negative, and refunded.
    world
        .payments
        .script(&crate::flow::world::buyer(1), [Outcome::Decline]);
    shop.accept(1, [("A", 1)]).await;
    shop.accept(2, [("A", 1)]).await;
    shop.work_once().await;
    assert_eq!(
        shop.place(1).await.unwrap(),
        Placement::Failed(Reason::Declined)
    );
    world.correct("A", -5);
    let told = shop.place(2).await.unwrap();
    assert_eq!(told, Placement::Failed(Reason::NegativeInventory));
    assert_eq!(shop.flow.sweep().await.unwrap().refunded, 1);
    world.inventory.restore(before);
    let (totals, orders) = recover(&shop, BEGINNING).await;
    assert_eq!((totals.decided_again, totals.left), (2, 0));
    assert_eq!(action(&orders, 1), Some(RecoverAction::Released));
    assert_eq!(action(&orders, 2), Some(RecoverAction::Refunded));
    assert_eq!(world.state(1), failed(Reason::Declined));
    assert_eq!(world.state(2), failed(Reason::NegativeInventory));
    assert_eq!(world.payments.entry(id(2)).unwrap().refunds, 1);
    assert_eq!(world.stock("A"), (5, 0, 0));
    assert_eq!(findings(&world).await, []);
}

#[tokio::test(start_paused = true)]
async fn rule_21_a_settlement_that_was_lost_is_made_again() {
    let world = World::selling([("A", 5)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    shop.accept(2, [("A", 1)]).await;
    shop.work_once().await;
    let before = world.inventory.state().clone();
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    world.inventory.restore(before);
    assert_eq!((world.state(1), world.state(2)), (BLOCKED, BLOCKED));
    let (totals, orders) = recover(&shop, BEGINNING).await;
    assert_eq!((totals.missing, totals.placed), (0, 1));
    assert_eq!(action(&orders, 1), Some(RecoverAction::Settled));
    assert_eq!(world.state(1), PLACED);
    // Whoever is about to pay is left in peace.
    assert_eq!((action(&orders, 2), world.state(2)), (None, BLOCKED));
    assert_eq!(shop.place(2).await.unwrap(), Placement::Placed);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_21_while_the_gateway_is_away_orders_are_left_and_nothing_is_released() {
    let world = World::selling([("A", 5)]);
    let shop = world.process();
    let before = world.inventory.state().clone();
    placed(&shop, 1).await;
    world.inventory.restore(before);
    world.payments.set_away(true);
    let (totals, orders) = recover(&shop, BEGINNING).await;
    assert_eq!((totals.decided_again, totals.left), (1, 1));
    assert_eq!(action(&orders, 1), Some(RecoverAction::Left));
    assert_eq!(world.state(1), BLOCKED);
    world.payments.set_away(false);
    let (totals, _) = recover(&shop, BEGINNING).await;
    assert_eq!((totals.placed, totals.left), (1, 0));
    assert_eq!(world.state(1), PLACED);
    assert_eq!(findings(&world).await, []);
}
