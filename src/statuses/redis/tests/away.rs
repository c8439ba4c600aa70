//! A server that is away, comes back, or does not answer.

use nix::sys::signal::Signal;

use super::*;
use crate::ports::ErrorKind;

/// What a store answers while its server is away, and how long it takes.
async fn kind_of_write(store: &Store, clock: &ManualClock) -> (Option<ErrorKind>, Duration) {
    let began = Instant::now();
    let written = store.transition(vec![to(clock, 9, Status::Init)]).await;
    (written.err().map(|error| error.kind()), began.elapsed())
}

#[tokio::test]
async fn a_dead_port_is_named_soon() {
    // Taken, so that nobody else listens there, and not listening.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = taken.local_addr().unwrap().port();
    for scheme in ["redis", "redis-cluster"] {
        let url: RedisUrl = format!("{scheme}://127.0.0.1:{port}").parse().unwrap();
        let began = Instant::now();
        let error = Store::connect(&url, ManualClock::default())
            .await
            .unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(10));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(
            error.to_string(),
            format!("cannot reach Redis at 127.0.0.1:{port} now")
        );
        assert!(cause.to_lowercase().contains("refused"), "{cause}");
    }
}

#[tokio::test]
async fn one_server_is_no_cluster() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let url: RedisUrl = format!("redis-cluster://127.0.0.1:{}", server.port)
        .parse()
        .unwrap();
    let error = Store::connect(&url, ManualClock::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permanent);
    assert!(error.to_string().contains("write redis://"), "{error}");
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again_and_wakes_again() {
    let Some(mut server) = Server::start(&[]) else {
        return;
    };
    let clock = ManualClock::default();
    let (store, other) = (
        Arc::new(server.open(&clock).await),
        server.open(&clock).await,
    );
    subscribed(&store).await;
    let waiter = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.wait(id(1), 0, in_an_hour()).await })
    };
    soon(async {
        while store.inner.waiters.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Reads are served in turn: when this one is, the waiter's has been.
    store.reads.submit(id(2)).await.unwrap();
    server.stop();
    soon(async {
        while kind_of_write(&store, &clock).await.0 != Some(ErrorKind::Unavailable) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // Once it is known to be away, nobody is held up.
    let (kind, took) = kind_of_write(&store, &clock).await;
    assert_eq!(kind, Some(ErrorKind::Unavailable));
    assert!(took < Duration::from_millis(200), "{took:?}");
    let read = store.get(vec![id(1)]).await.unwrap_err();
    assert_eq!(read.kind(), ErrorKind::Unavailable);
    server.restart();
    soon(async {
        let block = || other.transition(vec![to(&clock, 1, Status::Block)]);
        while block().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let entry = soon(waiter).await.unwrap().unwrap().unwrap();
    assert_eq!(entry.status, Status::Block);
    assert_eq!(kind_of_write(&store, &clock).await.0, None);
}

#[tokio::test]
async fn a_server_that_does_not_answer_leaves_the_outcome_unknown() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let clock = ManualClock::default();
    let store = server.open(&clock).await;
    server.signal(Signal::SIGSTOP);
    let (written, read) = tokio::join!(kind_of_write(&store, &clock), store.get(vec![id(1)]));
    assert_eq!(written.0, Some(ErrorKind::OutcomeUnknown));
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(written.1 < Duration::from_secs(4), "{:?}", written.1);
    server.signal(Signal::SIGCONT);
    soon(async {
        while kind_of_write(&store, &clock).await.0.is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // What nobody knew was done.
    assert!(store.get(vec![id(9)]).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn a_full_server_refuses_and_nothing_was_done() {
    let Some(server) = Server::start(&["--maxmemory", "100kb"]) else {
        return;
    };
    let clock = ManualClock::default();
    let store = server.open(&clock).await;
    let (kind, _) = kind_of_write(&store, &clock).await;
    assert_eq!(kind, Some(ErrorKind::Unavailable));
    let _: () = server.admin("CONFIG SET maxmemory 0");
    assert_eq!(store.get(vec![id(9)]).await.unwrap(), [None]);
    assert_eq!(kind_of_write(&store, &clock).await.0, None);
}
