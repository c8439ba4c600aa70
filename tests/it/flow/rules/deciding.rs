//! Rules 5, 6, 7, 9, 10, 12 and 13: one id is one cart, and stock is taken once.

use std::time::Duration;

use oms::domain::{OrderState, Reason, Status};
use oms::flow::{AddToCart, Added, Expected, Failure, Placement};
use oms::inventory::{Adjusted, Adjustment, Administration, Inventory, Settle, SettleAction};
use oms::statuses::CachedStock;
use uuid::Uuid;

use crate::faults::{Fault, Op};
use crate::flow::world::{BLOCKED, World, failed, ids, until};
use crate::make::{cart, customer, id, money, sku};
use crate::model::Call;

#[tokio::test(start_paused = true)]
async fn rule_05_one_id_is_one_cart() {
    let world = World::selling([("A", 9), ("B", 9)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    assert!(matches!(
        shop.add(1, [("B", 1)]).await,
        Err(Failure::IdConflict { .. })
    ));
    until("the block", || world.state(1) == BLOCKED).await;
    // After a flush the other cart slips through, and the worker sets it aside.
    world.statuses.flush();
    shop.accept(1, [("B", 1)]).await;
    until("the dead letter", || !world.queue.dead_letters().is_empty()).await;
    assert_eq!(world.order(1).unwrap().lines[0].sku, sku("A"));
    // The status does not keep the hash of the cart that was refused.
    until("the status of the order that is there", || {
        let entry = world.statuses.entry(id(1));
        entry.is_some_and(|entry| {
            entry.status == Status::Block && entry.cart_hash == Some(cart("c1", [("A", 1)]).hash())
        })
    })
    .await;
    let meant = cart("c1", [("B", 1)]).hash();
    let placed = shop.flow.place_order(id(1), Some(meant)).await;
    assert!(
        matches!(placed, Err(Failure::CartMismatch { .. })),
        "{placed:?}"
    );
    assert_eq!(
        world.payments.count(Call::Charge(id(1))),
        0,
        "charged for a cart that was not meant"
    );
    assert_eq!(world.stock("B"), (9, 0, 0));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_19_an_order_is_neither_charged_nor_released_for_another_customer() {
    let world = World::selling([("A", 9)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    let other = Expected {
        cart_hash: None,
        customer: Some(customer("c2")),
    };
    let placed = shop.flow.place_order(id(1), other.clone()).await;
    assert!(
        matches!(placed, Err(Failure::CustomerMismatch { .. })),
        "{placed:?}"
    );
    let cancelled = shop.flow.cancel_expected(id(1), other).await;
    assert!(
        matches!(cancelled, Err(Failure::CustomerMismatch { .. })),
        "{cancelled:?}"
    );
    assert_eq!(world.payments.count(Call::Charge(id(1))), 0);
    assert_eq!(world.state(1), BLOCKED);
    let right = Expected {
        cart_hash: None,
        customer: Some(customer("c1")),
    };
    let placed = shop.flow.place_order(id(1), right).await.unwrap();
    assert_eq!(placed, Placement::Placed);
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_06_a_retry_of_the_buyer_who_took_the_last_unit_is_not_refused() {
    let world = World::selling([("A", 1)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    world.statuses.flush();
    let again = shop.add(1, [("A", 1)]).await.unwrap();
    assert!(
        matches!(
            again,
            Added::Known {
                status: Status::Block,
                ..
            }
        ),
        "{again:?}"
    );
    let stranger = shop.add(2, [("A", 1)]).await.unwrap();
    assert!(matches!(stranger, Added::Refused(refusal) if refusal.reason == Reason::Held));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_an_old_entry_never_refuses_and_a_lost_version_does_not_pin_the_cache() {
    let world = World::selling([("A", 1)]);
    let shop = world.process();
    // A frozen entry of the shared cache, of a version that the database has lost.
    let mut level = world.inventory.state().items[&sku("A")].level.clone();
    level.available = 0;
    level.version = 99;
    let cached_at = oms::ports::Clock::now(&world.clock);
    world.statuses.plant_stock(CachedStock { level, cached_at });
    let added = shop.add(1, [("A", 1)]).await.unwrap();
    assert!(
        matches!(added, Added::Refused(_)),
        "a fresh entry counts: {added:?}"
    );
    tokio::time::sleep(Duration::from_millis(150)).await;
    shop.accept(1, [("A", 1)]).await;
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_process_that_only_accepts_learns_that_an_item_is_sold() {
    let world = World::selling([("A", 1)]);
    let front = world.process();
    let back = world.process();
    front.accept(1, [("A", 1)]).await;
    back.work_once().await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    // The first to come after that may be accepted; whoever comes later is not.
    front.add(2, [("A", 1)]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    // Under an id of the service's making: there is no earlier attempt to wait for.
    let third = AddToCart {
        order_id: None,
        cart: cart("c3", [("A", 1)]),
    };
    let added = front.flow.add_to_cart(third).await.unwrap();
    assert!(
        matches!(added, Added::Refused(_)),
        "the cache still says that there is stock: {added:?}"
    );
    back.work_once().await;
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_held_is_said_only_if_the_held_units_would_do() {
    let world = World::selling([("A", 2)]);
    let shop = world.working();
    shop.accept(1, [("A", 1)]).await;
    until("the block", || world.state(1) == BLOCKED).await;
    let Added::Refused(held) = shop.add(2, [("A", 2)]).await.unwrap() else {
        panic!("accepted")
    };
    assert_eq!(held.reason, Reason::Held);
    assert!(
        held.retry_after
            .is_some_and(|after| after <= world.settings.hold && !after.is_zero())
    );
    let Added::Refused(none) = shop.add(3, [("A", 3)]).await.unwrap() else {
        panic!("accepted")
    };
    assert_eq!((none.reason, none.retry_after), (Reason::SoldOut, None));
}

#[tokio::test(start_paused = true)]
async fn rule_09_duplicates_of_a_message_take_stock_once() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    for copies in 1..=5 {
        shop.faults.next(Op::Publish, [Fault::Duplicate(copies)]);
        shop.accept(u64::try_from(copies).unwrap(), [("A", 1)])
            .await;
    }
    shop.faults.next(Op::Poll, [Fault::Duplicate(3)]);
    shop.work_once().await;
    assert_eq!(world.stock("A"), (4, 5, 0));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_10_ten_settles_in_one_batch_do_not_all_see_the_same_shortage() {
    let world = World::selling([("A", 10)]);
    let shop = world.process();
    for number in 1..=10 {
        shop.accept(number, [("A", 1)]).await;
    }
    shop.work_once().await;
    world.correct("A", -3);
    assert_eq!(world.stock("A"), (-3, 10, 0));
    let batch = ids(1..=10).into_iter().map(|order_id| Settle {
        order_id,
        action: SettleAction::Confirm {
            captured: money(250),
        },
    });
    let settled = world.inventory.settle(batch.collect()).await.unwrap();
    let placed = settled
        .outcomes
        .iter()
        .filter_map(|outcome| outcome.order.as_ref());
    let placed = placed
        .filter(|order| order.state == OrderState::Placed)
        .count();
    assert_eq!(placed, 7, "exactly the three that are missing fail");
    assert_eq!(world.stock("A"), (0, 0, 7));
}

#[tokio::test(start_paused = true)]
async fn rule_12_an_adjustment_that_is_retried_is_made_once() {
    let world = World::selling([("A", 5)]);
    let adjustment = Adjustment {
        id: Uuid::from_u128(1),
        sku: sku("A"),
        by: -2,
        reason: "recount".to_owned(),
    };
    for round in 0..3 {
        let adjusted = world
            .inventory
            .adjust(vec![adjustment.clone()])
            .await
            .unwrap();
        assert_eq!(matches!(adjusted[0], Adjusted::Applied(_)), round == 0);
    }
    assert_eq!(world.stock("A"), (3, 0, 0));
    world.check_invariants().await;
}

#[tokio::test(start_paused = true)]
async fn rule_13_one_bad_cart_stops_nobody() {
    let world = World::selling([("A", 9)]);
    let shop = world.process();
    for number in 1..=5 {
        shop.accept(number, [("A", 1)]).await;
    }
    shop.faults.poison(id(3));
    shop.work_once().await;
    assert_eq!(world.stock("A"), (5, 4, 0), "its neighbours are untouched");
    assert_eq!(world.state(3), failed(Reason::Poison));
    assert_eq!(world.queue.dead_letters().len(), 1);
    world.check_invariants().await;
}
