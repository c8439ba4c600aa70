//! Processes that die at every point between two steps.

use std::time::Duration;

use oms::domain::Status;
use oms::flow::Placement;

use crate::faults::{Fault, Op};
use crate::flow::world::{BLOCKED, PLACED, Process, World, until};
use crate::make::id;
use crate::model::Gate;

/// Starts placing an order and does not wait for it.
fn placing(
    shop: &Process,
    number: u64,
) -> tokio::task::JoinHandle<Result<Placement, oms::flow::Failure>> {
    let flow = shop.flow.clone();
    tokio::spawn(async move { flow.place_order(id(number), None).await })
}

#[tokio::test(start_paused = true)]
async fn a_cart_published_by_a_process_that_died_before_init_is_placed() {
    let world = World::selling([("A", 1)]);
    let front = world.process();
    let never = Gate::default();
    front
        .faults
        .next(Op::Transition, [Fault::HoldBefore(never.clone())]);
    let flow = front.flow.clone();
    let cart = crate::make::cart("c1", [("A", 1)]);
    let adding = tokio::spawn(async move {
        flow.add_to_cart(oms::flow::AddToCart {
            order_id: Some(id(1)),
            cart,
        })
        .await
    });
    never.reached().await;
    front.crash();
    adding.abort();
    assert_eq!(world.status(1), None, "INIT was never written");
    let other = world.working();
    assert_eq!(other.place(1).await.unwrap(), Placement::Placed);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn a_stored_message_whose_acknowledgement_was_lost_is_in_doubt_and_a_retry_is_one_order() {
    let world = World::selling([("A", 2)]);
    let shop = world.working();
    shop.faults.next(Op::Publish, [Fault::LostAfter]);
    let doubt = shop.add(1, [("A", 1)]).await;
    assert!(
        matches!(doubt, Err(oms::flow::Failure::Port { .. })),
        "neither accepted nor refused: {doubt:?}"
    );
    shop.add(1, [("A", 1)]).await.unwrap();
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    assert_eq!(world.stock("A"), (1, 0, 1));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn init_that_comes_after_block_does_not_overwrite_it() {
    let world = World::selling([("A", 1)]);
    let front = world.process();
    let late = Gate::default();
    front.faults.next(
        Op::Transition,
        [Fault::DelayBefore(Duration::from_millis(900))],
    );
    let accepting = front.accept(1, [("A", 1)]);
    let working = async {
        until("the message", || !world.queue.messages().is_empty()).await;
        world.process().work_once().await;
        assert_eq!(world.status(1), Some(Status::Block));
        late.open();
    };
    tokio::join!(accepting, working);
    assert_eq!(world.status(1), Some(Status::Block));
    assert_eq!(front.place(1).await.unwrap(), Placement::Placed);
    world.check_invariants().await;
}

/// Kills a worker when it comes to `op`, before or after it is done, and lets another one go on.
async fn worker_dies_at(op: Op, done: bool) {
    let world = World::selling([("A", 5)]);
    let shop = world.process();
    for number in 1..=3 {
        shop.accept(number, [("A", 1)]).await;
    }
    let gate = Gate::default();
    let mut worker = world.process();
    let fault = if done {
        Fault::HoldAfter(gate.clone())
    } else {
        Fault::HoldBefore(gate.clone())
    };
    worker.faults.next(op, [fault]);
    worker.start_working();
    gate.reached().await;
    worker.crash();
    let decided = world.stock("A").1 > 0;
    assert_eq!(
        decided,
        op != Op::Reserve || done,
        "{op:?} was reached at another point than meant"
    );
    let other = world.working();
    for number in 1..=3 {
        assert_eq!(shop.place(number).await.unwrap(), Placement::Placed);
    }
    assert_eq!(world.stock("A"), (2, 0, 3));
    drop(other);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_before_reserve_commits_has_done_nothing() {
    worker_dies_at(Op::Reserve, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_after_reserve_committed_has_decided() {
    worker_dies_at(Op::Reserve, true).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_before_it_writes_statuses_has_decided() {
    worker_dies_at(Op::Transition, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_before_it_commits_offsets_has_decided() {
    worker_dies_at(Op::Commit, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_after_it_committed_offsets_has_decided() {
    worker_dies_at(Op::Commit, true).await;
}

/// Kills whoever places an order when it comes to `op`, and lets another process end it.
async fn payer_dies_at(op: Op, fault: fn(Gate) -> Fault) {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    shop.work_once().await;
    let gate = Gate::default();
    let payer = world.process();
    payer.faults.next(op, [fault(gate.clone())]);
    let placing = placing(&payer, 1);
    gate.reached().await;
    payer.crash();
    placing.abort();
    let other = world.working();
    assert_eq!(other.place(1).await.unwrap(), Placement::Placed);
    assert_eq!(world.stock("A"), (0, 0, 1));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn a_payer_that_dies_before_the_charge_is_taken_over() {
    payer_dies_at(Op::Charge, Fault::HoldBefore).await;
}

#[tokio::test(start_paused = true)]
async fn a_payer_that_dies_after_the_charge_is_taken_over_and_charges_once() {
    payer_dies_at(Op::Charge, Fault::HoldAfter).await;
}

#[tokio::test(start_paused = true)]
async fn a_payer_that_dies_before_it_settles_is_taken_over() {
    payer_dies_at(Op::Settle, Fault::HoldBefore).await;
}

#[tokio::test(start_paused = true)]
async fn a_payer_that_dies_after_it_settled_has_placed() {
    payer_dies_at(Op::Settle, Fault::HoldAfter).await;
}

#[tokio::test(start_paused = true)]
async fn a_payer_that_dies_and_is_never_asked_again_leaves_its_order_to_the_sweep() {
    let world = World::selling([("A", 2)]);
    let shop = world.process();
    for number in 1..=2 {
        shop.accept(number, [("A", 1)]).await;
    }
    shop.work_once().await;
    let gate = Gate::default();
    shop.faults
        .next(Op::Settle, [Fault::HoldBefore(gate.clone())]);
    let placing = placing(&shop, 1);
    gate.reached().await;
    shop.crash();
    placing.abort();
    assert_eq!(world.state(1), BLOCKED);
    let worker = world.working();
    until("the sweep", || {
        world.state(1) != BLOCKED && world.state(2) != BLOCKED
    })
    .await;
    assert_eq!(world.state(1), PLACED, "it was paid for");
    assert_eq!(world.stock("A"), (1, 0, 1), "the other one was not");
    drop(worker);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_while_it_waits_takes_nothing_with_it() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    for _ in 0..3 {
        let placing = placing(&shop, 1);
        tokio::time::sleep(Duration::from_secs(1)).await;
        placing.abort();
    }
    assert_eq!(world.state(1), None, "waiting owns no state");
    shop.work_once().await;
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    world.check_invariants().await;
}
