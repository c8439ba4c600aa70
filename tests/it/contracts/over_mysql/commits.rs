//! What happens when nobody knows whether a COMMIT was done: a proxy cuts the connection before or after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use oms::domain::Reason;
use oms::inventory::mysql::MysqlInventory;
use oms::inventory::{
    Adjusted, Adjustment, Administration, Inventory, ReserveBatch, Settle, SettleOutcome,
};
use oms::ports::ErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::OnDatabase;
use crate::contracts::store::{BLOCKED, HOLD, failed, release, states};
use crate::make::{accepted, id, sku};

/// What the proxy does about the next COMMIT.
const PASS: u8 = 0;
const CUT_BEFORE: u8 = 1;
const CUT_AFTER: u8 = 2;
/// Cut after it, and let nobody in any more.
const CUT_AND_CLOSE: u8 = 3;
/// Pass nothing on any more, and keep the connections: a server that hangs.
const HANG: u8 = 4;

/// Stands between the adapter and the server.
struct Proxy {
    port: u16,
    plan: Arc<AtomicU8>,
}

impl Proxy {
    async fn before(on: &OnDatabase) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan = Arc::new(AtomicU8::new(PASS));
        let (server, planned) = (on.database.address(), Arc::clone(&plan));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if planned.load(Ordering::SeqCst) == CUT_AND_CLOSE {
                    continue;
                }
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(relay(client, server, Arc::clone(&planned)));
            }
        });
        Self { port, plan }
    }

    async fn open(&self, on: &OnDatabase) -> MysqlInventory {
        let url = on.database.at(&format!("127.0.0.1:{}", self.port), "");
        MysqlInventory::connect(&url).await.unwrap()
    }

    fn plan(&self, plan: u8) {
        self.plan.store(plan, Ordering::SeqCst);
    }
}

/// Passes bytes both ways until a COMMIT is to be cut.
async fn relay(mut client: TcpStream, mut server: TcpStream, plan: Arc<AtomicU8>) {
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(read @ 1..) = read else { return };
                if plan.load(Ordering::SeqCst) == HANG {
                    std::future::pending::<()>().await;
                }
                let is_commit = up[..read].ends_with(b"COMMIT");
                let planned = plan.load(Ordering::SeqCst);
                if is_commit && planned == CUT_BEFORE {
                    plan.store(PASS, Ordering::SeqCst);
                    return;
                }
                if server.write_all(&up[..read]).await.is_err() {
                    return;
                }
                if is_commit && planned != PASS {
                    // The answer has come, and is lost on the way.
                    let _ = server.read(&mut down).await;
                    if planned == CUT_AFTER {
                        plan.store(PASS, Ordering::SeqCst);
                    }
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(read @ 1..) = read else { return };
                if client.write_all(&down[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn batch(number: u64) -> ReserveBatch {
    let carts = vec![
        accepted(number, [("A", 1)]),
        accepted(number + 1, [("B", 1)]),
    ];
    ReserveBatch { carts, hold: HOLD }
}

/// Five units of A and of B, and an adapter that reaches them through a proxy.
async fn stock_behind_a_proxy(on: &OnDatabase) -> (Proxy, MysqlInventory) {
    on.store.seed([("A", 5), ("B", 5)]).await;
    let proxy = Proxy::before(on).await;
    let port = proxy.open(on).await;
    (proxy, port)
}

/// Cancels the first order of a batch.
async fn cancel(port: &MysqlInventory) -> SettleOutcome {
    let settle = Settle {
        order_id: id(1),
        action: release(Reason::Cancelled),
    };
    port.settle(vec![settle]).await.unwrap().outcomes.remove(0)
}

pub async fn a_commit_that_was_not_done_is_done_again(on: &OnDatabase) {
    let store = &on.store;
    let (proxy, port) = stock_behind_a_proxy(on).await;
    proxy.plan(CUT_BEFORE);
    let reserved = port.reserve(batch(1)).await.unwrap();
    assert_eq!(states(&reserved.outcomes), [BLOCKED; 2]);
    proxy.plan(CUT_BEFORE);
    assert!(cancel(&port).await.applied);
    assert_eq!(store.counters("A").await, (5, 0, 0));
    assert_eq!(store.counters("B").await, (4, 1, 0));
    store.assert_conserved().await;
}

pub async fn a_commit_whose_answer_was_lost_is_found_in_the_database(on: &OnDatabase) {
    let store = &on.store;
    let (proxy, port) = stock_behind_a_proxy(on).await;
    proxy.plan(CUT_AFTER);
    let reserved = port.reserve(batch(1)).await.unwrap();
    assert_eq!(states(&reserved.outcomes), [BLOCKED; 2]);
    assert_eq!(store.counters("A").await, (4, 1, 0));
    proxy.plan(CUT_AFTER);
    let order = cancel(&port).await.order.unwrap();
    assert_eq!((order.state, order.reason), failed(Reason::Cancelled));
    assert_eq!(store.counters("A").await, (5, 0, 0));
    proxy.plan(CUT_AFTER);
    let adjustment = Adjustment {
        id: Uuid::from_u128(1),
        sku: sku("A"),
        by: 3,
        reason: "recount".to_owned(),
    };
    let adjusted = port.adjust(vec![adjustment]).await.unwrap();
    assert!(
        matches!(adjusted[..], [Adjusted::Repeated(_)]),
        "{adjusted:?}"
    );
    assert_eq!(store.counters("A").await, (8, 0, 0));
    store.assert_conserved().await;
}

pub async fn an_outcome_that_cannot_be_found_out_is_said_to_be_unknown(on: &OnDatabase) {
    let store = &on.store;
    let (proxy, port) = stock_behind_a_proxy(on).await;
    port.reserve(batch(5)).await.unwrap();
    proxy.plan(CUT_AND_CLOSE);
    let error = port.reserve(batch(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
    // Before a COMMIT nothing is unknown.
    let error = port.reserve(batch(3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let error = port.orders(vec![id(1)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    proxy.plan(PASS);
    let again = port.reserve(batch(1)).await.unwrap();
    assert_eq!(states(&again.outcomes), [BLOCKED; 2]);
    assert_eq!(store.counters("A").await, (3, 2, 0));
    assert_eq!(store.state(3).await, None);
    store.assert_conserved().await;
}

/// A call's time includes the wait for its turn.
pub async fn corrections_behind_a_server_that_hangs_end_together(on: &OnDatabase) {
    let (proxy, port) = stock_behind_a_proxy(on).await;
    let correction = |number: u128| Adjustment {
        id: Uuid::from_u128(number),
        sku: sku("A"),
        by: 1,
        reason: "delivery".to_owned(),
    };
    // From now on there is a connection.
    port.adjust(vec![correction(1)]).await.unwrap();
    proxy.plan(HANG);
    let began = Instant::now();
    let corrections = (2..14).map(|number| port.adjust(vec![correction(number)]));
    for result in futures::future::join_all(corrections).await {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    // One bound for each call: 30 s. One after the other they took 85 s.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(55), "{took:?}");
    assert_eq!(on.store.counters("A").await, (6, 0, 0));
}

/// One test per case, over one server.
macro_rules! commits_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            mysql_commits over $($adapter)+;
            a_commit_that_was_not_done_is_done_again,
            a_commit_whose_answer_was_lost_is_found_in_the_database,
            an_outcome_that_cannot_be_found_out_is_said_to_be_unknown,
            corrections_behind_a_server_that_hangs_end_together,
        }
    };
}
pub(crate) use commits_suite;
