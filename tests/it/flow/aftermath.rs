//! After the last buyer has left: the storm waits for what is still open, and looks at no more of it than it has to.

use std::time::Duration;

use oms::domain::{OrderId, Reason, Timestamp};
use oms::simulate::{Aftermath, Answer, Counts, Told, wait_for_aftermath};
use tokio::sync::watch;
use tokio::time::Instant;

use super::world::{World, until};
use crate::faults::Op;
use crate::make::id;

/// More than are read at once.
const ABANDONED: u64 = 2_500;

fn told(buyer: u64, order_id: OrderId, answer: Answer) -> Told {
    Told {
        buyer: u32::try_from(buyer).unwrap(),
        order_id,
        asked_at: Timestamp::from_millis(1),
        answered_at: Timestamp::from_millis(2),
        answer,
        warm_up: false,
    }
}

/// What clients were told who abandoned their orders, and two who are in doubt: one about an order that exists.
async fn abandoned(world: &World) -> (Vec<Told>, Counts) {
    let shop = world.process();
    for number in 1..=ABANDONED + 1 {
        shop.accept(number, [("A", 1)]).await;
    }
    shop.work_once().await;
    let mut all: Vec<Told> = (1..=ABANDONED)
        .map(|number| told(number, id(number), Answer::Accepted))
        .collect();
    for number in [ABANDONED + 1, ABANDONED + 2] {
        all.push(told(number, id(number), Answer::InDoubt));
    }
    let counts = Counts {
        accepted: ABANDONED,
        open: ABANDONED,
        in_doubt: 2,
        ..Counts::default()
    };
    (all, counts)
}

#[tokio::test(start_paused = true)]
async fn whatever_is_open_is_waited_for_and_counted_as_what_became_of_it() {
    let world = World::selling([("A", 10_000)]);
    let (all, mut counts) = abandoned(&world).await;
    let (_go_on, stop) = watch::channel(false);
    let sweeper = world.working();
    let watcher = world.process();
    let deadline = Instant::now() + world.settings.hold + Duration::from_secs(60);
    let ports = watcher.flow.ports();
    let aftermath = wait_for_aftermath(ports, &all, &mut counts, deadline, &stop).await;
    assert_eq!(aftermath.unwrap(), Aftermath::default());
    assert!(Instant::now() < deadline, "it was over before");
    let failed: u64 = counts.failed.iter().sum();
    assert_eq!((counts.open, counts.in_doubt), (0, 1));
    assert_eq!((counts.accepted, failed), (ABANDONED + 1, ABANDONED + 1));
    assert_eq!(
        counts.failed[oms::simulate::slot(Reason::Expired)],
        ABANDONED + 1
    );
    // One page for each look, and then the rest once.
    let (looks, reads) = (
        watcher.faults.calls(Op::RefundsDue),
        watcher.faults.calls(Op::Orders),
    );
    assert!(looks > 100 && reads <= looks + 10, "{reads} for {looks}");
    sweeper.end().await;
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn when_the_time_is_over_all_that_is_open_is_stuck_or_still_queued() {
    let world = World::selling([("A", 10_000)]);
    let (mut all, mut counts) = abandoned(&world).await;
    // Nobody works: this one stays in the queue.
    let late = ABANDONED + 9;
    world.process().accept(late, [("A", 1)]).await;
    all.push(told(late, id(late), Answer::Accepted));
    counts.accepted += 1;
    counts.open += 1;
    let (_go_on, stop) = watch::channel(false);
    let watcher = world.process();
    let over = Instant::now() + Duration::from_secs(5);
    let aftermath = wait_for_aftermath(watcher.flow.ports(), &all, &mut counts, over, &stop).await;
    let aftermath = aftermath.unwrap();
    assert_eq!(aftermath.stuck.len() as u64, ABANDONED + 1);
    assert_eq!(aftermath.queued, [id(late)]);
    assert_eq!(counts.open, ABANDONED + 2);
    until("the hold's end", || {
        Instant::now() > over + world.settings.hold
    })
    .await;
    world.check_invariants().await;
}
