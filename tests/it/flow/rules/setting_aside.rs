//! Rule 13 at unlucky moments: what cannot be decided is set aside in three steps, and each of them can fail.

use std::time::Duration;

use oms::domain::{Original, Reason};
use oms::flow::Placement;
use oms::queue::{Message, Queue};

use crate::faults::{Fault, Op};
use crate::flow::world::{BLOCKED, World, failed, until};
use crate::make::id;

#[tokio::test(start_paused = true)]
async fn rule_13_the_offset_moves_on_only_after_the_offender_is_set_aside() {
    for op in [Op::Settle, Op::DeadLetter, Op::Record] {
        for fault in [Fault::Unavailable, Fault::LostBefore, Fault::LostAfter] {
            let world = World::selling([("A", 9)]);
            let shop = world.process();
            for number in 1..=3 {
                shop.accept(number, [("A", 1)]).await;
            }
            let worker = {
                let mut worker = world.process();
                worker.faults.poison(id(2));
                worker.faults.always([op], &fault);
                worker.start_working();
                worker
            };
            tokio::time::sleep(Duration::from_secs(10)).await;
            // The batch was halved: the cart before the offender is decided, and neither offset moves past it.
            assert_eq!(
                world.queue.backlog().await.unwrap(),
                2,
                "the offset has moved on without {op:?} ({fault:?})"
            );
            worker.faults.always([op], &Fault::None);
            until("the next messages", || {
                world.inventory.state().letters.len() == 1 && !world.queue.dead_letters().is_empty()
            })
            .await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(world.queue.backlog().await.unwrap(), 0);
            assert_eq!(world.state(2), failed(Reason::Poison), "{op:?} {fault:?}");
            assert_eq!((world.state(1), world.state(3)), (BLOCKED, BLOCKED));
            assert!(!world.queue.dead_letters().is_empty());
            assert_eq!(
                shop.place(2).await.unwrap(),
                Placement::Failed(Reason::Poison)
            );
            drop(worker);
            world.check_invariants().await;
        }
    }
}

