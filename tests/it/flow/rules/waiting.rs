//! Rules 3, 8 and 16 at unlucky moments: what a waiter sees between two steps of somebody else.

use std::time::Duration;

use oms::domain::{Reason, Status};
use oms::flow::{CancelOutcome, Failure, Found, Placement};
use oms::queue::{Consumer, Queue};
use tokio::time::{Instant, timeout};

use crate::faults::{Fault, Op};
use crate::flow::world::{BLOCKED, PLACED, Process, World, failed, until};
use crate::make::id;
use crate::model::{Call, Gate};

fn placing(shop: &Process, number: u64) -> tokio::task::JoinHandle<Result<Placement, Failure>> {
    let flow = shop.flow.clone();
    tokio::spawn(async move { flow.place_order(id(number), None).await })
}

#[tokio::test(start_paused = true)]
async fn rule_03_an_order_decided_between_two_looks_is_not_unknown() {
    let world = World::selling([("A", 2)]);
    let shop = world.process();
    let worker = world.process();
    shop.accept(1, [("A", 1)]).await;
    world.statuses.flush();
    let placing = placing(&shop, 1);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    // The waiter has read that there is no such order; before it hears so, the queue is consumed.
    let gate = Gate::default();
    shop.faults
        .next(Op::Orders, [Fault::HoldAfter(gate.clone())]);
    gate.reached().await;
    worker.work_once().await;
    world.statuses.flush();
    gate.open();
    assert_eq!(placing.await.unwrap().unwrap(), Placement::Placed);

    shop.accept(2, [("A", 1)]).await;
    world.statuses.flush();
    let gate = Gate::default();
    shop.faults
        .next(Op::Orders, [Fault::None, Fault::HoldAfter(gate.clone())]);
    let flow = shop.flow.clone();
    let finding = tokio::spawn(async move { flow.find(id(2)).await });
    gate.reached().await;
    worker.work_once().await;
    world.statuses.flush();
    gate.open();
    let found = finding.await.unwrap().unwrap();
    assert!(matches!(found, Found::Order(_)), "{found:?}");
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_03_what_others_queue_later_does_not_keep_an_unknown_order_waiting() {
    let world = World::selling([("A", 1_000)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    let (placing, flow) = (placing(&shop, 9_999), shop.flow.clone());
    let finding = tokio::spawn(async move { flow.find(id(9_998)).await });
    // The worker keeps up, and the queue is never empty.
    let mut consumer = world.queue.subscribe().await.unwrap();
    for number in 2..=200 {
        tokio::time::sleep(Duration::from_millis(33)).await;
        shop.accept(number, [("A", 1)]).await;
        let next = consumer.poll(1, Duration::ZERO).await.unwrap();
        let position = next[0].position;
        let _ = shop.flow.process(&next).await.unwrap();
        consumer.commit(vec![position]).await.unwrap();
    }
    assert!(placing.is_finished(), "it waits for the queue to be empty");
    let told = placing.await.unwrap();
    assert!(
        matches!(told, Err(Failure::UnknownOrder { .. })),
        "{told:?}"
    );
    let found = finding.await.unwrap().unwrap();
    assert!(matches!(found, Found::Unknown { backlog: 0 }), "{found:?}");
    assert_eq!(world.order(9_999), None);
}

#[tokio::test(start_paused = true)]
async fn rule_03_block_found_when_giving_up_is_paid_if_there_is_time_and_else_released() {
    for (left_secs, told) in [
        (50, Placement::Placed),
        (5, Placement::Failed(Reason::Expired)),
    ] {
        let world = World::selling([("A", 1)]);
        let shop = world.process();
        shop.accept(1, [("A", 1)]).await;
        let gate = Gate::default();
        shop.faults
            .next(Op::Settle, [Fault::HoldBefore(gate.clone())]);
        let placing = placing(&shop, 1);
        // It gives up, and the worker is faster by a hair.
        gate.reached().await;
        world.process().work_once().await;
        assert_eq!(world.state(1), BLOCKED);
        let left = Duration::from_secs(left_secs);
        tokio::time::sleep(world.settings.hold.saturating_sub(left)).await;
        gate.open();
        assert_eq!(placing.await.unwrap().unwrap(), told, "{left:?} are left");
        let charges = world.payments.count(Call::Charge(id(1)));
        assert_eq!(charges, usize::from(told == Placement::Placed));
        world.check_invariants().await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_03_cancelling_what_is_accepted_and_not_decided_yet_fails_it_for_good() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    let placing = placing(&shop, 1);
    for _ in 0..2 {
        assert_eq!(
            shop.flow.cancel(id(1)).await.unwrap(),
            CancelOutcome::Failed(Reason::Cancelled)
        );
    }
    let told = placing.await.unwrap().unwrap();
    assert_eq!(told, Placement::Failed(Reason::Cancelled));
    assert_eq!(world.status(1), Some(Status::Failed));
    assert_eq!(
        world.payments.count(Call::Cancel(id(1))),
        0,
        "nothing was charged"
    );
    // The worker comes late, and finds that it has failed.
    shop.work_once().await;
    assert_eq!(world.state(1), failed(Reason::Cancelled));
    assert_eq!(world.stock("A"), (1, 0, 0));
    assert_eq!(
        shop.place(1).await.unwrap(),
        Placement::Failed(Reason::Cancelled)
    );
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_03_cancelling_an_id_that_nobody_knows_writes_nothing_and_promises_nothing() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    // Neither an id that was made up nor, once the status store is lost, one that is in the queue.
    world.statuses.flush();
    for number in [1, 9] {
        let cancelled = shop.flow.cancel(id(number)).await;
        assert!(
            matches!(cancelled, Err(Failure::NotKnownYet { backlog: 1, .. })),
            "{cancelled:?}"
        );
        assert_eq!(world.order(number), None);
    }
    shop.work_once().await;
    assert_eq!(world.state(1), BLOCKED);
    let unknown = shop.flow.cancel(id(9)).await;
    assert!(
        matches!(unknown, Err(Failure::UnknownOrder { .. })),
        "{unknown:?}"
    );
    assert_eq!(world.order(9), None);
    assert_eq!(
        shop.flow.cancel(id(1)).await.unwrap(),
        CancelOutcome::Failed(Reason::Cancelled)
    );
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_03_a_worker_that_reserves_while_the_buyer_cancels_is_undone() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    let gate = Gate::default();
    shop.faults
        .next(Op::Settle, [Fault::HoldBefore(gate.clone())]);
    let cancelling = tokio::spawn({
        let shop = shop.again();
        async move { shop.flow.cancel(id(1)).await }
    });
    gate.reached().await;
    world.process().work_once().await;
    assert_eq!(world.state(1), BLOCKED);
    gate.open();
    assert_eq!(
        cancelling.await.unwrap().unwrap(),
        CancelOutcome::Failed(Reason::Cancelled)
    );
    assert_eq!(
        world.payments.count(Call::Cancel(id(1))),
        1,
        "what is reserved may be paid for: the gateway has to be asked"
    );
    assert_eq!(world.stock("A"), (1, 0, 0));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_02_cancelling_a_paid_order_that_the_database_has_lost_asks_the_gateway_first() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    let mut earlier = world.inventory.state().clone();
    earlier.orders.clear();
    for item in earlier.items.values_mut() {
        item.level.available = 1;
        item.level.sold = 0;
    }
    world.inventory.restore(earlier);
    assert_eq!(
        shop.flow.cancel(id(1)).await.unwrap(),
        CancelOutcome::Failed(Reason::MissingOrder)
    );
    until("the refund", || world.paid(1).1 == world.paid(1).0).await;
}

#[tokio::test(start_paused = true)]
async fn rule_08_who_waits_reads_the_database_every_second_and_all_in_one_go() {
    let world = World::selling([("A", 100)]);
    let shop = world.process();
    for number in 1..=100 {
        shop.accept(number, [("A", 1)]).await;
    }
    let waiting: Vec<_> = (1..=100).map(|number| placing(&shop, number)).collect();
    tokio::time::sleep(Duration::from_millis(10_500)).await;
    let reads = shop.faults.calls(Op::Orders);
    // A round may fall into two reads: those who come while one is under way share the next.
    assert!(
        (10..=30).contains(&reads),
        "{reads} reads for 100 who waited for 10 s"
    );
    // Nothing of what the worker does reaches the status store.
    let worker = world.process();
    worker.faults.always([Op::Transition], &Fault::Forget);
    worker.work_once().await;
    let decided = Instant::now();
    for placing in waiting {
        assert_eq!(placing.await.unwrap().unwrap(), Placement::Placed);
    }
    let took = decided.elapsed();
    assert!(
        took <= Duration::from_millis(1_500),
        "it took {took:?} to see what the database had decided"
    );
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_08_who_waits_for_another_payer_reads_the_database_every_second() {
    let world = World::selling([("A", 1)]);
    let (one, two) = (world.process(), world.process());
    one.accept(1, [("A", 1)]).await;
    one.work_once().await;
    let gate = Gate::default();
    one.faults
        .next(Op::Charge, [Fault::HoldAfter(gate.clone())]);
    let first = placing(&one, 1);
    gate.reached().await;
    let second = placing(&two, 1);
    tokio::time::sleep(Duration::from_secs(3)).await;
    // The end of the order never reaches the status store.
    one.faults.always([Op::Transition], &Fault::Forget);
    gate.open();
    assert_eq!(first.await.unwrap().unwrap(), Placement::Placed);
    let placed = Instant::now();
    assert_eq!(second.await.unwrap().unwrap(), Placement::Placed);
    let took = placed.elapsed();
    assert!(took <= Duration::from_millis(1_500), "it took {took:?}");
    assert_eq!(world.payments.count(Call::Charge(id(1))), 1);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_status_outlives_the_hold_and_a_grace_and_no_more_unless_it_is_final() {
    let mut world = World::selling([("A", 2)]);
    world.settings.hold = Duration::from_secs(600);
    let shop = world.process();
    for number in 1..=2 {
        shop.accept(number, [("A", 1)]).await;
    }
    shop.work_once().await;
    assert_eq!(shop.place(2).await.unwrap(), Placement::Placed);
    tokio::time::sleep(world.settings.hold).await;
    assert_eq!(
        world.status(1),
        Some(Status::Block),
        "forgotten while it is held"
    );
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(world.state(1), BLOCKED, "nobody sweeps here");
    assert_eq!(world.status(1), None, "it would be believed for ever");
    assert_eq!(world.status(2), Some(Status::Placed));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_status_that_the_database_does_not_share_is_not_told() {
    let world = World::selling([("A", 2)]);
    let shop = world.working();
    for number in 1..=2 {
        shop.accept(number, [("A", 1)]).await;
    }
    until("the blocks", || world.stock("A").1 == 2).await;
    let replica = world.inventory.state().clone();
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    assert_eq!(world.status(1), Some(Status::Placed));
    // The database fails over and has lost the sale; the status store has not.
    world.inventory.restore(replica);
    let Found::Order(view) = shop.flow.find(id(1)).await.unwrap() else {
        panic!("it is blocked")
    };
    assert_eq!(view.status, Status::Block);
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    assert_eq!(world.state(1), PLACED);
    world.check_invariants().await;
    // The next one does not even know the order.
    world.inventory.state().orders.remove(&id(1));
    let Found::Order(view) = shop.flow.find(id(1)).await.unwrap() else {
        panic!("the status store knows it")
    };
    assert_eq!(view.status, Status::Init, "it is to be found out");
}

#[tokio::test(start_paused = true)]
async fn rule_08_what_is_told_heals_a_final_status_that_is_wrong() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    let replica = world.inventory.state().clone();
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    // A failover loses the sale, and the gateway the charge: PLACED has become a lie.
    let mut earlier = replica;
    for order in earlier.orders.values_mut() {
        order.state = oms::domain::OrderState::Failed;
        order.reason = Some(Reason::Expired);
    }
    for item in earlier.items.values_mut() {
        item.level.available = 1;
        item.level.blocked = 0;
    }
    world.inventory.restore(earlier);
    assert_eq!(
        shop.place(1).await.unwrap(),
        Placement::Failed(Reason::Expired)
    );
    assert_eq!(world.status(1), Some(Status::Failed));
    assert_eq!(world.state(1), failed(Reason::Expired));
}

#[tokio::test(start_paused = true)]
async fn rule_16_a_status_store_that_hangs_holds_up_nobody_for_long() {
    let world = World::selling([("A", 5)]);
    let shop = world.working();
    let never = Gate::default();
    shop.faults
        .always(Op::STATUSES, &Fault::HoldBefore(never.clone()));
    for number in 1..=3 {
        let accepting = shop.accept(number, [("A", 1)]);
        let accepted = timeout(Duration::from_secs(4), accepting).await;
        accepted.expect("accepting hangs");
    }
    let placing = futures::future::join_all((1..=3).map(|number| shop.place(number)));
    let placed = timeout(Duration::from_secs(10), placing).await;
    for told in placed.expect("placing hangs") {
        assert_eq!(told.unwrap(), Placement::Placed);
    }
    let story = timeout(Duration::from_secs(4), shop.flow.story(id(1))).await;
    let story = story.expect("telling hangs").unwrap().unwrap();
    assert_eq!(story.view.status, Status::Placed);
    shop.faults.clear();
    world.check_invariants().await;
}
