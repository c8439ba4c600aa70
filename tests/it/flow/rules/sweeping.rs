//! The sweep of rules 1 and 11: every overdue order and every refund has its turn.

use std::time::Duration;

use oms::domain::{Money, Reason};
use oms::inventory::Inventory as _;
use tokio::time::Instant;

use crate::faults::{Fault, Op};
use crate::flow::world::{BLOCKED, Process, World, failed, until};

/// More than one round looks at.
const AWAITING: u16 = 1_005;

#[tokio::test(start_paused = true)]
async fn rule_01_orders_that_wait_for_their_gateway_do_not_keep_later_ones_from_being_released() {
    let world = World::selling([("A", 2_000)]);
    let shop = world.process();
    for number in 1..=AWAITING {
        shop.accept(number.into(), [("A", 1)]).await;
    }
    shop.work_once().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let last = u64::from(AWAITING) + 1;
    shop.accept(last, [("A", 1)]).await;
    shop.work_once().await;
    tokio::time::sleep(world.settings.hold).await;
    // The gateway does not answer for all but the last one.
    let silence = vec![Fault::Unavailable; AWAITING.into()];
    shop.faults.next(Op::Cancel, silence);
    let first_round = shop.flow.sweep().await.unwrap();
    let swept = (first_round.awaiting_gateway, first_round.settled);
    assert_eq!(swept, (1_000, 0));
    assert!(!first_round.more, "nothing is gained by hurrying");
    assert_eq!(world.state(last), BLOCKED);
    let second_round = shop.flow.sweep().await.unwrap();
    let swept = (second_round.awaiting_gateway, second_round.settled);
    assert_eq!(swept, (5, 1));
    assert_eq!(world.state(last), failed(Reason::Expired));
    // From the front again.
    assert_eq!(world.state(1), BLOCKED);
    assert_eq!(shop.flow.sweep().await.unwrap().settled, 1_000);
    assert_eq!(world.state(1), failed(Reason::Expired));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_11_refunds_that_fail_do_not_keep_later_ones_from_being_executed() {
    let world = World::selling([("A", 2_000)]);
    let shop = world.process();
    let last = u64::from(AWAITING) + 1;
    for number in 1..=last {
        shop.accept(number, [("A", 1)]).await;
    }
    shop.work_once().await;
    // All are found missing: whoever pays is owed the money.
    world.correct("A", -2_000);
    shop.faults.always([Op::Refund], &Fault::Unavailable);
    for number in 1..=last {
        if number == last {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        shop.place(number).await.unwrap();
        assert_eq!(world.state(number), failed(Reason::NegativeInventory));
    }
    shop.faults.clear();
    // The gateway refuses all but the last one.
    let refusals = vec![Fault::Unavailable; AWAITING.into()];
    shop.faults.next(Op::Refund, refusals);
    let returned = |number| world.paid(number).1;
    assert_eq!(shop.flow.sweep().await.unwrap().refunded, 0);
    assert_eq!(returned(last), Money::ZERO);
    assert_eq!(shop.flow.sweep().await.unwrap().refunded, 1);
    assert_ne!(returned(last), Money::ZERO);
    // From the front again, once their pause is over.
    assert_eq!(returned(1), Money::ZERO);
    assert_eq!(shop.flow.sweep().await.unwrap().refunded, 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let next_round = shop.flow.sweep().await.unwrap();
    assert_eq!(next_round.refunded, 5, "behind those of the first round");
    assert_eq!(shop.flow.sweep().await.unwrap().refunded, 1_000);
    assert_ne!(returned(1), Money::ZERO);
    world.check_invariants().await;
}

/// How often a process that sweeps finds time for a round.
const SWEEP_EVERY: Duration = Duration::from_millis(200);

/// Sweeps for so long; how many refunds were executed.
async fn sweep_for(shop: &Process, time: Duration) -> usize {
    let deadline = Instant::now() + time;
    let mut refunded = 0;
    while Instant::now() < deadline {
        refunded += shop.flow.sweep().await.unwrap().refunded;
        tokio::time::sleep(SWEEP_EVERY).await;
    }
    refunded
}

/// A shop that owes refunds to so many buyers.
async fn owing(world: &World, buyers: u64) -> Process {
    let shop = world.process();
    for number in 1..=buyers {
        shop.accept(number, [("A", 1)]).await;
    }
    shop.work_once().await;
    world.correct("A", -i64::try_from(buyers).unwrap());
    for number in 1..=buyers {
        shop.place(number).await.unwrap();
        assert_eq!(world.state(number), failed(Reason::NegativeInventory));
    }
    shop
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_refund_that_the_gateway_refuses_is_tried_less_and_less_often() {
    let world = World::selling([("A", 3)]);
    let shop = owing(&world, 3).await;
    shop.faults.always([Op::Refund], &Fault::Permanent);
    assert_eq!(sweep_for(&shop, Duration::from_secs(600)).await, 0);
    let refused = shop.flow.metrics().refunds_refused.get();
    // Every 200 ms would be 9,000; doubling from half a second to five minutes takes about ten each.
    assert!((18..=45).contains(&refused), "{refused} attempts");
    shop.faults.clear();
    // No pause is longer than five minutes.
    assert_eq!(sweep_for(&shop, Duration::from_secs(301)).await, 3);
    assert_eq!(world.inventory.refunds_due(None, 9).await.unwrap(), []);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_sweeps_become_rarer_while_the_gateway_is_away_and_go_on_when_it_is_back() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    let worker = world.working();
    worker.faults.always([Op::Cancel], &Fault::Unavailable);
    tokio::time::sleep(world.settings.hold + Duration::from_secs(5)).await;
    assert_eq!(world.state(1), BLOCKED, "no verdict, no release");
    let asked = worker.faults.calls(Op::Cancel);
    tokio::time::sleep(Duration::from_secs(100)).await;
    let asked = worker.faults.calls(Op::Cancel) - asked;
    assert!((40..=110).contains(&asked), "asked {asked} times in 100 s");
    let trouble = worker.flow.gateway_trouble().unwrap();
    assert!(trouble.contains("Cancel"), "{trouble}");
    worker.faults.clear();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.state(1), failed(Reason::Expired));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_round_ends_early_while_the_gateway_hangs_and_the_next_one_begins_behind_it() {
    let world = World::selling([("A", 2_000)]);
    let shop = world.process();
    for number in 1..=AWAITING {
        shop.accept(number.into(), [("A", 1)]).await;
    }
    shop.work_once().await;
    tokio::time::sleep(world.settings.hold).await;
    let forever = Fault::DelayBefore(Duration::from_secs(100_000));
    shop.faults.always([Op::Cancel], &forever);
    let began = Instant::now();
    let round = shop.flow.sweep().await.unwrap();
    assert!(
        began.elapsed() <= world.settings.payment_timeout * 2,
        "the round took {:?}",
        began.elapsed()
    );
    assert_eq!(round.settled, 0);
    let looked_at = round.awaiting_gateway;
    assert!(looked_at >= 64, "{round:?}");
    // It answers again: those behind have their turn first, then those in front.
    shop.faults.clear();
    let behind = usize::from(AWAITING) - looked_at;
    assert_eq!(shop.flow.sweep().await.unwrap().settled, behind.min(1_000));
    assert_eq!(world.state(1), BLOCKED);
    assert_eq!(shop.flow.sweep().await.unwrap().settled, looked_at);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_gateway_that_says_when_to_come_back_is_left_alone_until_then() {
    let world = World::selling([("A", 2)]);
    let shop = owing(&world, 2).await;
    world.payments.set_busy(Some(Duration::from_secs(90)));
    assert_eq!(sweep_for(&shop, Duration::from_secs(1)).await, 0);
    let asked = world.payments.calls().len();
    world.payments.set_busy(None);
    assert_eq!(sweep_for(&shop, Duration::from_secs(88)).await, 0);
    assert_eq!(world.payments.calls().len(), asked);
    assert_eq!(sweep_for(&shop, Duration::from_secs(10)).await, 2);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_gateway_hangs_ends_within_15_seconds() {
    let world = World::selling([("A", 2_000)]);
    let shop = world.process();
    for number in 1..=AWAITING {
        shop.accept(number.into(), [("A", 1)]).await;
    }
    shop.work_once().await;
    let worker = world.working();
    let forever = Fault::DelayBefore(Duration::from_secs(100_000));
    worker.faults.always([Op::Cancel, Op::Refund], &forever);
    tokio::time::sleep(world.settings.hold + Duration::from_secs(3)).await;
    assert!(worker.faults.calls(Op::Cancel) > 0, "it is sweeping");
    let told = Instant::now();
    worker.end().await;
    assert!(
        told.elapsed() <= Duration::from_secs(15),
        "{:?}",
        told.elapsed()
    );
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_database_hangs_ends_within_15_seconds() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    let worker = world.working();
    let forever = Fault::DelayBefore(Duration::from_secs(100_000));
    worker
        .faults
        .always([Op::Reserve, Op::Expired, Op::Settle], &forever);
    until("the attempt", || worker.faults.calls(Op::Reserve) > 0).await;
    let told = Instant::now();
    worker.end().await;
    assert!(
        told.elapsed() <= Duration::from_secs(15),
        "{:?}",
        told.elapsed()
    );
    world.check_invariants().await;
}
