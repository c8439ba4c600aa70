//! The log: duplicates, rebalances, zombies, poison, outages.

use std::time::Duration;

use oms::domain::{OrderState, Reason};
use oms::flow::{Added, Failure, Placement};
use oms::queue::{Message, Queue};

use crate::faults::{Fault, Op};
use crate::flow::world::{BLOCKED, World, failed, until};
use crate::make::{id, sku};
use crate::model::Gate;

#[tokio::test(start_paused = true)]
async fn duplicates_come_anywhere_up_to_five_times() {
    for copies in 1..=5 {
        let world = World::selling([("A", 9)]);
        let shop = world.working();
        shop.faults
            .always([Op::Publish, Op::Poll], &Fault::Duplicate(copies));
        for number in 1..=4 {
            shop.accept(number, [("A", 2)]).await;
        }
        for number in 1..=4 {
            assert_eq!(shop.place(number).await.unwrap(), Placement::Placed);
        }
        assert_eq!(world.stock("A"), (1, 0, 8), "{copies} copies");
        world.check_invariants().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_rebalance_in_the_middle_of_a_batch_decides_it_twice_and_takes_stock_once() {
    for (op, after) in [
        (Op::Reserve, false),
        (Op::Reserve, true),
        (Op::Transition, false),
        (Op::Commit, false),
    ] {
        let world = World::selling([("A", 5)]);
        let shop = world.process();
        for number in 1..=3 {
            shop.accept(number, [("A", 1)]).await;
        }
        let gate = Gate::default();
        let mut zombie = world.process();
        let fault = if after {
            Fault::HoldAfter(gate.clone())
        } else {
            Fault::HoldBefore(gate.clone())
        };
        zombie.faults.next(op, [fault]);
        zombie.start_working();
        gate.reached().await;
        // The group thinks it dead; another member decides the same messages; then it goes on.
        world.queue.rebalance();
        let other = world.working();
        until("the other's blocks", || world.stock("A").1 == 3).await;
        gate.open();
        for number in 1..=3 {
            assert_eq!(shop.place(number).await.unwrap(), Placement::Placed);
        }
        assert_eq!(world.stock("A"), (2, 0, 3), "{op:?}");
        zombie.end().await;
        other.end().await;
        world.check_invariants().await;
    }
}

#[tokio::test(start_paused = true)]
async fn poison_of_every_kind_is_set_aside_and_its_neighbours_are_untouched() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    shop.accept(1, [("A", 1)]).await;
    let good = String::from_utf8(world.queue.messages()[0].payload.clone()).unwrap();
    let of = |number: u64| good.replace(&id(1).to_string(), &id(number).to_string());
    let poison: Vec<Vec<u8>> = vec![
        vec![0xff, 0xfe, 0x00],
        Vec::new(),
        b"[]".to_vec(),
        b"{\"v\":1}".to_vec(),
        of(2).replace("\"v\":1", "\"v\":9").into_bytes(),
        of(3)
            .replace("\"quantity\":1", "\"quantity\":-1")
            .into_bytes(),
        of(4)
            .replace("\"quantity\":1", "\"quantity\":99999999999999999999")
            .into_bytes(),
        of(5).replace("c1", "c2").into_bytes(),
        vec![b' '; 10 << 20],
        vec![b'['; 1 << 20],
    ];
    let count = poison.len();
    for payload in poison {
        let key = b"A".to_vec();
        world
            .queue
            .publish(vec![Message { key, payload }])
            .await
            .unwrap();
    }
    shop.accept(9, [("A", 1)]).await;
    // The shop knows nothing of this item, and the worker says so.
    shop.work_once().await;
    assert_eq!(world.state(1), BLOCKED);
    assert_eq!(world.state(9), BLOCKED);
    assert_eq!(world.stock("A"), (7, 2, 0));
    assert_eq!(world.queue.dead_letters().len(), count);
    for number in 2..=5 {
        assert_eq!(
            world.state(number),
            failed(Reason::Poison),
            "whoever waits for {number} must hear of it"
        );
        assert!(matches!(
            shop.place(number).await.unwrap(),
            Placement::Failed(Reason::Poison)
        ));
    }
    let letters = world.inventory.state().letters.clone();
    assert_eq!(letters.len(), count);
    assert!(letters.iter().all(|letter| !letter.detail.is_empty()));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_item_fails_its_cart_and_no_other() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    let refused = shop.add(1, [("A", 1), ("Z", 1)]).await.unwrap();
    assert!(
        matches!(&refused, Added::Refused(refusal)
            if refusal.reason == Reason::UnknownSku && refusal.sku == sku("Z")),
        "{refused:?}"
    );
    shop.accept(2, [("A", 1)]).await;
    // The item goes after the cart was accepted.
    world.inventory.state().items.remove(&sku("A"));
    shop.work_once().await;
    assert_eq!(world.state(2), failed(Reason::UnknownSku));
}

#[tokio::test(start_paused = true)]
async fn two_carts_under_one_id_at_once_are_one_order() {
    for _ in 0..10 {
        let world = World::selling([("A", 5), ("B", 5)]);
        let (one, two) = (world.process(), world.process());
        let (a, b) = tokio::join!(one.add(1, [("A", 1)]), two.add(1, [("B", 1)]));
        let accepted = [&a, &b]
            .iter()
            .filter(|added| matches!(added, Ok(Added::Accepted { .. })))
            .count();
        let refused = [&a, &b]
            .iter()
            .filter(|added| matches!(added, Err(Failure::IdConflict { .. })))
            .count();
        assert_eq!((accepted, refused), (1, 1), "{a:?} {b:?}");
        let worker = world.working();
        until("the decision", || world.state(1).is_some()).await;
        until("both messages", || world.queue.dead_letters().len() == 1).await;
        let blocked = world.stock("A").1 + world.stock("B").1;
        assert_eq!(blocked, 1, "one id, one cart");
        worker.end().await;
        world.check_invariants().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_away_for_a_while_refuses_nobody_for_good() {
    let world = World::selling([("A", 9)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    shop.faults.always(Op::LOG, &Fault::Unavailable);
    let away = shop.add(2, [("A", 1)]).await;
    assert!(
        matches!(&away, Err(Failure::Port { order_id, .. }) if *order_id == id(2)),
        "{away:?}"
    );
    tokio::time::sleep(Duration::from_secs(30)).await;
    shop.faults.clear();
    shop.accept(2, [("A", 1)]).await;
    for number in 1..=2 {
        assert_eq!(shop.place(number).await.unwrap(), Placement::Placed);
    }
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn one_partition_or_many_every_order_is_decided_by_some_worker() {
    let world = World::with_partitions(3, [("A", 50), ("B", 50), ("C", 50), ("D", 50)]);
    let shop = world.process();
    let workers: Vec<_> = (0..3).map(|_| world.working()).collect();
    for number in 0..40 {
        let first = ["A", "B", "C", "D"][usize::try_from(number % 4).unwrap()];
        let second = ["D", "A", "B", "C"][usize::try_from(number % 4).unwrap()];
        shop.accept(number, [(first, 1), (second, 1)]).await;
    }
    let placing = (0..40).map(|number| shop.place(number));
    for told in futures::future::join_all(placing).await {
        assert_eq!(told.unwrap(), Placement::Placed);
    }
    for worker in workers {
        worker.end().await;
    }
    let states = world.inventory.state().orders.clone();
    assert!(
        states
            .values()
            .all(|order| order.state == OrderState::Placed)
    );
    world.check_invariants().await;
}
