//! Rules 1, 2, 11 and 15: one charge an order, and what is paid is sold or refunded.

use std::time::Duration;

use oms::domain::{Reason, Status};
use oms::flow::{CancelOutcome, Placement};
use oms::inventory::{Inventory, Settle, SettleAction};
use tokio::time::Instant;

use crate::faults::{Fault, Op};
use crate::flow::world::{BLOCKED, PLACED, World, buyer, failed, until};
use crate::make::{id, money};
use crate::model::{Call, Gate, Outcome};

#[tokio::test(start_paused = true)]
async fn rule_01_a_charge_that_arrives_late_is_never_released() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    let gate = Gate::default();
    // However often it is sent.
    world.payments.otherwise(Outcome::LateUnheard(gate.clone()));
    shop.accept(1, [("A", 1)]).await;
    let placing = shop.placing(1);
    // Neither a charge nor an answer is known when the hold runs out; the charge arrives afterwards.
    tokio::time::sleep(world.settings.hold * 2).await;
    gate.open();
    assert_eq!(
        placing.await.unwrap().unwrap(),
        Placement::Failed(Reason::Expired)
    );
    assert!(
        world.payments.count(Call::Cancel(id(1))) >= 1,
        "released without asking the gateway"
    );
    assert_eq!(
        world.paid(1).0,
        world.paid(1).1,
        "what arrived after the release was taken"
    );
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_expiry_confirms_what_was_captured() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    shop.work_once().await;
    // The payer crashes between charge and settle.
    shop.faults.always([Op::Settle], &Fault::Unavailable);
    let placing = shop.placing(1);
    until("the charge", || world.paid(1).0 > money(0)).await;
    placing.abort();
    shop.crash();
    assert_eq!(world.state(1), BLOCKED);
    let other = world.working();
    until("the sweep", || world.state(1) != BLOCKED).await;
    assert_eq!(world.state(1), PLACED);
    drop(other);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_without_an_answer_everything_stays_blocked() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    world.payments.set_away(true);
    tokio::time::sleep(world.settings.hold * 3).await;
    assert_eq!(
        world.state(1),
        BLOCKED,
        "released although the gateway never answered"
    );
    world.payments.set_away(false);
    until("the release", || world.state(1) == failed(Reason::Expired)).await;
    assert_eq!(world.stock("A"), (1, 0, 0));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_02_a_payment_for_a_failed_or_a_missing_order_is_refunded() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    // The database fails over to a replica without the order.
    let mut earlier = world.inventory.state().clone();
    earlier.orders.clear();
    for item in earlier.items.values_mut() {
        item.level.available = 1;
        item.level.sold = 0;
    }
    world.inventory.restore(earlier);
    assert!(matches!(
        shop.place(1).await,
        Ok(Placement::Failed(Reason::MissingOrder))
    ));
    assert_eq!(
        world.state(1),
        failed(Reason::MissingOrder),
        "missing must become FAILED"
    );
    until("the refund", || world.paid(1).1 == world.paid(1).0).await;
    assert_eq!(world.stock("A"), (1, 0, 0), "it must not be reserved again");
}

#[tokio::test(start_paused = true)]
async fn rule_02_a_late_confirmation_of_a_failed_order_is_refunded_once() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    shop.work_once().await;
    let settle = |action| {
        world.inventory.settle(vec![Settle {
            order_id: id(1),
            action,
        }])
    };
    settle(SettleAction::Release {
        reason: Reason::Expired,
    })
    .await
    .unwrap();
    for round in 0..3 {
        let settled = settle(SettleAction::Confirm {
            captured: money(250),
        })
        .await
        .unwrap();
        assert_eq!(settled.outcomes[0].applied, round == 0);
    }
    assert_eq!(world.state(1), failed(Reason::Expired), "FAILED is final");
    assert_eq!(
        world.inventory.refunds_due(None, 10).await.unwrap().len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_refund_is_recorded_with_the_settlement_and_executed_later() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    world.correct("A", -1);
    // The process that settles dies before it can refund anything.
    shop.faults.always([Op::RefundsDue], &Fault::Unavailable);
    assert_eq!(
        shop.place(1).await.unwrap(),
        Placement::Failed(Reason::NegativeInventory)
    );
    assert_eq!(world.stock("A"), (0, 0, 0), "the items went back");
    assert_eq!(world.paid(1), (money(250), money(0)));
    shop.crash();
    world.check_invariants().await;
    assert_eq!(world.paid(1), (money(250), money(250)));
}

#[tokio::test(start_paused = true)]
async fn rule_15_no_charge_starts_with_too_little_of_the_hold_left() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    shop.work_once().await;
    let nearly_all = world
        .settings
        .hold
        .saturating_sub(world.settings.payment_timeout / 2);
    tokio::time::sleep(nearly_all).await;
    assert_eq!(
        shop.place(1).await.unwrap(),
        Placement::Failed(Reason::Expired)
    );
    assert_eq!(world.payments.count(Call::Charge(id(1))), 0);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_15_ten_place_orders_are_one_charge() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    let other = world.process();
    shop.accept(1, [("A", 1)]).await;
    let placing = (0..10).map(|turn| {
        if turn % 2 == 0 {
            shop.place(1)
        } else {
            other.place(1)
        }
    });
    for placed in futures::future::join_all(placing).await {
        assert_eq!(placed.unwrap(), Placement::Placed);
    }
    assert_eq!(
        world.payments.count(Call::Charge(id(1))),
        1,
        "ownership saves work"
    );
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_crashed_payer_is_taken_over_after_the_payment_time_out() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    shop.work_once().await;
    world.payments.script(&buyer(1), [Outcome::Silence]);
    let placing = shop.placing(1);
    until("the payment", || {
        world.status(1) == Some(Status::PaymentPending)
    })
    .await;
    placing.abort();
    shop.crash();
    let began = Instant::now();
    assert_eq!(world.process().place(1).await.unwrap(), Placement::Placed);
    let took = began.elapsed();
    assert!(
        took <= world.settings.payment_timeout + Duration::from_secs(2),
        "it took {took:?}"
    );
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_asks_the_gateway_and_a_paid_order_stays() {
    let world = World::selling([("A", 2)]);
    let shop = world.working();
    for number in 1..=2 {
        shop.accept(number, [("A", 1)]).await;
    }
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    assert_eq!(
        shop.flow.cancel(id(1)).await.unwrap(),
        CancelOutcome::Placed
    );
    until("the block", || world.state(2) == BLOCKED).await;
    assert_eq!(
        shop.flow.cancel(id(2)).await.unwrap(),
        CancelOutcome::Failed(Reason::Cancelled)
    );
    assert_eq!(world.stock("A"), (1, 0, 1));
    assert!(matches!(
        shop.place(2).await.unwrap(),
        Placement::Failed(Reason::Cancelled)
    ));
    world.check_invariants().await;
}
