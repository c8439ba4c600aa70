//! The status store: lost, frozen, rolled back, away. It is a projection, and heals.

use std::time::Duration;

use oms::domain::{Reason, Status};
use oms::flow::{Added, Placement};
use oms::inventory::StockLevel;
use oms::ports::Clock;
use oms::statuses::{CachedStock, Statuses, Transition};
use tokio::time::Instant;

use crate::faults::{Fault, Op};
use crate::flow::world::{BLOCKED, World, until};
use crate::make::{id, sku};

#[tokio::test(start_paused = true)]
async fn flushed_at_every_step_every_order_still_ends() {
    let world = World::selling([("A", 9)]);
    let shop = world.working();
    let mut flushes = tokio::time::interval(Duration::from_millis(7));
    let orders = async {
        for number in 1..=5 {
            shop.accept(number, [("A", 1)]).await;
        }
        let placing = (1..=5).map(|number| shop.place(number));
        futures::future::join_all(placing).await
    };
    tokio::pin!(orders);
    let told = loop {
        tokio::select! {
            biased;
            told = &mut orders => break told,
            _ = flushes.tick() => world.statuses.flush(),
        }
    };
    for told in told {
        assert_eq!(told.unwrap(), Placement::Placed);
    }
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rolled_back_it_converges_to_the_database() {
    let world = World::selling([("A", 3)]);
    let shop = world.working();
    for number in 1..=2 {
        shop.accept(number, [("A", 1)]).await;
    }
    let init = world.statuses.snapshot();
    until("the blocks", || world.stock("A").1 == 2).await;
    let block = world.statuses.snapshot();
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    world.statuses.roll_back(block);
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    assert_eq!(world.status(1), Some(Status::Placed));
    world.statuses.roll_back(init);
    for number in 1..=2 {
        assert_eq!(shop.place(number).await.unwrap(), Placement::Placed);
        assert_eq!(world.status(number), Some(Status::Placed));
    }
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rolled_back_to_the_wrong_end_it_is_overruled() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    // PAYMENT_SUCCESS of a payment that the gateway does not know, say from another life of the store.
    let at = world.clock.now();
    let lie = Transition {
        order_id: id(1),
        from: oms::domain::StatusSet::below(Status::PaymentSuccess),
        to: Status::PaymentSuccess,
        reason: None,
        cart_hash: None,
        at,
        expires_at: at.plus(Duration::from_secs(600)),
    };
    world.statuses.transition(vec![lie]).await.unwrap();
    let told = shop.place(1).await.unwrap();
    assert_eq!(
        told,
        Placement::Placed,
        "the gateway is asked, not the store"
    );
    assert_eq!(world.payments.count(crate::model::Call::Charge(id(1))), 1);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn away_from_beginning_to_end_it_costs_time_and_nothing_else() {
    for fault in [
        Fault::Unavailable,
        Fault::LostBefore,
        Fault::LostAfter,
        Fault::Forget,
    ] {
        let world = World::selling([("A", 5)]);
        let shop = world.working();
        shop.faults.always(Op::STATUSES, &fault);
        for number in 1..=3 {
            shop.accept(number, [("A", 1)]).await;
        }
        let began = Instant::now();
        for number in 1..=3 {
            assert_eq!(
                shop.place(number).await.unwrap(),
                Placement::Placed,
                "{fault:?}"
            );
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{fault:?}");
        shop.faults.clear();
        world.check_invariants().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_stock_cache_refuses_nobody_who_can_be_served() {
    let world = World::selling([("A", 2)]);
    let shop = world.working();
    shop.faults
        .always([Op::CachedStock, Op::CacheStock], &Fault::Unavailable);
    for number in 1..=2 {
        shop.accept(number, [("A", 1)]).await;
        assert_eq!(shop.place(number).await.unwrap(), Placement::Placed);
    }
    let added = shop.add(3, [("A", 1)]).await.unwrap();
    assert!(
        matches!(&added, Added::Refused(refusal) if refusal.reason == Reason::SoldOut),
        "{added:?}"
    );
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn a_frozen_stock_cache_neither_refuses_nor_oversells() {
    let world = World::selling([("A", 1), ("B", 1)]);
    let shop = world.working();
    shop.faults.always([Op::CacheStock], &Fault::Forget);
    let frozen = |name: &str, available| {
        let level = StockLevel {
            sku: sku(name),
            available,
            blocked: 0,
            sold: 1,
            version: 77,
            earliest_hold: None,
        };
        let cached_at = world.clock.now();
        world.statuses.plant_stock(CachedStock { level, cached_at });
    };
    // It says that A is gone, which it is not, and that there is plenty of B, which there is not.
    frozen("A", 0);
    frozen("B", 100);
    tokio::time::sleep(Duration::from_millis(101)).await;
    shop.accept(1, [("A", 1)]).await;
    assert_eq!(shop.place(1).await.unwrap(), Placement::Placed);
    shop.accept(2, [("B", 1)]).await;
    assert_eq!(shop.place(2).await.unwrap(), Placement::Placed);
    frozen("B", 100);
    if let Added::Accepted { .. } = shop.add(3, [("B", 1)]).await.unwrap() {
        assert_eq!(
            shop.place(3).await.unwrap(),
            Placement::Failed(Reason::SoldOut)
        );
    }
    assert_eq!(world.stock("B"), (0, 0, 1));
    world.check_invariants().await;
}
