//! Which databases are opened and migrated, and which are refused.

use std::error::Error as _;

use futures::future::join_all;
use mysql_async::prelude::Queryable;
use oms::inventory::Auditing;
use oms::inventory::mysql::{Migrated, MysqlInventory, MysqlUrl};
use oms::ports::{Error, ErrorKind};

use super::OnDatabase;

/// The error and its cause, as they are printed.
fn told(error: &Error) -> String {
    let cause = error.source().map(ToString::to_string);
    format!("{error}: {}", cause.unwrap_or_default())
}

async fn refusal(url: &MysqlUrl) -> Error {
    match MysqlInventory::connect(url).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

pub async fn many_migrate_at_once_and_make_one_store(on: &OnDatabase) {
    let database = on.database.beside();
    let migrating = (0..5).map(|_| MysqlInventory::migrate(&database.url));
    let migrated: Vec<_> = join_all(migrating).await;
    let mut from: Vec<u32> = migrated
        .into_iter()
        .map(|migrated| migrated.unwrap().from)
        .collect();
    from.sort_unstable();
    assert_eq!(from, [0, 1, 1, 1, 1]);
    let one = MysqlInventory::connect(&database.url).await.unwrap();
    let id = one.store_id().await.unwrap();
    assert_eq!(id.get_version_num(), 4);
    assert_ne!(id, on.store.port.store_id().await.unwrap());
}

pub async fn a_migration_that_stopped_halfway_is_finished(on: &OnDatabase) {
    let id = on.store.port.store_id().await.unwrap();
    on.database.run("DROP TABLE dead_letters").await;
    on.database.run("DROP TABLE adjustments").await;
    on.database.run("DELETE FROM oms_schema").await;
    let error = refusal(&on.database.url).await;
    assert!(told(&error).contains("oms migrate"), "{}", told(&error));
    let migrated = MysqlInventory::migrate(&on.database.url).await.unwrap();
    assert_eq!(migrated, Migrated { from: 0, to: 1 });
    let again = MysqlInventory::connect(&on.database.url).await.unwrap();
    assert_eq!(again.store_id().await.unwrap(), id);
}

pub async fn a_database_that_is_not_migrated_says_what_to_do(on: &OnDatabase) {
    let database = on.database.beside();
    let missing = refusal(&database.url).await;
    assert!(told(&missing).contains("oms migrate"), "{}", told(&missing));
    let mut server = database.server().await;
    let name = database.url.database();
    server
        .query_drop(format!("CREATE DATABASE {name}"))
        .await
        .unwrap();
    let empty = refusal(&database.url).await;
    assert!(told(&empty).contains("oms migrate"), "{}", told(&empty));
    assert_eq!(empty.kind(), ErrorKind::Permanent);
}

pub async fn a_newer_database_is_refused(on: &OnDatabase) {
    on.database
        .run("INSERT INTO oms_schema VALUES (99, 0)")
        .await;
    let refused = refusal(&on.database.url).await;
    assert!(told(&refused).contains("version 99"), "{}", told(&refused));
    let refused = MysqlInventory::migrate(&on.database.url).await.unwrap_err();
    assert!(
        told(&refused).contains("use a newer oms"),
        "{}",
        told(&refused)
    );
}

pub async fn a_database_of_another_program_is_refused_and_left_alone(on: &OnDatabase) {
    let database = on.database.beside();
    let mut server = database.server().await;
    let name = database.url.database();
    server
        .query_drop(format!("CREATE DATABASE {name}"))
        .await
        .unwrap();
    database.run("CREATE TABLE items (id INT)").await;
    let refused = refusal(&database.url).await;
    assert!(
        told(&refused).contains("another program"),
        "{}",
        told(&refused)
    );
    let refused = MysqlInventory::migrate(&database.url).await.unwrap_err();
    assert!(
        told(&refused).contains("another program"),
        "{}",
        told(&refused)
    );
    let tables: Vec<String> = database.client().await.query("SHOW TABLES").await.unwrap();
    assert_eq!(tables, ["items"]);
}

pub async fn a_server_that_is_away_or_refuses_is_named_without_the_password(on: &OnDatabase) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    let address = on.database.address();
    for (address, kind, cause) in [
        ("127.0.0.1:1", ErrorKind::Unavailable, "refused"),
        (
            silent.to_string().as_str(),
            ErrorKind::Unavailable,
            "no answer within 5 s",
        ),
        (address.as_str(), ErrorKind::Permanent, "denied"),
    ] {
        let url = format!("mysql://nobody:hunter2@{address}/oms");
        let error = refusal(&MysqlUrl::parse(&url).unwrap()).await;
        assert_eq!(error.kind(), kind);
        let told = told(&error);
        assert!(told.contains(address) && told.contains(cause), "{told}");
        assert!(!format!("{told} {error:?}").contains("hunter2"), "{told}");
    }
}

/// Whichever it lacks: encryption at all, or a certificate that somebody vouches for.
pub async fn a_server_that_cannot_prove_who_it_is_is_refused(on: &OnDatabase) {
    let address = on.database.address();
    let url = on.database.at(&address, "?tls=verify-identity");
    let unproven = told(&refusal(&url).await);
    assert!(
        unproven.contains("certificate") || unproven.contains("SSL"),
        "{unproven}"
    );
    let url = on
        .database
        .at(&address, "?tls=verify-identity&tls-ca=/nowhere.pem");
    let unreadable = told(&refusal(&url).await);
    assert!(unreadable.contains("/nowhere.pem"), "{unreadable}");
}

pub async fn settings_with_which_a_crash_can_lose_commits_are_told(on: &OnDatabase) {
    let mut client = on.database.client().await;
    let settings: Option<(u64, u64, u64)> = client
        .query_first("SELECT @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.log_bin, @@GLOBAL.sync_binlog")
        .await
        .unwrap();
    let (flushed, logged, synced) = settings.unwrap();
    let expected = usize::from(flushed != 1) + usize::from(logged != 0 && synced != 1);
    let warnings = on.store.port.durability_warnings().await.unwrap();
    assert_eq!(warnings.len(), expected, "{settings:?}: {warnings:?}");
}

/// One test per case, over one server.
macro_rules! schema_suite {
    ($($adapter:tt)+) => {
        $crate::contracts::contract! {
            mysql_schema over $($adapter)+;
            many_migrate_at_once_and_make_one_store,
            a_migration_that_stopped_halfway_is_finished,
            a_database_that_is_not_migrated_says_what_to_do,
            a_newer_database_is_refused,
            a_database_of_another_program_is_refused_and_left_alone,
            a_server_that_is_away_or_refuses_is_named_without_the_password,
            a_server_that_cannot_prove_who_it_is_is_refused,
            settings_with_which_a_crash_can_lose_commits_are_told,
        }
    };
}
pub(crate) use schema_suite;
