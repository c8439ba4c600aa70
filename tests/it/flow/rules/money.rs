//! Rules 1, 2 and 15 at unlucky moments: the money was taken, and nobody has heard of it yet.

use std::time::Duration;

use oms::domain::{Reason, Status};
use oms::flow::{CancelOutcome, Failure, Placement};
use tokio::time::{Instant, timeout};

use crate::faults::{Fault, Op};
use crate::flow::world::{BLOCKED, PLACED, Process, World, buyer, failed, until};
use crate::make::{id, money};
use crate::model::{Call, Gate, Outcome};

/// A blocked order whose payer was charged, and died before anyone could hear of it.
async fn charged_by_a_payer_that_died(world: &World) -> Process {
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    shop.work_once().await;
    let payer = world.process();
    let gate = Gate::default();
    payer
        .faults
        .next(Op::Charge, [Fault::HoldAfter(gate.clone())]);
    let placing = payer.placing(1);
    gate.reached().await;
    payer.crash();
    placing.abort();
    assert_eq!(world.paid(1), (money(250), money(0)));
    assert_eq!(world.state(1), BLOCKED);
    shop
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_buyer_who_cancels_after_the_money_was_taken_has_bought() {
    let world = World::selling([("A", 1)]);
    let shop = charged_by_a_payer_that_died(&world).await;
    assert_eq!(
        shop.flow.cancel(id(1)).await.unwrap(),
        CancelOutcome::Placed
    );
    assert_eq!(world.state(1), PLACED);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_buyer_who_cancels_fences_the_charge_that_is_under_way() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    let gate = Gate::default();
    world
        .payments
        .script(&buyer(1), [Outcome::Late(gate.clone())]);
    shop.accept(1, [("A", 1)]).await;
    let placing = shop.placing(1);
    gate.reached().await;
    assert_eq!(
        shop.flow.cancel(id(1)).await.unwrap(),
        CancelOutcome::Failed(Reason::Cancelled)
    );
    gate.open();
    assert_eq!(
        placing.await.unwrap().unwrap(),
        Placement::Failed(Reason::Cancelled)
    );
    assert_eq!(
        world.paid(1),
        (money(0), money(0)),
        "a charge was taken for an order that had been cancelled"
    );
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_who_comes_too_late_to_pay_still_asks_what_became_of_an_earlier_charge() {
    let world = World::selling([("A", 1)]);
    let shop = charged_by_a_payer_that_died(&world).await;
    let nearly_all = world
        .settings
        .hold
        .saturating_sub(world.settings.payment_timeout / 2);
    tokio::time::sleep(nearly_all).await;
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    assert_eq!(world.payments.count(Call::Charge(id(1))), 1);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_charge_without_a_verdict_at_the_deadline_is_left_alone_and_a_repeat_goes_on() {
    let mut world = World::selling([("A", 1)]);
    world.settings.hold = Duration::from_secs(600);
    let shop = world.working();
    world
        .payments
        .script(&buyer(1), [Outcome::Pending { asks: 250 }]);
    shop.accept(1, [("A", 1)]).await;
    assert_eq!(
        shop.place(1).await.unwrap(),
        Placement::Waiting(Status::PaymentPending)
    );
    assert_eq!(world.state(1), BLOCKED);
    assert_eq!(
        world.payments.count(Call::Cancel(id(1))),
        0,
        "a charge that may still succeed was cancelled"
    );
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_gateway_that_hangs_holds_up_neither_the_one_who_gives_up_nor_the_sweep() {
    let world = World::selling([("A", 2)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    let never = Gate::default();
    // The database loses an order that was paid for, and the gateway does not answer.
    let mut earlier = world.inventory.state().clone();
    earlier.orders.clear();
    for item in earlier.items.values_mut() {
        item.level.available = 2;
        item.level.sold = 0;
    }
    world.inventory.restore(earlier);
    shop.faults
        .always([Op::Cancel], &Fault::HoldBefore(never.clone()));
    let most = world.settings.wait + world.settings.payment_timeout + Duration::from_secs(5);
    let told = timeout(most, shop.place(1)).await.expect("it hangs");
    assert!(matches!(told, Err(Failure::Port { .. })), "{told:?}");
    shop.faults.clear();
    // What it owes is paid back by whoever gets through, while the first one waits for an answer that never comes.
    shop.faults.next(Op::Refund, [Fault::HoldBefore(never)]);
    assert_eq!(
        shop.place(1).await.unwrap(),
        Placement::Failed(Reason::MissingOrder)
    );
    shop.accept(2, [("A", 1)]).await;
    until("the sweep", || world.state(2) == failed(Reason::Expired)).await;
    until("the refund", || world.paid(1).1 == world.paid(1).0).await;
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_charge_is_not_begun_again_with_too_little_of_the_hold_left() {
    let mut world = World::selling([("A", 1)]);
    world.settings.hold = Duration::from_secs(15);
    let shop = world.process();
    // Every attempt times out without a charge, until there is no time for another.
    world.payments.otherwise(Outcome::TimeOut);
    shop.accept(1, [("A", 1)]).await;
    shop.work_once().await;
    let began = Instant::now();
    assert_eq!(
        shop.place(1).await.unwrap(),
        Placement::Failed(Reason::Expired)
    );
    let last = world
        .settings
        .hold
        .saturating_sub(world.settings.payment_timeout);
    assert!(
        began.elapsed() <= last + Duration::from_secs(2),
        "it went on for {:?}",
        began.elapsed()
    );
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_02_nothing_is_charged_for_an_order_that_has_failed() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    shop.flow.cancel(id(1)).await.unwrap();
    // Only the database remembers, and there is time left on what was its hold.
    world.statuses.flush();
    assert_eq!(
        shop.place(1).await.unwrap(),
        Placement::Failed(Reason::Cancelled)
    );
    assert_eq!(world.payments.count(Call::Charge(id(1))), 0);
    assert_eq!(world.payments.count(Call::Cancel(id(1))), 1);
    world.check_invariants().await;
}

/// Places the order from a process that dies with its charge under way.
async fn a_payer_dies_on_the_way(world: &World, payer: &Process) {
    let gate = Gate::default();
    payer
        .faults
        .next(Op::Charge, [Fault::HoldBefore(gate.clone())]);
    let placing = payer.placing(1);
    gate.reached().await;
    payer.crash();
    placing.abort();
    assert_eq!(world.status(1), Some(Status::PaymentPending));
}

#[tokio::test(start_paused = true)]
async fn rule_15_the_time_out_of_a_crashed_payer_counts_from_when_it_began() {
    for (later, at_most) in [(8, 2), (30, 0)] {
        let world = World::selling([("A", 1)]);
        let shop = world.process();
        shop.accept(1, [("A", 1)]).await;
        shop.work_once().await;
        a_payer_dies_on_the_way(&world, &world.process()).await;
        tokio::time::sleep(Duration::from_secs(later)).await;
        let began = Instant::now();
        assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
        let took = began.elapsed();
        assert!(
            took <= Duration::from_millis(at_most * 1_000 + 500),
            "{later} s later it took {took:?}"
        );
        world.check_invariants().await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_crashed_payer_whose_clock_was_ahead_is_taken_over_as_soon_as_any() {
    let mut world = World::selling([("A", 1)]);
    world.settings.hold = Duration::from_secs(7_200);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    shop.work_once().await;
    let ahead = world.clock.another();
    ahead.forward(Duration::from_secs(3_600));
    a_payer_dies_on_the_way(&world, &world.process_by(ahead)).await;
    let began = Instant::now();
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    let took = began.elapsed();
    assert!(
        took <= world.settings.payment_timeout + Duration::from_secs(1),
        "it took {took:?}"
    );
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_15_who_takes_a_payment_over_charges_only_if_there_is_time_left() {
    // The payer dies with 15 s of the hold left; after its time-out of 10 s there are 5.
    let mut world = World::selling([("A", 1)]);
    world.settings.hold = Duration::from_secs(15);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    shop.work_once().await;
    a_payer_dies_on_the_way(&world, &world.process()).await;
    assert_eq!(
        shop.place(1).await.unwrap(),
        Placement::Failed(Reason::Expired)
    );
    assert_eq!(
        world.payments.count(Call::Charge(id(1))),
        0,
        "a charge was begun with less than the payment time-out left"
    );
    world.check_invariants().await;
}
