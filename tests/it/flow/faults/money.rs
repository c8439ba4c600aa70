//! The gateway: time-outs, lost answers, late charges, outages, holds that run out, refunds.

use oms::domain::{Reason, Status};
use oms::flow::Placement;

use crate::faults::{Fault, Op};
use crate::flow::world::{BLOCKED, PLACED, World, buyer, failed, until};
use crate::make::{id, money};
use crate::model::{Call, Gate, Outcome};

#[tokio::test(start_paused = true)]
async fn charges_that_time_out_or_lose_their_answer_are_found_out() {
    for script in [
        vec![Outcome::TimeOut, Outcome::TimeOut],
        vec![Outcome::CaptureUnheard],
        vec![Outcome::TimeOut, Outcome::CaptureUnheard],
        vec![Outcome::Away, Outcome::TimeOut],
        vec![Outcome::Pending { asks: 5 }],
        vec![Outcome::Silence],
    ] {
        let world = World::selling([("A", 1)]);
        let shop = world.working();
        world.payments.script(&buyer(1), script.clone());
        shop.accept(1, [("A", 1)]).await;
        assert_eq!(
            shop.place(1).await.unwrap(),
            Placement::Placed,
            "{script:?}"
        );
        assert_eq!(world.paid(1), (money(250), money(0)), "{script:?}");
        world.check_invariants().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_decline_gives_the_items_back() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    world
        .payments
        .script(&buyer(1), [Outcome::TimeOut, Outcome::Decline]);
    shop.accept(1, [("A", 1)]).await;
    assert_eq!(
        shop.place(1).await.unwrap(),
        Placement::Failed(Reason::Declined)
    );
    assert_eq!(world.stock("A"), (1, 0, 0));
    shop.accept(2, [("A", 1)]).await;
    assert_eq!(shop.place(2).await.unwrap(), Placement::Placed);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_the_release_pays_nothing() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    let gate = Gate::default();
    world.payments.otherwise(Outcome::Late(gate.clone()));
    shop.accept(1, [("A", 1)]).await;
    let placing = shop.placing(1);
    until("the release", || world.state(1) == failed(Reason::Expired)).await;
    gate.open();
    assert!(matches!(
        placing.await.unwrap().unwrap(),
        Placement::Failed(_)
    ));
    assert_eq!(world.paid(1).0, world.paid(1).1);
    assert_eq!(world.stock("A"), (1, 0, 0));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn a_charge_that_beats_the_fence_is_confirmed() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    let gate = Gate::default();
    world
        .payments
        .script(&buyer(1), [Outcome::Late(gate.clone())]);
    shop.accept(1, [("A", 1)]).await;
    let placing = shop.placing(1);
    gate.reached().await;
    // It arrives, and the payer hears nothing of it.
    shop.faults
        .always([Op::Charge, Op::Lookup], &Fault::Unavailable);
    gate.open();
    until("the sweep", || {
        world.state(1) != BLOCKED && world.state(1).is_some()
    })
    .await;
    assert_eq!(world.state(1), PLACED);
    placing.abort();
    shop.faults.clear();
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn the_gateway_away_for_minutes_leaves_every_order_pending_and_none_released() {
    let world = World::selling([("A", 3)]);
    let shop = world.working();
    for number in 1..=3 {
        shop.accept(number, [("A", 1)]).await;
    }
    until("the blocks", || world.stock("A").1 == 3).await;
    world.payments.set_away(true);
    let placing = (1..=3).map(|number| shop.place(number));
    for told in futures::future::join_all(placing).await {
        assert_eq!(
            told.unwrap(),
            Placement::Waiting(Status::PaymentPending),
            "a charge whose result is not known stays pending"
        );
    }
    assert_eq!(world.stock("A"), (0, 3, 0), "nothing is released meanwhile");
    world.payments.set_away(false);
    until("an end for all", || world.stock("A").1 == 0).await;
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_ends_after_the_hold_is_kept_or_refunded_never_both() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    let gate = Gate::default();
    world
        .payments
        .script(&buyer(1), [Outcome::LateUnheard(gate.clone())]);
    // The payer can neither ask nor settle until the hold is over.
    shop.accept(1, [("A", 1)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    let payer = world.process();
    payer
        .faults
        .always([Op::Lookup, Op::Settle], &Fault::Unavailable);
    let placing = payer.placing(1);
    gate.reached().await;
    gate.open();
    until("the charge", || world.paid(1).0 > money(0)).await;
    tokio::time::sleep(world.settings.hold * 2).await;
    payer.faults.clear();
    placing.await.unwrap().unwrap();
    let (captured, refunded) = world.paid(1);
    match world.state(1) {
        PLACED => assert_eq!(refunded, money(0)),
        _ => assert_eq!(refunded, captured),
    }
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn a_refund_is_executed_once_although_its_executor_dies_on_the_way() {
    for (op, after) in [
        (Op::Refund, false),
        (Op::Refund, true),
        (Op::Refunded, false),
    ] {
        let world = World::selling([("A", 1)]);
        let shop = world.process();
        shop.accept(1, [("A", 1)]).await;
        shop.work_once().await;
        world.correct("A", -1);
        assert_eq!(
            shop.place(1).await.unwrap(),
            Placement::Failed(Reason::NegativeInventory)
        );
        let gate = Gate::default();
        let mut sweeper = world.process();
        let fault = if after {
            Fault::HoldAfter(gate.clone())
        } else {
            Fault::HoldBefore(gate.clone())
        };
        sweeper.faults.next(op, [fault]);
        sweeper.start_working();
        gate.reached().await;
        sweeper.crash();
        let other = world.working();
        until("the record", || {
            world
                .inventory
                .state()
                .refunds
                .values()
                .all(|refund| refund.executed_at.is_some())
        })
        .await;
        assert_eq!(world.paid(1), (money(250), money(250)), "{op:?}");
        drop(other);
        world.check_invariants().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_refuses_for_good_fails_the_order_after_asking_for_the_fence() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    shop.faults.next(Op::Charge, [Fault::Permanent]);
    shop.accept(1, [("A", 1)]).await;
    assert_eq!(
        shop.place(1).await.unwrap(),
        Placement::Failed(Reason::Declined)
    );
    assert_eq!(world.payments.count(Call::Cancel(id(1))), 1);
    assert_eq!(world.stock("A"), (1, 0, 0));
    world.check_invariants().await;
}
