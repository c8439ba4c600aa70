//! Rules 5, 6 and 7 at unlucky moments: what a front knows of ids and stock, and how old that is.

use std::time::Duration;

use oms::domain::{Reason, Status};
use oms::flow::{Added, Failure, Placement};
use oms::inventory::StockLevel;
use oms::ports::{Clock, Error};
use oms::statuses::{CachedStock, Statuses as _};
use tokio::time::{Instant, timeout};

use crate::faults::{Fault, Op};
use crate::flow::world::{BLOCKED, Process, World, failed, until};
use crate::make::{id, sku};
use crate::model::Gate;

/// Says in the shared cache that so much of A was available when that was cached.
fn plant(world: &World, available: i64, cached_at: oms::domain::Timestamp) {
    let level = world.inventory.state().items[&sku("A")].level.clone();
    let level = StockLevel {
        available,
        version: level.version + 1,
        ..level
    };
    world.statuses.plant_stock(CachedStock { level, cached_at });
}

fn refused(added: &Result<Added, Failure>) -> Option<Reason> {
    match added {
        Ok(Added::Refused(refusal)) => Some(refusal.reason),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn rule_05_an_id_that_the_database_knows_with_another_cart_is_refused_before_it_is_queued() {
    let world = World::selling([("A", 1), ("B", 1)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    world.statuses.flush();
    // Its lines are all gone, so that the database is asked.
    let added = shop.add(1, [("A", 1), ("B", 1)]).await;
    assert!(
        matches!(added, Err(Failure::IdConflict { .. })),
        "{added:?}"
    );
    assert_eq!(world.queue.messages().len(), 1);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_06_a_retry_is_known_while_it_is_undecided_and_all_stock_is_taken() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    for number in 1..=2 {
        shop.accept(number, [("A", 1)]).await;
    }
    // Another cart takes the unit from the table; the second is still in the queue.
    let counter = world.process();
    let taken = oms::inventory::ReserveBatch {
        carts: vec![crate::make::accepted(3, [("A", 1)])],
        hold: world.settings.hold,
    };
    oms::inventory::Inventory::reserve(&world.inventory, taken)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    // Whoever comes without an id has no earlier attempt, and is refused at once.
    let fresh = oms::flow::AddToCart {
        order_id: None,
        cart: crate::make::cart("c4", [("A", 1)]),
    };
    let began = Instant::now();
    let added = counter.flow.add_to_cart(fresh).await;
    assert_eq!(refused(&added), Some(Reason::Held));
    assert_eq!(began.elapsed(), Duration::ZERO);
    let again = counter.add(2, [("A", 1)]).await;
    assert!(
        matches!(
            again,
            Ok(Added::Known {
                status: Status::Init,
                ..
            })
        ),
        "{again:?}"
    );
    assert_eq!(world.queue.messages().len(), 2, "it was queued again");
    counter.work_once().await;
    world.check_invariants().await;
}

/// A cart whose message is stored and whose acknowledgement is lost; then another buyer takes the last unit.
async fn in_doubt_and_sold_out(world: &World, shop: &Process) {
    shop.faults.next(Op::Publish, [Fault::LostAfter]);
    let doubt = shop.add(1, [("A", 1)]).await;
    assert!(matches!(doubt, Err(Failure::Port { .. })), "{doubt:?}");
    let taken = oms::inventory::ReserveBatch {
        carts: vec![crate::make::accepted(2, [("A", 1)])],
        hold: world.settings.hold,
    };
    oms::inventory::Inventory::reserve(&world.inventory, taken)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
}

#[tokio::test(start_paused = true)]
async fn rule_06_a_retry_whose_first_attempt_is_in_doubt_is_queued_again_and_not_refused() {
    for elsewhere in [false, true] {
        let world = World::selling([("A", 1)]);
        let shop = world.process();
        in_doubt_and_sold_out(&world, &shop).await;
        // In the same process, or in another one that has heard nothing of it. No worker runs.
        let front = if elsewhere { world.process() } else { shop };
        front.accept(1, [("A", 1)]).await;
        assert_eq!(world.queue.messages().len(), 2);
        front.work_once().await;
        assert_eq!(
            world.state(1),
            failed(Reason::Held),
            "the worker decides, once"
        );
        world.check_invariants().await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_06_a_retry_elsewhere_waits_for_the_worker_and_is_told_what_it_decided() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    in_doubt_and_sold_out(&world, &shop).await;
    let front = world.process();
    // Not even its status can be read: the database knows it, once the worker has decided.
    front.faults.always([Op::Get], &Fault::Unavailable);
    let retry = tokio::spawn({
        let front = front.again();
        async move { front.add(1, [("A", 1)]).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.process().work_once().await;
    let told = retry.await.unwrap().unwrap();
    let decided = matches!(
        told,
        Added::Known {
            status: Status::Failed,
            reason: Some(Reason::Held),
            ..
        }
    );
    assert!(decided, "{told:?}");
    assert_eq!(world.queue.messages().len(), 1, "it was queued again");
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_06_an_id_that_was_never_sent_is_refused_as_soon_as_the_worker_has_caught_up() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    let front = world.process();
    let began = Instant::now();
    let asking = (2..=101).map(|number| front.add(number, [("A", 1)]));
    for added in futures::future::join_all(asking).await {
        assert_eq!(refused(&added), Some(Reason::Held));
    }
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(world.queue.messages().len(), 1, "refusing queues nothing");
    let asked = front.faults.calls(Op::End);
    assert!(asked <= 2, "{asked} questions for 100 who came at once");
    // Where the queue does not answer, nobody can tell: that is no refusal.
    front.faults.always([Op::End], &Fault::Unavailable);
    let doubt = front.add(102, [("A", 1)]).await;
    assert!(matches!(doubt, Err(Failure::Port { .. })), "{doubt:?}");
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_06_what_goes_wrong_carries_the_id_under_which_it_was_tried() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    let cart = || crate::make::cart("c1", [("A", 1)]);
    let ask = |order_id| oms::flow::AddToCart {
        order_id,
        cart: cart(),
    };
    // The publication is lost on the way back: the id under which it was stored is the one to repeat it with.
    shop.faults.next(Op::Publish, [Fault::LostAfter]);
    let Err(Failure::Port { order_id, source }) = shop.flow.add_to_cart(ask(None)).await else {
        panic!("the acknowledgement was lost")
    };
    assert!(Error::is_transient(&source));
    shop.work_once().await;
    assert!(
        world.inventory.state().orders.contains_key(&order_id),
        "what was stored has another id than the one that was told"
    );
    shop.faults.next(Op::Stock, [Fault::Unavailable]);
    world.statuses.flush();
    tokio::time::sleep(Duration::from_millis(150)).await;
    let away = shop.flow.add_to_cart(ask(Some(id(7)))).await;
    assert!(
        matches!(&away, Err(Failure::Port { order_id, .. }) if *order_id == id(7)),
        "{away:?}"
    );
    let none = shop.flow.add_to_cart(ask(Some(id(8)))).await;
    assert!(
        matches!(&none, Ok(Added::Refused(refusal)) if refusal.order_id == id(8)),
        "{none:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_07_an_entry_from_the_future_never_refuses() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    // By the clock of somebody who was an hour ahead.
    plant(
        &world,
        0,
        world.clock.now().plus(Duration::from_secs(3_600)),
    );
    shop.accept(1, [("A", 1)]).await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_an_entry_does_not_grow_younger_on_its_way_from_cache_to_cache() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    plant(&world, 0, world.clock.now());
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(
        refused(&shop.add(1, [("A", 1)]).await),
        Some(Reason::SoldOut),
        "a fresh entry counts"
    );
    tokio::time::sleep(Duration::from_millis(70)).await;
    shop.accept(1, [("A", 1)]).await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_what_was_held_a_moment_ago_does_not_refuse_although_it_is_known_until_when() {
    let world = World::selling([("A", 1)]);
    let (front, back) = (world.process(), world.process());
    back.accept(1, [("A", 1)]).await;
    back.work_once().await;
    for number in 2..=3 {
        let added = front.add(number, [("A", 1)]).await;
        assert_eq!(refused(&added), Some(Reason::Held));
    }
    back.flow.cancel(id(1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(101)).await;
    front.accept(4, [("A", 1)]).await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_what_was_read_or_committed_long_ago_does_not_refuse_because_it_was_learnt_late() {
    for slow in [Op::Stock, Op::Reserve, Op::Settle] {
        let world = World::selling([("A", 1)]);
        let (shop, other) = (world.process(), world.process());
        shop.accept(1, [("A", 1)]).await;
        let gate = Gate::default();
        shop.faults.next(slow, [Fault::HoldAfter(gate.clone())]);
        if slow != Op::Reserve {
            other.work_once().await;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        // The shop learns that two are not to be had, and the answer is slow.
        let asking = tokio::spawn({
            let shop = shop.again();
            async move {
                match slow {
                    Op::Stock => drop(shop.add(2, [("A", 2)]).await.unwrap()),
                    Op::Reserve => shop.work_once().await,
                    _ => drop(shop.place(1).await.unwrap()),
                }
            }
        });
        gate.reached().await;
        world.correct("A", 2);
        tokio::time::sleep(Duration::from_millis(500)).await;
        gate.open();
        asking.await.unwrap();
        // It passes on what it has heard.
        tokio::time::sleep(Duration::from_millis(1)).await;
        for (number, front) in [(3, &world.process()), (4, &shop)] {
            let added = front.add(number, [("A", 2)]).await;
            assert_eq!(
                refused(&added),
                None,
                "free for half a second, refused after a slow {slow:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_07_what_waited_for_a_cache_that_hung_is_not_written_into_it_as_new() {
    let world = World::selling([("A", 1), ("B", 1)]);
    let shop = world.process();
    shop.accept(1, [("B", 1)]).await;
    shop.accept(2, [("A", 1)]).await;
    shop.work_once().await;
    let gate = Gate::default();
    shop.faults
        .next(Op::CacheStock, [Fault::HoldBefore(gate.clone())]);
    // What is committed first hangs on its way into the cache; what is committed then waits behind it.
    for number in 1..=2 {
        assert_eq!(shop.place(number).await.unwrap(), Placement::Placed);
        let hangs = timeout(Duration::from_millis(100), gate.reached()).await;
        hangs.expect("what was committed is not passed on");
    }
    world.correct("A", 1);
    tokio::time::sleep(Duration::from_millis(700)).await;
    gate.open();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let added = world.process().add(3, [("A", 1)]).await;
    assert_eq!(refused(&added), None, "it has been free for 700 ms");
}

#[tokio::test(start_paused = true)]
async fn rule_07_what_a_slow_database_told_looks_no_newer_in_the_cache_than_it_is() {
    let slow = Duration::from_millis(80);
    for op in [Op::Reserve, Op::Settle] {
        let world = World::selling([("A", 9)]);
        let shop = world.process();
        shop.accept(1, [("A", 1)]).await;
        if op == Op::Settle {
            shop.work_once().await;
        }
        let gate = Gate::default();
        shop.faults.next(op, [Fault::HoldAfter(gate.clone())]);
        let asking = tokio::spawn({
            let shop = shop.again();
            async move {
                match op {
                    Op::Settle => drop(shop.flow.cancel(id(1)).await.unwrap()),
                    _ => shop.work_once().await,
                }
            }
        });
        gate.reached().await;
        let committed = world.clock.now();
        tokio::time::sleep(slow).await;
        gate.open();
        asking.await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        let cached = world.statuses.cached_stock(vec![sku("A")]).await.unwrap();
        let cached = cached[0].as_ref().unwrap();
        let available = world.stock("A").0;
        assert_eq!(cached.level.available, available, "after {op:?}");
        assert!(cached.cached_at <= committed, "after {op:?}: {cached:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_07_one_read_of_the_database_serves_all_who_wait_for_it() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    let before = shop.faults.calls(Op::Stock);
    let asking = (2..=101).map(|number| shop.add(number, [("A", 1)]));
    for added in futures::future::join_all(asking).await {
        assert_eq!(refused(&added), Some(Reason::Held));
    }
    let reads = shop.faults.calls(Op::Stock) - before;
    assert!(
        (1..=2).contains(&reads),
        "{reads} reads for 100 who came at once"
    );
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_whoever_commits_tells_this_process_at_once_and_the_others_through_the_cache() {
    let world = World::selling([("A", 1)]);
    let (shop, other) = (world.process(), world.process());
    let cached = async |name: &str| {
        let found = oms::statuses::Statuses::cached_stock(&world.statuses, vec![sku(name)]).await;
        found.unwrap().remove(0).map(|cached| cached.level)
    };
    shop.accept(1, [("A", 1)]).await;
    let reads = shop.faults.calls(Op::Stock);
    shop.work_once().await;
    // Reserve: the process that decided refuses without a read of its own, and passes on what it knows.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let level = cached("A").await.unwrap();
    assert_eq!((level.available, level.blocked), (0, 1));
    let mut feed = shop.flow.stock_feed();
    // Settle.
    shop.flow.cancel(id(1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let level = cached("A").await.unwrap();
    assert_eq!((level.available, level.blocked), (1, 0));
    assert_eq!(feed.try_recv().map(|level| level.available).ok(), Some(1));
    shop.accept(2, [("A", 1)]).await;
    assert_eq!(
        shop.faults.calls(Op::Stock),
        reads,
        "it knows its own commits"
    );
    other.accept(3, [("A", 1)]).await;
    assert_eq!(
        other.faults.calls(Op::Stock),
        0,
        "the shared cache tells others"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_07_held_is_said_with_the_time_after_which_units_usually_come_back() {
    let mut world = World::selling([("A", 1), ("B", 100)]);
    world.settings.hold = Duration::from_secs(600);
    let shop = world.working();
    let front = world.process();
    shop.accept(1, [("A", 1)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    let advice = async |number: u64, front: &Process| {
        // The shared cache knows that it is held, and not until when.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let Added::Refused(held) = front.add(number, [("A", 1)]).await.unwrap() else {
            panic!("accepted")
        };
        assert_eq!(held.reason, Reason::Held);
        held.retry_after.expect("when it may be free")
    };
    // Before anything was settled here: a second, and not the ten minutes for which it is held.
    assert_eq!(advice(900, &front).await, Duration::from_secs(1));
    // Buyers of other items take three seconds.
    for number in 2..=5 {
        front.accept(number, [("B", 1)]).await;
        until("the block", || world.state(number) == BLOCKED).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    for number in 2..=5 {
        assert_eq!(front.place(number).await.unwrap(), Placement::Placed);
    }
    let usual = advice(901, &front).await;
    assert!((3_000..3_500).contains(&usual.as_millis()), "{usual:?}");
    // Never later than the end of the hold.
    let left = Duration::from_secs(2);
    let passed = world.clock.now().since(world.order(1).unwrap().decided_at);
    tokio::time::sleep(world.settings.hold.saturating_sub(left + passed)).await;
    let soon = advice(902, &front).await;
    assert!(
        soon <= left && soon >= Duration::from_millis(200),
        "{soon:?}"
    );
}
