//! Rules 3, 8, 14 and 16: an order is known as long as one store knows it.

use std::time::Duration;

use oms::domain::{Reason, Status};
use oms::flow::{Added, Failure, Found, Placement};
use tokio::time::{Instant, timeout};

use crate::faults::{Fault, Op};
use crate::flow::world::{World, failed, until};
use crate::make::id;
use crate::model::Gate;

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
async fn rule_03_an_id_that_no_store_comes_to_know_gets_no_tombstone() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    // The queue cannot say that it does not hold the id.
    shop.accept(1, [("A", 1)]).await;
    let asked = Instant::now();
    let told = shop.place(9).await.unwrap();
    assert_eq!(told, Placement::Waiting(Status::Init));
    assert!(asked.elapsed() >= world.settings.wait);
    assert_eq!(world.order(9), None, "only a known order is given up");
    assert_eq!(world.status(9), None);
    assert_eq!(shop.faults.calls(Op::Settle), 0);
    // The same while the status store cannot tell.
    shop.faults.always(Op::STATUSES, &Fault::Unavailable);
    let told = shop.place(9).await.unwrap();
    assert_eq!(told, Placement::Waiting(Status::Init));
    assert_eq!(world.order(9), None);
    shop.faults.clear();
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_03_an_order_whose_status_was_lost_stays_undecided_and_a_repeat_resumes() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    world.statuses.flush();
    let told = shop.place(1).await.unwrap();
    assert_eq!(told, Placement::Waiting(Status::Init));
    assert_eq!(world.order(1), None, "its cart is still in the queue");
    let (placing, worker) = (shop.placing(1), world.process());
    tokio::time::sleep(Duration::from_secs(100)).await;
    worker.work_once().await;
    assert_eq!(placing.await.unwrap().unwrap(), Placement::Placed);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_03_an_order_that_was_known_once_is_given_up_although_its_status_is_lost() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    let placing = shop.placing(1);
    tokio::time::sleep(Duration::from_secs(90)).await;
    world.statuses.flush();
    let told = placing.await.unwrap().unwrap();
    assert_eq!(told, Placement::Failed(Reason::GaveUp));
    assert_eq!(world.state(1), failed(Reason::GaveUp));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn waiting_until_an_order_is_known_ends_with_its_first_status() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    let wait = |number, secs| {
        let (flow, deadline) = (
            shop.flow.clone(),
            Instant::now() + Duration::from_secs(secs),
        );
        tokio::spawn(async move { flow.until_known(id(number), deadline).await })
    };
    assert!(wait(1, 60).await.unwrap().unwrap(), "it is INIT");
    let began = Instant::now();
    assert!(!wait(2, 60).await.unwrap().unwrap());
    assert!(began.elapsed() >= Duration::from_secs(60));
    let waiting = wait(2, 60);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(!shop.flow.is_known(id(2)).await.unwrap());
    let began = Instant::now();
    shop.accept(2, [("A", 1)]).await;
    assert!(waiting.await.unwrap().unwrap());
    assert!(began.elapsed() <= Duration::from_millis(1_500));
    assert!(shop.flow.is_known(id(2)).await.unwrap());
    // Without its status the database knows it.
    shop.work_once().await;
    world.statuses.flush();
    assert!(shop.flow.is_known(id(2)).await.unwrap());
    let unknown = wait(3, 60).await.unwrap();
    assert!(
        matches!(unknown, Err(Failure::UnknownOrder { .. })),
        "{unknown:?}"
    );
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
