//! What only this adapter can be asked: that a settlement is one transaction.

use std::time::Duration;

use uuid::Uuid;

use super::SqliteInventory;
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
