//! The sweep of rules 1 and 11: every overdue order and every refund has its turn.

use std::time::Duration;

use oms::domain::{Money, Reason};

use crate::faults::{Fault, Op};
use crate::flow::world::{BLOCKED, World, failed};

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
    // From the front again.
    assert_eq!(returned(1), Money::ZERO);
    assert_eq!(shop.flow.sweep().await.unwrap().refunded, 1_000);
    assert_ne!(returned(1), Money::ZERO);
    world.check_invariants().await;
}
