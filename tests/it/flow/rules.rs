//! One test or more per protocol rule; each fails when its rule is taken out. Rule 4 needs real processes.
//!
//! The clauses that only an unlucky moment shows are in files of their own: `money` (1, 2, 15), `sweeping` (1), `waiting` (3, 8, 16),
//! `stock` (5, 6, 7) and `setting_aside` (13).

mod money;
mod setting_aside;
mod stock;
mod sweeping;
mod waiting;

use std::time::Duration;

use oms::domain::{OrderState, Reason, Status};
use oms::flow::{Added, CancelOutcome, Failure, Found, Placement};
use oms::inventory::{Adjusted, Adjustment, Administration, Inventory, Settle, SettleAction};
use oms::statuses::CachedStock;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::world::{BLOCKED, PLACED, World, buyer, failed, ids, until};
use crate::faults::{Fault, Op};
use crate::make::{cart, id, money, sku};
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
    assert_eq!(world.inventory.refunds_due(10).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn rule_03_an_absent_order_is_unknown_only_when_the_queue_is_consumed() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    world.statuses.flush();
    let placing = shop.placing(1);
    // Nobody knows it but the queue, for a minute.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(
        !placing.is_finished(),
        "an order in the queue was said not to exist"
    );
    assert!(matches!(
        shop.flow.find(id(1)).await.unwrap(),
        Found::Unknown { backlog: 1 }
    ));
    shop.work_once().await;
    assert_eq!(placing.await.unwrap().unwrap(), Placement::Placed);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_03_an_unknown_order_is_told_soon_and_leaves_nothing() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    let asked = Instant::now();
    assert!(matches!(
        shop.place(9).await,
        Err(Failure::UnknownOrder { .. })
    ));
    let took = asked.elapsed();
    assert!(
        took >= Duration::from_secs(2),
        "at least 2 s count as INIT, and it took {took:?}"
    );
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    assert_eq!(world.order(9), None, "404 writes nothing");
    assert!(matches!(
        shop.flow.find(id(9)).await.unwrap(),
        Found::Unknown { backlog: 0 }
    ));
}

