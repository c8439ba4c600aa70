//! What only this adapter can be asked: that a settlement is one transaction, and that known orders are found.

use std::time::Duration;

use uuid::Uuid;

use super::{SqliteInventory, read};
use crate::domain::{
    AcceptedCart, Cart, Customer, Line, Money, OrderId, OrderState, Quantity, Sku, Timestamp,
};
use crate::inventory::{
    Adjustment, Administration, Inventory, NewItem, ReserveBatch, Settle, SettleAction,
};
use crate::sqlite::Scope;
use crate::sqlite::testing::{ManualClock, TestFile};

#[tokio::test]
async fn a_settlement_whose_refund_cannot_be_recorded_is_not_made() {
    let file = TestFile::new(Scope::Inventory);
    let store = file.open();
    let inventory =
        SqliteInventory::open(std::sync::Arc::clone(&store), ManualClock::default()).unwrap();
    let sku = Sku::new("A").unwrap();
    let item = NewItem {
        sku: sku.clone(),
        name: "A".to_owned(),
        price: Money::new(250).unwrap(),
        stock: 1,
    };
    inventory.put_items(vec![item]).await.unwrap();
    let order_id = OrderId::from_bytes([1; 16]);
    let line = Line {
        sku: sku.clone(),
        quantity: Quantity::new(1).unwrap(),
    };
    let cart = Cart::new(Customer::new("c1").unwrap(), vec![line]).unwrap();
    let batch = ReserveBatch {
        carts: vec![AcceptedCart::new(order_id, cart, Timestamp::from_millis(1))],
        hold: Duration::from_secs(60),
    };
    inventory.reserve(batch).await.unwrap();
    // Paid for, and no longer there: it fails and is owed, or nothing happens at all (rule 11).
    let adjustment = Adjustment {
        id: Uuid::from_u128(1),
        sku: sku.clone(),
        by: -1,
        reason: "recount".to_owned(),
    };
    inventory.adjust(vec![adjustment]).await.unwrap();
    let execute = |statement: &'static str| {
        store.write("change the schema", move |connection| {
            connection.execute_batch(statement)
        })
    };
    execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON refunds BEGIN SELECT RAISE(ABORT, 'no room'); END",
    )
    .await
    .unwrap();
    let settle = async || {
        let action = SettleAction::Confirm {
            captured: Money::new(250).unwrap(),
        };
        inventory.settle(vec![Settle { order_id, action }]).await
    };
    settle().await.unwrap_err();
    let state = async || {
        let order = inventory.orders(vec![order_id]).await.unwrap().remove(0);
        let stock = inventory.stock(vec![sku.clone()], false).await.unwrap();
        let level = stock.levels[0].clone().unwrap();
        (order.unwrap().state, level.available, level.blocked)
    };
    assert_eq!(state().await, (OrderState::Blocked, -1, 1));
    execute("DROP TRIGGER refuse").await.unwrap();
    settle().await.unwrap();
    assert_eq!(state().await, (OrderState::Failed, 0, 0));
    assert_eq!(inventory.refunds_due(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn known_orders_are_found_among_few_and_among_many_others() {
    let file = TestFile::new(Scope::Inventory);
    let store = file.open();
    let inventory =
        SqliteInventory::open(std::sync::Arc::clone(&store), ManualClock::default()).unwrap();
    let id = |number: u8| OrderId::from_bytes([number; 16]);
    let cart = |number| {
        let line = Line {
            sku: Sku::new("A").unwrap(),
            quantity: Quantity::new(1).unwrap(),
        };
        let cart = Cart::new(Customer::new("c1").unwrap(), vec![line]).unwrap();
        AcceptedCart::new(id(number), cart, Timestamp::from_millis(1))
    };
    // Refused, since nobody knows the item; an order each, nevertheless.
    let batch = ReserveBatch {
        carts: (2..=9).map(cart).collect(),
        hold: Duration::from_secs(60),
    };
    inventory.reserve(batch).await.unwrap();
    for (asked, known) in [
        ((1..=20).collect::<Vec<u8>>(), (2..=9).collect::<Vec<u8>>()),
        (vec![20, 5, 1], vec![5]),
        (vec![20, 1], vec![]),
        (vec![5], vec![5]),
        (vec![5, 5], vec![5, 5]),
        (vec![11, 10], vec![]),
        (vec![], vec![]),
    ] {
        let ids: Vec<OrderId> = asked.iter().map(|number| id(*number)).collect();
        let found = store.read("look", |connection| {
            read::known_orders(connection, ids.clone())
        });
        let found: Vec<OrderId> = found.unwrap().iter().map(|order| order.order_id).collect();
        let known: Vec<OrderId> = known.into_iter().map(id).collect();
        assert_eq!(found, known, "{asked:?}");
    }
}
