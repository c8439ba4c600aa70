//! The adapter of the inventory service: errors that keep their kind, answers that are lost or odd, large batches.

use std::sync::Arc;
use std::time::Duration;

use oms::domain::{Reason, Timestamp};
use oms::http_client::HttpUrl;
use oms::inventory::http::HttpInventory;
use oms::inventory::{
    Administration as _, Auditing as _, DeadLetterIndex as _, DeadLetterRow, DeadLetterState,
    Inventory as _, ReserveBatch, ReserveOutcome, Settle, SettleAction,
};
use oms::ports::{Error, ErrorKind};

use super::server::canned;
use super::service::{self, Service};
use crate::faults::{Fault, Faults, Faulty, Op};
use crate::make::{accepted, id, item, sku};
use crate::model::{Gate, ManualClock, ModelInventory};
use crate::place::{Done, Place, nowhere};
use crate::process::Process;

fn batch(numbers: std::ops::Range<u64>) -> ReserveBatch {
    ReserveBatch {
        carts: numbers.map(|number| accepted(number, [("A", 1)])).collect(),
        hold: Duration::from_secs(600),
    }
}

struct Behind {
    model: ModelInventory,
    faults: Faults,
    service: Service,
}

/// A service whose inventory does what its faults say.
async fn faulty() -> Behind {
    let clock = ManualClock::default();
    let model = ModelInventory::new(clock.clone());
    model.put(&[item("A", 10_000)]);
    let faults = Faults::default();
    let service = service::serve(Faulty::new(model.clone(), &faults), &clock).await;
    Behind {
        model,
        faults,
        service,
    }
}

