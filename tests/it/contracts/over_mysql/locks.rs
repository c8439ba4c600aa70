//! What happens when others are in the way: deadlocks, long waits, killed connections, stopped processes.

use std::pin::pin;
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use oms::domain::{OrderState, Reason};
use oms::inventory::{Inventory, ReserveBatch, ReserveOutcome, Settle};

use super::OnDatabase;
use crate::contracts::store::{BLOCKED, HOLD, order_of, release, states};
use crate::make::{accepted, id};

fn batch(carts: Vec<oms::domain::AcceptedCart>) -> ReserveBatch {
    ReserveBatch { carts, hold: HOLD }
}

impl OnDatabase {
    /// A client that holds the lock on an item.
    async fn holding(&self, sku: &str) -> Conn {
        let mut client = self.database.client().await;
        client.query_drop("START TRANSACTION").await.unwrap();
        lock(&mut client, sku).await;
        client
    }
}

async fn lock(client: &mut Conn, sku: &str) {
    let query = format!("SELECT version FROM items WHERE sku = '{sku}' FOR UPDATE");
    let found: Option<u64> = client.query_first(query).await.unwrap();
    assert!(found.is_some());
}

async fn commit(client: &mut Conn) {
    client.query_drop("COMMIT").await.unwrap();
}

fn state(outcomes: &[ReserveOutcome]) -> OrderState {
    order_of(outcomes[0].clone()).state
}

pub async fn a_deadlock_is_rolled_back_and_tried_again(on: &OnDatabase) {
    let store = &on.store;
    store
        .seed([("A", 5), ("B", 5), ("X", 5), ("Y", 5), ("Z", 5)])
        .await;
    let mut rival = on.holding("B").await;
    // The server sacrifices whoever has changed less. Each by its key: a scan would lock all items.
    for sku in ["X", "Y", "Z"] {
        let change = format!("UPDATE items SET name = 'changed' WHERE sku = '{sku}'");
        rival.query_drop(change).await.unwrap();
    }
    let reserving = store
        .port
        .reserve(batch(vec![accepted(1, [("A", 1), ("B", 1)])]));
    let opposing = async {
        on.database.until_waiting().await;
        // A is locked by the batch, which waits for B: this closes the circle.
        lock(&mut rival, "A").await;
        commit(&mut rival).await;
    };
    let (reserved, ()) = tokio::join!(reserving, opposing);
    assert_eq!(state(&reserved.unwrap().outcomes), OrderState::Blocked);
    let status: Option<(String, String, String)> = rival
        .query_first("SHOW ENGINE INNODB STATUS")
        .await
        .unwrap();
    let (_, _, status) = status.unwrap();
    // The last deadlock is told with the locks it was about.
    let about = format!("`{}`.`items`", on.database.url.database());
    assert!(status.contains(&about), "there was no deadlock");
    assert_eq!(store.counters("A").await, (4, 1, 0));
    store.assert_conserved().await;
}

pub async fn a_lock_held_for_longer_than_the_wait_is_waited_for_again(on: &OnDatabase) {
    let store = &on.store;
    store.seed([("A", 5)]).await;
    let mut rival = on.holding("A").await;
    let reserving = store.port.reserve(batch(vec![accepted(1, [("A", 1)])]));
    let holding = async {
        on.database.until_waiting_again_after(4).await;
        commit(&mut rival).await;
    };
    let (reserved, ()) = tokio::join!(reserving, holding);
    assert_eq!(state(&reserved.unwrap().outcomes), OrderState::Blocked);
    store.assert_conserved().await;
}

pub async fn a_connection_killed_during_a_batch_is_replaced(on: &OnDatabase) {
    let store = &on.store;
    store.seed([("A", 5)]).await;
    let mut rival = on.holding("A").await;
    let reserving = store.port.reserve(batch(vec![accepted(1, [("A", 1)])]));
    let killing = async {
        let connection = on.database.until_waiting().await;
        on.database.run(&format!("KILL {connection}")).await;
        commit(&mut rival).await;
    };
    let (reserved, ()) = tokio::join!(reserving, killing);
    assert_eq!(state(&reserved.unwrap().outcomes), OrderState::Blocked);
    assert_eq!(store.counters("A").await, (4, 1, 0));
    store.assert_conserved().await;
}

pub async fn connections_cut_while_idle_are_replaced(on: &OnDatabase) {
    let store = &on.store;
    store.seed([("A", 5)]).await;
    store.order(1, [("A", 1)]).await;
    store.settle(vec![(1, release(Reason::Declined))]).await;
    let mut client = on.database.client().await;
    let others = format!(
        "SELECT id FROM information_schema.processlist WHERE db = '{}' AND id <> CONNECTION_ID()",
        on.database.url.database()
    );
    let connections: Vec<u64> = client.query(&others).await.unwrap();
    assert!(connections.len() >= 3, "{connections:?}");
    for connection in connections {
        client
            .query_drop(format!("KILL {connection}"))
            .await
            .unwrap();
    }
    assert_eq!(store.order(2, [("A", 1)]).await.state, OrderState::Blocked);
    store.settle(vec![(2, release(Reason::Declined))]).await;
    assert_eq!(store.counters("A").await, (5, 0, 0));
    store.seed([("B", 1)]).await;
    assert_eq!(store.counters("B").await, (1, 0, 0));
}

