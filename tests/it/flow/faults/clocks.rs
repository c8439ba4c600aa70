//! Clocks that step: deadlines go by one clock, waits by none.

use std::time::Duration;

use oms::domain::{OrderState, Reason};
use oms::flow::Placement;
use tokio::time::Instant;

use crate::flow::world::{BLOCKED, PLACED, World, failed, until};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn the_databases_clock_steps_forward_and_holds_end_early_but_cleanly() {
    let world = World::selling([("A", 3)]);
    let shop = world.working();
    for number in 1..=3 {
        shop.accept(number, [("A", 1)]).await;
    }
    until("the blocks", || world.stock("A").1 == 3).await;
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    world.clock.forward(HOUR);
    until("the releases", || world.stock("A").1 == 0).await;
    assert_eq!(world.state(1), PLACED);
    assert_eq!(world.state(2), failed(Reason::Expired));
    assert_eq!(world.stock("A"), (2, 0, 1));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn the_databases_clock_steps_back_and_nobody_waits_for_ever() {
    let world = World::selling([("A", 3)]);
    let shop = world.working();
    for number in 1..=2 {
        shop.accept(number, [("A", 1)]).await;
    }
    until("the blocks", || world.stock("A").1 == 2).await;
    world.clock.back(HOUR);
    let began = Instant::now();
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "waits go by no clock that steps"
    );
    shop.accept(3, [("A", 1)]).await;
    assert_eq!(shop.place(3).await.unwrap(), Placement::Placed);
    // The second is held until the clock has caught up; that is late, not lost.
    assert_eq!(world.state(2), BLOCKED);
    world.clock.forward(HOUR);
    until("the release", || world.state(2) == failed(Reason::Expired)).await;
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn a_front_whose_clock_is_an_hour_off_sells_like_any_other() {
    for ahead in [true, false] {
        let world = World::selling([("A", 3)]);
        let worker = world.working();
        let clock = world.clock.another();
        if ahead {
            clock.forward(HOUR);
        } else {
            clock.back(HOUR);
        }
        let front = world.process_by(clock);
        front.accept(1, [("A", 1)]).await;
        let told = front.place(1).await.unwrap();
        // Ahead, it thinks that the hold is over and has it released: the gateway is asked first.
        match (ahead, told) {
            (false, Placement::Placed) => assert_eq!(world.state(1), PLACED),
            (true, Placement::Failed(Reason::Expired)) => {
                assert_eq!(world.state(1), failed(Reason::Expired));
            }
            other => panic!("{other:?}"),
        }
        let open = world.order(1).map(|order| order.state);
        assert_ne!(open, Some(OrderState::Blocked));
        drop(worker);
        world.check_invariants().await;
    }
}
