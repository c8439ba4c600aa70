//! Rows that somebody has changed past the program (rule 18).

use std::time::Duration;

use oms::domain::{Reason, Status};
use oms::flow::{CancelOutcome, Failure, Placement};
use oms::inventory::AuditRequest;

use crate::faults::{Fault, Op};
use crate::flow::world::{BLOCKED, PLACED, World, buyer, failed, until};
use crate::make::{id, money, sku};
use crate::model::{Call, Outcome};

fn set_blocked(world: &World, name: &str, units: i64) {
    let mut state = world.inventory.state();
    state.items.get_mut(&sku(name)).unwrap().level.blocked = units;
}

#[tokio::test(start_paused = true)]
async fn a_damaged_item_stops_its_own_orders_and_a_repair_brings_them_back() {
    let world = World::selling([("A", 9), ("B", 9)]);
    let shop = world.working();
    for (number, name) in (1..=6).zip(["A", "B", "A", "B", "A", "B"]) {
        shop.accept(number, [(name, 1)]).await;
    }
    until("the blocks", || {
        world.stock("A").1 + world.stock("B").1 == 6
    })
    .await;
    set_blocked(&world, "A", 0);
    // All at once, so that they meet in one batch.
    let placed = futures::future::join_all((1..=6).map(|number| shop.place(number))).await;
    for (number, told) in (1..).zip(&placed) {
        if number % 2 == 0 {
            assert!(matches!(told, Ok(Placement::Placed)), "{number}: {told:?}");
        } else {
            assert!(
                matches!(told, Err(Failure::Damaged { .. })),
                "{number}: {told:?}"
            );
            assert_eq!(world.state(number), BLOCKED, "it is left as it is");
            assert_eq!(world.paid(number), (money(250), money(0)));
        }
    }
    assert!(shop.flow.metrics().damaged.get() >= 3);
    assert_eq!(shop.flow.trouble(), None, "no task has ended");
    // Neither asking again nor the sweep charges, releases or refunds anything.
    assert!(matches!(shop.place(1).await, Err(Failure::Damaged { .. })));
    assert!(matches!(
        shop.flow.cancel(id(3)).await,
        Err(Failure::Damaged { .. })
    ));
    tokio::time::sleep(world.settings.hold + Duration::from_secs(5)).await;
    assert_eq!(world.state(5), BLOCKED);
    // Others go on buying the same item.
    shop.accept(7, [("A", 1)]).await;
    assert_eq!(shop.place(7).await.unwrap(), Placement::Placed);
    set_blocked(&world, "A", 3);
    for number in [1, 3, 5] {
        until("the sweep", || world.state(number) == PLACED).await;
        let charged = world.payments.entry(id(number)).unwrap();
        assert_eq!((charged.captures, charged.refunds), (1, 0));
    }
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn the_sweep_leaves_a_damaged_order_alone_for_a_while_and_settles_the_others() {
    let world = World::selling([("A", 9), ("B", 9)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    shop.accept(2, [("B", 1)]).await;
    until("the blocks", || world.state(2) == BLOCKED).await;
    set_blocked(&world, "A", 0);
    tokio::time::sleep(world.settings.hold + Duration::from_secs(21)).await;
    assert_eq!(world.state(1), BLOCKED);
    assert_eq!(world.state(2), failed(Reason::Expired));
    // A round every 200 ms would have asked the gateway a hundred times.
    assert_eq!(world.payments.count(Call::Cancel(id(1))), 1);
    set_blocked(&world, "A", 1);
    until("the sweep", || world.state(1) == failed(Reason::Expired)).await;
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn an_order_that_the_database_refuses_to_read_for_good_is_an_answer_and_no_retry() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    world.process().work_once().await;
    shop.faults.always([Op::Orders], &Fault::Permanent);
    let told = shop.place(1).await;
    assert!(matches!(told, Err(Failure::Damaged { .. })), "{told:?}");
    let found = shop.flow.find(id(1)).await;
    assert!(matches!(found, Err(Failure::Damaged { .. })), "{found:?}");
    shop.faults.clear();
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_store_fails_its_callers_and_neither_task_nor_worker_ends() {
    let world = World::selling([("A", 9)]);
    let shop = world.working();
    shop.faults.next(Op::Reserve, [Fault::Panic, Fault::None]);
    // The worker sets aside what it cannot decide, and goes on.
    shop.accept(1, [("A", 1)]).await;
    until("the decision", || world.state(1).is_some()).await;
    assert_eq!(world.state(1), failed(Reason::Poison));
    shop.accept(2, [("A", 1)]).await;
    until("the block", || world.state(2) == BLOCKED).await;
    shop.faults.next(Op::Expired, [Fault::Panic]);
    shop.faults.next(Op::Settle, [Fault::Panic]);
    let told = shop.place(2).await;
    assert!(matches!(told, Err(Failure::Damaged { .. })), "{told:?}");
    assert_eq!(shop.place(2).await.unwrap(), Placement::Placed);
    shop.accept(3, [("A", 1)]).await;
    until("the sweep", || world.state(3) == failed(Reason::Expired)).await;
    assert_eq!(shop.flow.trouble(), None);
    assert_eq!(world.status(3), Some(Status::Failed));
    assert_eq!(
        shop.flow.cancel(id(3)).await.unwrap(),
        CancelOutcome::Failed(Reason::Expired)
    );
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_captures_another_amount_is_paid_back_and_has_sold_nothing() {
    let world = World::selling([("A", 9)]);
    let shop = world.working();
    shop.accept(1, [("A", 2)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    let another = Outcome::CaptureInstead(money(1));
    world.payments.script(&buyer(1), [another]);
    assert_eq!(
        shop.place(1).await.unwrap(),
        Placement::Failed(Reason::AmountMismatch)
    );
    until("the refund", || world.paid(1) == (money(1), money(1))).await;
    assert_eq!(world.stock("A"), (9, 0, 0));
    // Everything is in order again, but that it happened has to be looked into.
    let report = oms::audit::committed(&world.bare(), AuditRequest::full(Duration::ZERO))
        .await
        .unwrap();
    let found: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    let expected = format!(
        "unpaid: {}: 0.01 was paid for an order of 5.00, and is refunded",
        id(1)
    );
    assert_eq!(found, [expected]);
}