#[tokio::test]
async fn every_error_keeps_its_kind_and_says_what_the_store_said() {
    let behind = faulty().await;
    let client = behind.service.client();
    for (fault, kind, says) in [
        (
            Fault::Unavailable,
            ErrorKind::Unavailable,
            "cannot Reserve now",
        ),
        (Fault::Permanent, ErrorKind::Permanent, "cannot Reserve"),
        (
            Fault::LostBefore,
            ErrorKind::OutcomeUnknown,
            "cannot tell whether this was done: Reserve",
        ),
        (
            Fault::LostAfter,
            ErrorKind::OutcomeUnknown,
            "cannot tell whether this was done: Reserve",
        ),
    ] {
        behind.faults.next(Op::Reserve, [fault]);
        let error = client.reserve(batch(0..3)).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        let text = error.chain();
        assert!(text.contains("reserve 3 carts"), "{text}");
        assert!(
            text.ends_with(&format!("the inventory service says: {says}")),
            "{text}"
        );
    }
    // The last one was done: a repeat says so, and does nothing.
    let told = client.reserve(batch(0..3)).await.unwrap();
    assert_eq!(told.levels, []);
    assert_eq!(behind.model.state().orders.len(), 3);
    // The kind is the adapter's own, also where it only reads.
    behind.faults.next(Op::Stock, [Fault::LostBefore]);
    let error = client.stock(vec![sku("A")], true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn a_poisoned_cart_is_permanent_for_its_batch_and_only_for_that() {
    let behind = faulty().await;
    let client = behind.service.client();
    behind.faults.poison(id(2));
    let error = client.reserve(batch(0..4)).await.unwrap_err();
    assert!(!error.is_transient());
    client.reserve(batch(3..4)).await.unwrap();
}

/// What a change, a settlement and a read come to, if they fail.
async fn kinds(client: &HttpInventory) -> [Option<ErrorKind>; 3] {
    let settle = Settle {
        order_id: id(1),
        action: SettleAction::Release {
            reason: Reason::Expired,
        },
    };
    let kind = |error: Error| error.kind();
    [
        client.reserve(batch(0..1)).await.err().map(kind),
        client.settle(vec![settle]).await.err().map(kind),
        client.orders(vec![id(1)]).await.err().map(kind),
    ]
}

const UNAVAILABLE: Option<ErrorKind> = Some(ErrorKind::Unavailable);
const UNKNOWN: Option<ErrorKind> = Some(ErrorKind::OutcomeUnknown);
const PERMANENT: Option<ErrorKind> = Some(ErrorKind::Permanent);

#[tokio::test]
async fn a_change_that_was_sent_and_not_answered_may_have_been_done() {
    let clock = ManualClock::default();
    let faults = Faults::default();
    let never = Fault::DelayBefore(Duration::from_secs(3_600));
    faults.always(Op::DATABASE, &never);
    let model = Faulty::new(ModelInventory::new(clock.clone()), &faults);
    let service = service::serve(model, &clock).await;
    let url = format!("http://{}?timeout=100ms", service.address);
    let client = HttpInventory::open(&HttpUrl::parse(&url).unwrap()).unwrap();
    assert_eq!(kinds(&client).await, [UNKNOWN, UNKNOWN, UNAVAILABLE]);
    let url = format!("http://{}", nowhere());
    let client = HttpInventory::open(&HttpUrl::parse(&url).unwrap()).unwrap();
    assert_eq!(kinds(&client).await, [UNAVAILABLE; 3]);
    assert_eq!(
        client.store_id().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
}

#[tokio::test]
async fn what_is_no_inventory_service_never_makes_a_cart_poison() {
    let problem = r#"{"type":"urn:oms:problem:invalid","detail":"no"}"#;
    let other = r#"{"type":"about:blank","detail":"no"}"#;
    let short = r#"{"outcomes":[],"levels":[]}"#;
    for (status, body, expected) in [
        (404, "<html>", [UNAVAILABLE; 3]),
        (401, other, [UNAVAILABLE; 3]),
        (422, other, [UNAVAILABLE; 3]),
        (302, "", [UNAVAILABLE; 3]),
        (204, "", [UNAVAILABLE; 3]),
        (429, "", [UNAVAILABLE; 3]),
        (503, "busy", [UNAVAILABLE; 3]),
        // A proxy that has lost the answer.
        (502, "", [UNKNOWN, UNKNOWN, UNAVAILABLE]),
        (504, "", [UNKNOWN, UNKNOWN, UNAVAILABLE]),
        (200, "<html>", [UNKNOWN, UNKNOWN, UNAVAILABLE]),
        (200, short, [UNKNOWN, UNKNOWN, UNAVAILABLE]),
        (200, "[]", [UNKNOWN, UNKNOWN, UNAVAILABLE]),
        // The service itself.
        (422, problem, [PERMANENT; 3]),
        (413, problem, [PERMANENT; 3]),
        (500, problem, [UNKNOWN, UNKNOWN, UNAVAILABLE]),
        (404, problem, [UNAVAILABLE; 3]),
    ] {
        let (server, _) = canned(status, body).await;
        let client = HttpInventory::open(&server.url("", "")).unwrap();
        assert_eq!(kinds(&client).await, expected, "{status} {body}");
    }
}

#[tokio::test]
async fn a_batch_of_four_thousand_carts_is_decided_as_one() {
    let behind = faulty().await;
    let client = behind.service.client();
    let lines: Vec<String> = (0..5).map(|n| format!("{n}-{}", "x".repeat(60))).collect();
    let items = lines.iter().map(|name| item(name, 5_000));
    client.put_items(items.collect()).await.unwrap();
    let carts = (0..4_000)
        .map(|number| accepted(number, lines.iter().map(|name| (name.as_str(), 1))))
        .collect();
    let hold = Duration::from_secs(600);
    let told = client.reserve(ReserveBatch { carts, hold }).await.unwrap();
    assert_eq!(told.outcomes.len(), 4_000);
    assert_eq!(told.levels.len(), 5);
    for (number, outcome) in (0..).zip(&told.outcomes) {
        let ReserveOutcome::Order(order) = outcome else {
            panic!("an id conflict");
        };
        assert_eq!(order.order_id, id(number));
        assert_eq!(order.batch.unwrap().id, 1);
    }
    assert_eq!(behind.model.state().batches.len(), 1);
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_permanent_so_that_it_is_halved() {
    let behind = faulty().await;
    let client = behind.service.client();
    let ids = vec![id(1); 500_000];
    let error = client.orders(ids).await.unwrap_err();
    assert!(!error.is_transient());
    let text = error.chain();
    assert!(text.contains("at most 16777216 are taken"), "{text}");
}

#[tokio::test]
async fn long_dead_letters_are_recorded_in_several_requests() {
    let behind = faulty().await;
    let client = behind.service.client();
    let letter = |offset: u64, bytes: usize| DeadLetterRow {
        id: 0,
        topic: "carts".to_owned(),
        partition: 0,
        offset,
        order_id: None,
        reason: Reason::Poison,
        detail: "not JSON".to_owned(),
        key: vec![0xff],
        payload: vec![0xfe; bytes],
        original: None,
        at: Timestamp::from_millis(0),
        state: DeadLetterState::Pending,
    };
    let sizes = [3_000_000, 3_000_000, 10, 10_000_000, 0, 10];
    let letters = (0..)
        .zip(sizes)
        .map(|(offset, bytes)| letter(offset, bytes));
    client.record(letters.collect()).await.unwrap();
    assert_eq!(behind.faults.calls(Op::Record), 4);
    let kept = client.letters(0, 100).await.unwrap();
    let bytes: Vec<usize> = kept.iter().map(|row| row.payload.len()).collect();
    assert_eq!(bytes, sizes);
    client.record(Vec::new()).await.unwrap();
    assert_eq!(behind.faults.calls(Op::Record), 4);
}

#[tokio::test]
async fn one_item_is_read_at_once() {
    let behind = faulty().await;
    let client = behind.service.client();
    let found = client.item(sku("A")).await.unwrap().unwrap();
    assert_eq!(found.level.available, 10_000);
    assert_eq!(client.item(sku("B")).await.unwrap(), None);
    assert_eq!(client.audit_sql(), []);
    assert_eq!(
        client.store_id().await.unwrap(),
        behind.model.store_id().await.unwrap()
    );
}

/// Runs the program beside the services of a test.
async fn run(place: &Arc<Place>, args: &[&str]) -> Done {
    let (place, args) = (Arc::clone(place), args.iter().map(ToString::to_string));
    let args: Vec<String> = args.collect();
    let running = tokio::task::spawn_blocking(move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        place.run(&args)
    });
    running.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_in_doubt_is_repeated_under_the_id_that_the_error_names() {
    let behind = faulty().await;
    let place = Arc::new(Place::new());
    let url = format!("http://{}", behind.service.address);
    let adjust = [
        "--inventory-url",
        &url,
        "inventory",
        "adjust",
        "A",
        "--by",
        "7",
        "--reason",
        "delivery",
    ];
    for (fault, says, repeated) in [
        (Fault::LostAfter, "may have been made", true),
        (Fault::Unavailable, "was not made", false),
    ] {
        let before = behind.model.state().items[&sku("A")].level.available;
        behind.faults.next(Op::Adjust, [fault]);
        let failed = run(&place, &adjust).await;
        assert_eq!(failed.code, Some(1), "{failed:?}");
        let line = failed.error();
        assert!(line.contains(says), "{line}");
        let (_, advice) = line.split_once("repeat with --id ").unwrap();
        let id = advice.split([':', ' ']).next().unwrap();
        let args: Vec<&str> = adjust.into_iter().chain(["--id", id, "--json"]).collect();
        let made = run(&place, &args).await;
        let made: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
        assert_eq!(made["id"], id);
        assert_eq!(made["repeated"], repeated);
        assert_eq!(made["available"], before + 7);
    }
    // A user who tires of waiting knows the id, too.
    let gate = Gate::default();
    behind
        .faults
        .next(Op::Adjust, [Fault::HoldAfter(gate.clone())]);
    let slow = Process::start(&place, &adjust);
    let done = tokio::task::spawn_blocking(move || {
        slow.complains("no answer yet");
        slow
    });
    let slow = done.await.unwrap();
    let said = slow.stderr();
    let id = said.split("--id ").nth(1).unwrap().trim().to_owned();
    gate.open();
    let done = tokio::task::spawn_blocking(move || slow.ended()).await;
    let text = done.unwrap().stdout;
    assert!(text.contains(&format!("(correction {id})")), "{text}");
}