/// Something that is no cart, as another program sends it.
async fn send(world: &World, payload: Vec<u8>) {
    let key = b"A".to_vec();
    let message = Message { key, payload };
    world.queue.publish(vec![message]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn rule_17_an_error_that_quotes_the_whole_message_is_recorded_short() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    let quoted = format!("\"{}\"", "x".repeat(1 << 20));
    send(&world, quoted.clone().into_bytes()).await;
    shop.accept(2, [("A", 1)]).await;
    shop.work_once().await;
    assert_eq!((world.state(1), world.state(2)), (BLOCKED, BLOCKED));
    let row = world.inventory.state().letters[0].clone();
    assert!(row.detail.len() < 2_048, "{} bytes", row.detail.len());
    assert_eq!(row.payload.len(), quoted.len(), "the message stays whole");
    let letter = world.queue.dead_letters().remove(0);
    assert!(letter.reason.len() < 2_200, "{} bytes", letter.reason.len());
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_message_that_is_refused_whole_is_recorded_cut() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    shop.faults.refuse_letters_over(5_000);
    shop.accept(1, [("A", 1)]).await;
    let large = vec![b'x'; 10_000];
    send(&world, large.clone()).await;
    send(&world, b"small".to_vec()).await;
    shop.accept(2, [("A", 1)]).await;
    shop.work_once().await;
    assert_eq!(world.queue.backlog().await.unwrap(), 0);
    assert_eq!((world.state(1), world.state(2)), (BLOCKED, BLOCKED));
    let rows = world.inventory.state().letters.clone();
    let letters = world.queue.dead_letters();
    assert_eq!((rows.len(), letters.len()), (2, 2));
    let row = rows.iter().find(|row| row.offset == 1).unwrap();
    assert_eq!(row.original, Some(Original::of(&large)));
    assert!(large.starts_with(&row.payload) && !row.payload.is_empty());
    assert_eq!(letters[0].original, Some(Original::of(&large)));
    let small = rows.iter().find(|row| row.offset == 2).unwrap();
    assert_eq!(
        (small.payload.as_slice(), &small.original),
        (&b"small"[..], &None)
    );
    assert_eq!(shop.flow.metrics().unrecorded.get(), 0);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_17_what_no_store_takes_is_left_to_the_log_and_the_offset_moves_on() {
    let world = World::selling([("A", 9)]);
    let shop = world.working();
    shop.faults
        .always([Op::Record, Op::DeadLetter], &Fault::Permanent);
    shop.accept(1, [("A", 1)]).await;
    send(&world, b"no cart".to_vec()).await;
    shop.accept(2, [("A", 1)]).await;
    until("both carts", || {
        (world.state(1), world.state(2)) == (BLOCKED, BLOCKED)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.queue.backlog().await.unwrap(), 0);
    let metrics = shop.flow.metrics();
    assert_eq!(metrics.unrecorded.get(), 2, "index and log");
    assert_eq!(metrics.dead_letters.get(), 1);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_row_that_cannot_be_read_stops_only_its_own_cart() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    for number in 1..=3 {
        shop.accept(number, [("A", 1)]).await;
    }
    shop.work_once().await;
    let messages = world.queue.messages();
    // They come again, with new ones among them.
    let worker = world.working();
    worker.faults.make_unreadable(id(2));
    world.queue.publish(messages).await.unwrap();
    for number in 4..=6 {
        shop.accept(number, [("A", 1)]).await;
    }
    until("the new carts", || {
        (4..=6).all(|number| world.state(number) == BLOCKED)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.queue.backlog().await.unwrap(), 0);
    assert_eq!(world.stock("A"), (3, 6, 0));
    assert_eq!(world.inventory.state().letters.len(), 1);
    assert_eq!(worker.flow.metrics().unrecorded.get(), 1, "its failure");
    worker.faults.clear();
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_repeated_batch_appends_its_dead_letters_once() {
    let world = World::selling([("A", 9)]);
    let mut worker = world.process();
    send(&world, b"one".to_vec()).await;
    send(&world, b"two".to_vec()).await;
    // While the index is away the log gets none at all; then the first is appended and the second is not.
    worker.faults.next(Op::Record, vec![Fault::Unavailable; 5]);
    let mut faults = vec![Fault::None];
    faults.extend(vec![Fault::Unavailable; 5]);
    worker.faults.next(Op::DeadLetter, faults);
    worker.start_working();
    until("both letters", || world.queue.dead_letters().len() >= 2).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let letters = world.queue.dead_letters();
    let texts: Vec<&[u8]> = letters
        .iter()
        .map(|letter| &letter.delivery.payload[..])
        .collect();
    assert_eq!(texts, [&b"one"[..], b"two"]);
    assert_eq!(worker.flow.metrics().dead_letters.get(), 2);
    assert_eq!(world.queue.backlog().await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_worker_that_lost_its_partition_stops_trying() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    let failing = world.working();
    failing.faults.always([Op::Reserve], &Fault::Unavailable);
    until("some attempts", || failing.faults.calls(Op::Reserve) > 2).await;
    world.queue.rebalance();
    let healthy = world.working();
    until("the decision", || world.state(1) == BLOCKED).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let tried = failing.faults.calls(Op::Reserve);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(failing.faults.calls(Op::Reserve), tried);
    assert_eq!(failing.flow.stuck(), None, "it is no longer its batch");
    healthy.end().await;
    failing.faults.clear();
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_batch_that_fails_for_too_long_is_reported_with_its_cause() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    send(&world, b"no cart".to_vec()).await;
    shop.accept(1, [("A", 1)]).await;
    let worker = world.working();
    worker.faults.always([Op::Record], &Fault::Unavailable);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(worker.flow.stuck(), None, "a restart takes as long");
    tokio::time::sleep(Duration::from_secs(20)).await;
    let stuck = worker.flow.stuck().unwrap();
    assert_eq!((stuck.position.partition, stuck.position.offset), (0, 0));
    assert!(stuck.lasts > Duration::from_secs(30), "{stuck:?}");
    assert!(stuck.cause.contains("Record"), "{stuck:?}");
    worker.faults.clear();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.state(1), BLOCKED);
    assert_eq!(worker.flow.stuck(), None);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_22_a_batch_that_exceeds_its_time_is_halved_and_grows_again() {
    let world = World::selling([("A", 5_000)]);
    let shop = world.process();
    let mut worker = world.process();
    worker.faults.time_out_over(Some(60));
    for number in 1..=1_000 {
        shop.accept(number, [("A", 1)]).await;
    }
    worker.start_working();
    let decided = || world.inventory.state().orders.len();
    until("the last cart", || decided() == 1_000).await;
    let slow = worker.faults.calls(Op::Reserve);
    assert!(slow >= 17, "{slow} batches of at most 60");
    // The link is quick again: batches grow, so that the next thousand takes few.
    worker.faults.time_out_over(None);
    worker.faults.always([Op::Poll], &Fault::Unavailable);
    for number in 1_001..=2_000 {
        shop.accept(number, [("A", 1)]).await;
    }
    worker.faults.clear();
    until("the last cart", || decided() == 2_000).await;
    let quick = worker.faults.calls(Op::Reserve) - slow;
    assert!(quick <= 10, "{quick} batches for another thousand");
    worker.end().await;
    assert_eq!(world.queue.backlog().await.unwrap(), 0);
    world.check_invariants().await;
}
