//! Users, passwords and encryption.

use std::error::Error as StdError;
use std::process::Command;

use super::*;
use crate::ports::ErrorKind;

const CANARY: &str = "canary-2f9c";

/// The error and its causes, as `Display` and `Debug` show them.
fn shown(error: &Error) -> String {
    let mut shown = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        shown = format!("{shown} {cause} {cause:?}");
        source = cause.source();
    }
    shown
}

#[tokio::test]
async fn a_password_is_in_nothing_that_can_be_shown() {
    let Some(mut server) = Server::start(&[]) else {
        return;
    };
    let _: () = server.admin(&format!("ACL SETUSER oms on >{CANARY} ~* &* +@all"));
    let clock = ManualClock::default();
    let url = server.url_with(&format!("oms:{CANARY}@"));
    let store = Store::connect(&url, clock.clone()).await.unwrap();
    let mut texts = vec![format!("{url} {url:?} {store:?}")];
    server.stop();
    soon(async {
        for _ in 0..3 {
            if let Err(error) = store.transition(vec![to(&clock, 1, Status::Init)]).await {
                texts.push(shown(&error));
            }
        }
    })
    .await;
    assert!(texts.len() > 1);
    let refused = Store::connect(&url, clock.clone()).await.unwrap_err();
    texts.push(shown(&refused));
    server.restart();
    // The user is gone with the server.
    let unknown = Store::connect(&url, clock.clone()).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Permanent);
    texts.push(shown(&unknown));
    for text in texts {
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[tokio::test]
async fn the_documented_permissions_are_enough() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let _: () = server.admin(
        "ACL SETUSER oms on >secret resetkeys ~oms:* resetchannels &oms:* -@all +mget +get +set +eval +publish \
         +subscribe +ping +scan +info",
    );
    let clock = ManualClock::default();
    let url = server.url_with("oms:secret@");
    let connect = || Store::connect(&url, clock.clone());
    let (store, other) = (connect().await.unwrap(), connect().await.unwrap());
    subscribed(&store).await;
    let write = other.transition(vec![to(&clock, 1, Status::Block)]);
    let (entry, _) = soon(async { tokio::join!(store.wait(id(1), 0, in_an_hour()), write) }).await;
    assert_eq!(entry.unwrap().unwrap().status, Status::Block);
    assert_eq!(store.history(id(1)).await.unwrap().len(), 1);
    store.cache_stock(cached_now(&clock, 1)).await.unwrap();
    assert_eq!(cached(&store).await, Some(1));
    let checked = check(&url).await.unwrap();
    assert!(checked.version.starts_with("redis "), "{checked:?}");
    assert_eq!(checked.mode, "standalone");
    assert!(
        checked.warnings.is_empty() && checked.used_memory > 0,
        "{checked:?}"
    );
    let denied: Vec<Value> = server.admin("ACL LOG");
    assert!(denied.is_empty(), "{denied:?}");
}

#[tokio::test]
async fn an_eviction_policy_is_warned_of() {
    let Some(server) = Server::start(&["--maxmemory-policy", "allkeys-lru"]) else {
        return;
    };
    let checked = check(&server.url()).await.unwrap();
    assert_eq!(checked.maxmemory_policy, "allkeys-lru");
    assert_eq!(checked.warnings.len(), 1);
    assert!(!checked.notes.is_empty());
}

/// Makes a CA and a certificate for 127.0.0.1 in a folder; false if that cannot be done here.
fn certificate(folder: &std::path::Path) -> bool {
    std::fs::write(folder.join("san"), "subjectAltName=IP:127.0.0.1").unwrap();
    [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=server -keyout key.pem -out request.pem",
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out cert.pem",
    ]
    .iter()
    .all(|words| {
        let made = Command::new("openssl")
            .args(words.split(' '))
            .current_dir(folder)
            .output();
        made.is_ok_and(|output| output.status.success())
    })
}

#[tokio::test]
async fn an_encrypted_connection_trusts_the_given_ca_only() {
    let folder = tempfile::tempdir().unwrap();
    if !certificate(folder.path()) {
        eprintln!("SKIPPED: openssl makes no certificate here");
        return;
    }
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key, ca) = (path("cert.pem"), path("key.pem"), path("ca.pem"));
    let arguments = [
        "--tls-port",
        "PORT",
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
    ];
    let Some(server) = Server::start(&arguments) else {
        return;
    };
    let clock = ManualClock::default();
    let connect = |url: String| {
        let (url, clock) = (url.parse::<RedisUrl>().unwrap(), clock.clone());
        async move { Store::connect(&url, clock).await }
    };
    let at = format!("rediss://127.0.0.1:{}", server.port);
    let store = connect(format!("{at}?tls-ca={ca}")).await.unwrap();
    subscribed(&store).await;
    let written = store.transition(vec![to(&clock, 1, Status::Init)]).await;
    assert_eq!(written.unwrap(), [Transitioned::Applied]);
    let untrusted = connect(at.clone()).await.unwrap_err();
    assert_eq!(
        untrusted.kind(),
        ErrorKind::Permanent,
        "{}",
        shown(&untrusted)
    );
    let missing = connect(format!("{at}?tls-ca=/nowhere/ca.pem"))
        .await
        .unwrap_err();
    assert!(
        shown(&missing).contains("/nowhere/ca.pem"),
        "{}",
        shown(&missing)
    );
    let plain = connect(format!("redis://127.0.0.1:{}", server.port)).await;
    assert!(plain.is_err());
}