#[tokio::test(start_paused = true)]
async fn rule_03_giving_up_excludes_a_late_block() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    let asked = Instant::now();
    assert_eq!(
        shop.place(1).await.unwrap(),
        Placement::Failed(Reason::GaveUp)
    );
    let (took, wait) = (asked.elapsed(), world.settings.wait);
    assert!(
        took >= wait && took < wait + Duration::from_secs(2),
        "gave up after {took:?}"
    );
    // Nothing short of the full time writes a tombstone; the worker comes too late for this one.
    shop.work_once().await;
    assert_eq!(world.state(1), failed(Reason::GaveUp));
    assert_eq!(world.stock("A"), (1, 0, 0));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_05_one_id_is_one_cart() {
    let world = World::selling([("A", 9), ("B", 9)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    assert!(matches!(
        shop.add(1, [("B", 1)]).await,
        Err(Failure::IdConflict { .. })
    ));
    until("the block", || world.state(1) == BLOCKED).await;
    // After a flush the other cart slips through, and the worker sets it aside.
    world.statuses.flush();
    shop.accept(1, [("B", 1)]).await;
    until("the dead letter", || !world.queue.dead_letters().is_empty()).await;
    assert_eq!(world.order(1).unwrap().lines[0].sku, sku("A"));
    let meant = cart("c1", [("B", 1)]).hash();
    let placed = shop.flow.place_order(id(1), Some(meant)).await;
    assert!(
        matches!(placed, Err(Failure::CartMismatch { .. })),
        "{placed:?}"
    );
    assert_eq!(
        world.payments.count(Call::Charge(id(1))),
        0,
        "charged for a cart that was not meant"
    );
    assert_eq!(world.stock("B"), (9, 0, 0));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_06_a_retry_of_the_buyer_who_took_the_last_unit_is_not_refused() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    world.statuses.flush();
    let again = shop.add(1, [("A", 1)]).await.unwrap();
    assert!(
        matches!(
            again,
            Added::Known {
                status: Status::Block,
                ..
            }
        ),
        "{again:?}"
    );
    let stranger = shop.add(2, [("A", 1)]).await.unwrap();
    assert!(matches!(stranger, Added::Refused(refusal) if refusal.reason == Reason::Held));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_an_old_entry_never_refuses_and_a_lost_version_does_not_pin_the_cache() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    // A frozen entry of the shared cache, of a version that the database has lost.
    let mut level = world.inventory.state().items[&sku("A")].level.clone();
    level.available = 0;
    level.version = 99;
    let cached_at = oms::ports::Clock::now(&world.clock);
    world.statuses.plant_stock(CachedStock { level, cached_at });
    let added = shop.add(1, [("A", 1)]).await.unwrap();
    assert!(
        matches!(added, Added::Refused(_)),
        "a fresh entry counts: {added:?}"
    );
    tokio::time::sleep(Duration::from_millis(150)).await;
    shop.accept(1, [("A", 1)]).await;
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_process_that_only_accepts_learns_that_an_item_is_sold() {
    let world = World::selling([("A", 1)]);
    let front = world.process();
    let back = world.process();
    front.accept(1, [("A", 1)]).await;
    back.work_once().await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    // The first to come after that may be accepted; whoever comes later is not.
    front.add(2, [("A", 1)]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let added = front.add(3, [("A", 1)]).await.unwrap();
    assert!(
        matches!(added, Added::Refused(_)),
        "the cache still says that there is stock: {added:?}"
    );
    back.work_once().await;
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_held_is_said_only_if_the_held_units_would_do() {
    let world = World::selling([("A", 2)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    let Added::Refused(held) = shop.add(2, [("A", 2)]).await.unwrap() else {
        panic!("accepted")
    };
    assert_eq!(held.reason, Reason::Held);
    assert!(
        held.retry_after
            .is_some_and(|after| after <= world.settings.hold && !after.is_zero())
    );
    let Added::Refused(none) = shop.add(3, [("A", 3)]).await.unwrap() else {
        panic!("accepted")
    };
    assert_eq!((none.reason, none.retry_after), (Reason::SoldOut, None));
}

#[tokio::test(start_paused = true)]
async fn rule_08_statuses_heal_from_the_database() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    // Whatever the worker writes to the status store is dropped, and a waiter must still be woken.
    let worker = world.process();
    worker.faults.always([Op::Transition], &Fault::Forget);
    worker.work_once().await;
    assert_eq!(world.status(1), Some(Status::Init));
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    // Rolled back to INIT, it converges again, and INIT that comes late does not overwrite.
    world.statuses.flush();
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    assert_eq!(world.status(1), Some(Status::Placed));
    let late = shop.add(1, [("A", 1)]).await.unwrap();
    assert!(matches!(
        late,
        Added::Known {
            status: Status::Placed,
            ..
        }
    ));
    assert_eq!(world.status(1), Some(Status::Placed));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_09_duplicates_of_a_message_take_stock_once() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    for copies in 1..=5 {
        shop.faults.next(Op::Publish, [Fault::Duplicate(copies)]);
        shop.accept(u64::try_from(copies).unwrap(), [("A", 1)])
            .await;
    }
    shop.faults.next(Op::Poll, [Fault::Duplicate(3)]);
    shop.work_once().await;
    assert_eq!(world.stock("A"), (4, 5, 0));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_10_ten_settles_in_one_batch_do_not_all_see_the_same_shortage() {
    let world = World::selling([("A", 10)]);
    let shop = world.process();
    for number in 1..=10 {
        shop.accept(number, [("A", 1)]).await;
    }
    shop.work_once().await;
    world.correct("A", -3);
    assert_eq!(world.stock("A"), (-3, 10, 0));
    let batch = ids(1..=10).into_iter().map(|order_id| Settle {
        order_id,
        action: SettleAction::Confirm {
            captured: money(250),
        },
    });
    let settled = world.inventory.settle(batch.collect()).await.unwrap();
    let placed = settled
        .outcomes
        .iter()
        .filter_map(|outcome| outcome.order.as_ref());
    let placed = placed
        .filter(|order| order.state == OrderState::Placed)
        .count();
    assert_eq!(placed, 7, "exactly the three that are missing fail");
    assert_eq!(world.stock("A"), (0, 0, 7));
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
async fn rule_12_an_adjustment_that_is_retried_is_made_once() {
    let world = World::selling([("A", 5)]);
    let adjustment = Adjustment {
        id: Uuid::from_u128(1),
        sku: sku("A"),
        by: -2,
        reason: "recount".to_owned(),
    };
    for round in 0..3 {
        let adjusted = world
            .inventory
            .adjust(vec![adjustment.clone()])
            .await
            .unwrap();
        assert_eq!(matches!(adjusted[0], Adjusted::Applied(_)), round == 0);
    }
    assert_eq!(world.stock("A"), (3, 0, 0));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_13_one_bad_cart_stops_nobody() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    for number in 1..=5 {
        shop.accept(number, [("A", 1)]).await;
    }
    shop.faults.poison(id(3));
    shop.work_once().await;
    assert_eq!(world.stock("A"), (5, 4, 0), "its neighbours are untouched");
    assert_eq!(world.state(3), failed(Reason::Poison));
    assert_eq!(world.queue.dead_letters().len(), 1);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_14_the_log_keeps_what_was_accepted_until_it_is_decided() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    for number in 1..=5 {
        shop.accept(number, [("A", 1)]).await;
    }
    shop.crash();
    let died = world.working();
    died.faults.always([Op::Reserve], &Fault::Unavailable);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    died.crash();
    assert_eq!(world.queue.messages().len(), 5);
    let other = world.working();
    until("the blocks", || world.stock("A") == (4, 5, 0)).await;
    drop(other);
    world.check_invariants().await;
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
async fn rule_16_the_status_store_being_away_does_not_stop_the_worker() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    for number in 1..=3 {
        shop.accept(number, [("A", 1)]).await;
    }
    let worker = world.process();
    let never = Gate::default();
    worker
        .faults
        .always([Op::Transition, Op::CacheStock], &Fault::HoldBefore(never));
    let working = timeout(Duration::from_secs(5), worker.work_once()).await;
    working.expect("the worker waits for the status store");
    assert_eq!(world.stock("A"), (6, 3, 0));
    drop(worker);
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
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