/// Rule 4. A process that is stopped is a future that nobody polls: it holds its locks and answers nothing.
pub async fn nobody_is_stuck_behind_a_stopped_process(on: &OnDatabase) {
    let store = &on.store;
    store.seed([("A", 5), ("B", 5)]).await;
    let mut rival = on.holding("B").await;
    let mut stopped = pin!(
        store
            .port
            .reserve(batch(vec![accepted(1, [("A", 1), ("B", 1)])]))
    );
    tokio::select! {
        biased;
        _ = &mut stopped => panic!("B is locked"),
        _ = on.database.until_waiting() => {}
    }
    // Both items are locked now by a transaction whose client does not read the answer.
    commit(&mut rival).await;
    let began = Instant::now();
    let outcomes = store
        .other
        .reserve(batch(vec![accepted(2, [("A", 1)])]))
        .await;
    assert_eq!(state(&outcomes.unwrap().outcomes), OrderState::Blocked);
    assert!(
        began.elapsed() > Duration::from_secs(4),
        "it was not locked"
    );
    // It wakes up, finds its connection cut, and does its work after all.
    let late = stopped.await.unwrap();
    assert_eq!(states(&late.outcomes), [BLOCKED]);
    assert_eq!(store.counters("A").await, (3, 2, 0));
    store.assert_conserved().await;
}

pub async fn a_caller_that_goes_away_leaves_no_lock(on: &OnDatabase) {
    let store = &on.store;
    store.seed([("A", 5), ("B", 5)]).await;
    let mut rival = on.holding("B").await;
    {
        let mut gone = pin!(
            store
                .port
                .reserve(batch(vec![accepted(1, [("A", 1), ("B", 1)])]))
        );
        tokio::select! {
            biased;
            _ = &mut gone => panic!("B is locked"),
            _ = on.database.until_waiting() => {}
        }
    }
    commit(&mut rival).await;
    let began = Instant::now();
    assert_eq!(store.order(2, [("A", 1)]).await.state, OrderState::Blocked);
    assert!(began.elapsed() < Duration::from_secs(4));
    assert_eq!(store.state(1).await, None);
    store.assert_conserved().await;
}

/// Which items an order needs is known only after it was read: it may come in after that.
pub async fn an_order_that_comes_in_while_its_batch_is_settled_is_settled(on: &OnDatabase) {
    let store = &on.store;
    store.seed([("A", 5), ("B", 5)]).await;
    store.order(1, [("A", 1)]).await;
    let mut rival = on.holding("A").await;
    let release = |number| Settle {
        order_id: id(number),
        action: release(Reason::Cancelled),
    };
    let settling = store.port.settle(vec![release(1), release(2)]);
    let arriving = async {
        on.database.until_waiting().await;
        let reserved = store
            .other
            .reserve(batch(vec![accepted(2, [("B", 2)])]))
            .await;
        assert_eq!(states(&reserved.unwrap().outcomes), [BLOCKED]);
        commit(&mut rival).await;
    };
    let (settled, ()) = tokio::join!(settling, arriving);
    assert!(
        settled
            .unwrap()
            .outcomes
            .iter()
            .all(|outcome| outcome.applied)
    );
    assert_eq!(store.counters("A").await, (5, 0, 0));
    assert_eq!(store.counters("B").await, (5, 0, 0));
    store.assert_conserved().await;
}

/// The same id with other items is not kept out by the locks of the items, but by the primary key.
pub async fn one_id_with_two_carts_at_once_is_one_order(on: &OnDatabase) {
    let store = &on.store;
    store.seed([("A", 50), ("B", 50)]).await;
    for number in 0..20 {
        let one = accepted(number, [("A", 1)]);
        let other = accepted(number, [("B", 1)]);
        let (one, other) = tokio::join!(
            store.port.reserve(batch(vec![one])),
            store.other.reserve(batch(vec![other])),
        );
        let outcomes = [
            one.unwrap().outcomes.remove(0),
            other.unwrap().outcomes.remove(0),
        ];
        let conflicts = outcomes
            .iter()
            .filter(|outcome| **outcome == ReserveOutcome::IdConflict);
        assert_eq!(conflicts.count(), 1);
    }
    store.assert_conserved().await;
}

/// One test per case, over one server.
macro_rules! locks_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            mysql_locks over $($adapter)+;
            a_deadlock_is_rolled_back_and_tried_again,
            a_lock_held_for_longer_than_the_wait_is_waited_for_again,
            a_connection_killed_during_a_batch_is_replaced,
            connections_cut_while_idle_are_replaced,
            nobody_is_stuck_behind_a_stopped_process,
            a_caller_that_goes_away_leaves_no_lock,
            an_order_that_comes_in_while_its_batch_is_settled_is_settled,
            one_id_with_two_carts_at_once_is_one_order,
        }
    };
}
pub(crate) use locks_suite;
