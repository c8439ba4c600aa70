//! The database: commits in doubt, races for one order, corrections, failovers, outages.

use std::time::Duration;

use oms::domain::Reason;
use oms::flow::{CancelOutcome, Placement};
use oms::inventory::{Adjusted, Adjustment, Administration, Inventory, Settle, SettleAction};
use tokio::time::Instant;
use uuid::Uuid;

use crate::faults::{Fault, Faults, Faulty, Op};
use crate::flow::world::{BLOCKED, PLACED, World, failed, until};
use crate::make::{id, money, sku};

#[tokio::test(start_paused = true)]
async fn a_commit_in_doubt_is_found_out_and_done_once() {
    for op in [Op::Reserve, Op::Settle] {
        for fault in [Fault::LostBefore, Fault::LostAfter, Fault::Unavailable] {
            let world = World::selling([("A", 3)]);
            let shop = world.working();
            shop.faults.next(op, vec![fault.clone(); 3]);
            for number in 1..=2 {
                shop.accept(number, [("A", 1)]).await;
            }
            let (one, two) = tokio::join!(shop.place(1), shop.place(2));
            assert_eq!(
                (one.unwrap(), two.unwrap()),
                (Placement::Placed, Placement::Placed),
                "{op:?} {fault:?}"
            );
            assert_eq!(world.stock("A"), (1, 0, 2), "{op:?} {fault:?}");
            world.check_invariants().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_adjustment_retried_after_a_commit_in_doubt_is_made_once() {
    for fault in [Fault::LostBefore, Fault::LostAfter] {
        let world = World::selling([("A", 5)]);
        let faults = Faults::default();
        let inventory = Faulty::new(world.inventory.clone(), &faults);
        faults.next(Op::Adjust, [fault]);
        let adjustment = Adjustment {
            id: Uuid::from_u128(5),
            sku: sku("A"),
            by: -2,
            reason: "recount".to_owned(),
        };
        let first = inventory.adjust(vec![adjustment.clone()]).await;
        assert!(first.is_err_and(|error| error.is_transient()));
        let again = inventory.adjust(vec![adjustment]).await.unwrap();
        assert!(matches!(
            again[0],
            Adjusted::Applied(_) | Adjusted::Repeated(_)
        ));
        assert_eq!(world.stock("A"), (3, 0, 0));
        world.check_invariants().await;
    }
}

#[tokio::test(start_paused = true)]
async fn release_expiry_cancel_and_settle_at_once_end_an_order_one_way() {
    // Twenty rounds: the order of the tasks differs by how far the hold has run out.
    for round in 0..20_u32 {
        let world = World::selling([("A", 2)]);
        let shop = world.working();
        let other = world.working();
        shop.accept(1, [("A", 2)]).await;
        until("the block", || world.state(1) == BLOCKED).await;
        let margin = Duration::from_millis(u64::from(round));
        tokio::time::sleep(world.settings.hold.saturating_sub(margin)).await;
        let settle = |action| {
            world.inventory.settle(vec![Settle {
                order_id: id(1),
                action,
            }])
        };
        let (placed, cancelled, swept, released) = tokio::join!(
            shop.place(1),
            other.flow.cancel(id(1)),
            other.flow.sweep(),
            settle(SettleAction::Release {
                reason: Reason::Expired
            }),
        );
        let told = placed.unwrap();
        swept.unwrap();
        released.unwrap();
        let end = world.state(1).unwrap();
        match told {
            Placement::Placed => assert_eq!(Some(end), PLACED),
            Placement::Failed(reason) => assert_eq!(Some(end), failed(reason)),
            Placement::Waiting(_) => {}
        }
        if let CancelOutcome::Placed = cancelled.unwrap() {
            assert_eq!(Some(end), PLACED);
        }
        let stock = world.stock("A");
        assert!(stock == (2, 0, 0) || stock == (0, 0, 2), "{stock:?}");
        world.check_invariants().await;
    }
}

#[tokio::test(start_paused = true)]
async fn giving_up_races_a_late_block_and_one_of_them_counts() {
    for offset_ms in [-1_i64, 0, 1] {
        let world = World::selling([("A", 1)]);
        let shop = world.process();
        shop.accept(1, [("A", 1)]).await;
        let worker = world.process();
        let wait = world.settings.wait;
        let late = if offset_ms < 0 {
            wait.saturating_sub(Duration::from_millis(1))
        } else {
            wait + Duration::from_millis(offset_ms.unsigned_abs())
        };
        let working = async {
            tokio::time::sleep(late).await;
            worker.work_once().await;
        };
        let (placed, ()) = tokio::join!(shop.place(1), working);
        match placed.unwrap() {
            Placement::Failed(Reason::GaveUp) => {
                assert_eq!(world.state(1), failed(Reason::GaveUp));
                assert_eq!(world.stock("A"), (1, 0, 0));
            }
            // Blocked at the last moment: it may still be paid, or is fenced and given back.
            Placement::Placed => assert_eq!(world.stock("A"), (0, 0, 1)),
            Placement::Failed(_) => assert_eq!(world.stock("A"), (1, 0, 0)),
            waiting @ Placement::Waiting(_) => panic!("{offset_ms} ms: {waiting:?}"),
        }
        world.check_invariants().await;
    }
}

#[tokio::test(start_paused = true)]
async fn stock_taken_from_under_blocked_items_fails_the_order_and_refunds_it() {
    let world = World::selling([("A", 10)]);
    let shop = world.working();
    for number in 1..=10 {
        shop.accept(number, [("A", 1)]).await;
    }
    until("the blocks", || world.stock("A").1 == 10).await;
    world.correct("A", -4);
    let placing = (1..=10).map(|number| shop.place(number));
    let told = futures::future::join_all(placing).await;
    let count = |wanted: Placement| {
        told.iter()
            .filter(|told| matches!(told, Ok(told) if *told == wanted))
            .count()
    };
    assert_eq!(count(Placement::Placed), 6);
    assert_eq!(count(Placement::Failed(Reason::NegativeInventory)), 4);
    assert_eq!(world.stock("A"), (0, 0, 6));
    world.check_invariants().await;
    let refunded = (1..=10).filter(|number| world.paid(*number).1 > money(0));
    assert_eq!(refunded.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn stock_adjusted_down_and_back_before_payment_fails_nobody() {
    let world = World::selling([("A", 3)]);
    let shop = world.working();
    for number in 1..=3 {
        shop.accept(number, [("A", 1)]).await;
    }
    until("the blocks", || world.stock("A").1 == 3).await;
    world.correct("A", -2);
    world.correct("A", 2);
    for number in 1..=3 {
        assert_eq!(shop.place(number).await.unwrap(), Placement::Placed);
    }
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn a_failover_that_loses_the_last_commits_refunds_and_places_nothing_silently() {
    let world = World::selling([("A", 3)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    let replica = world.inventory.state().clone();
    for number in 2..=3 {
        shop.accept(number, [("A", 1)]).await;
    }
    assert_eq!(shop.place(2).await.unwrap(), Placement::Placed);
    until("the block", || world.state(3) == BLOCKED).await;
    // The replica knows neither the sale of the second nor the block of the third.
    world.inventory.restore(replica);
    for number in 2..=3 {
        let told = shop.place(number).await.unwrap();
        assert!(matches!(told, Placement::Failed(_)), "{number}: {told:?}");
    }
    assert_eq!(world.state(1), PLACED);
    until("the refund", || world.paid(2).1 == world.paid(2).0).await;
    assert_eq!(world.paid(3).0, world.paid(3).1);
    assert_eq!(world.stock("A"), (2, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_database_away_for_two_minutes_loses_nobody() {
    let world = World::selling([("A", 9)]);
    let shop = world.working();
    for number in 1..=3 {
        shop.accept(number, [("A", 1)]).await;
    }
    until("the blocks", || world.stock("A").1 == 3).await;
    // Whoever places what this process has just decided need not read it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    shop.faults.always(Op::DATABASE, &Fault::Unavailable);
    let began = Instant::now();
    let told = shop.place(1).await;
    assert!(
        told.is_err(),
        "with no database nothing can be told: {told:?}"
    );
    assert!(began.elapsed() <= world.settings.wait + Duration::from_secs(30));
    tokio::time::sleep(Duration::from_secs(20)).await;
    shop.faults.clear();
    for number in 1..=3 {
        let told = shop.place(number).await.unwrap();
        assert!(!matches!(told, Placement::Waiting(_)), "{told:?}");
    }
    world.check_invariants().await;
}
