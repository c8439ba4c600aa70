//! What whoever runs the service asks, and what is always so.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use oms::http::{document, internal_document, routes};
use oms::inventory::{Inventory as _, Settle, SettleAction};
use oms::queue::Queue as _;
use serde_json::{Value, json};

use super::fixture::{Shop, ShopPorts, cart, request, says};
use crate::faults::{Fault, Op};
use crate::make::{id, money};

#[tokio::test(start_paused = true)]
async fn the_service_says_which_it_is() {
    let shop = Shop::undecided([]).await;
    let info = shop.get("/v1/info").await.ok(200);
    assert_eq!(info["name"], "oms");
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    info["store_id"]
        .as_str()
        .unwrap()
        .parse::<uuid::Uuid>()
        .unwrap();
    assert_eq!(shop.get("/v1/info").await.ok(200), info);
    assert_eq!(shop.get("/healthz").await.ok(200), json!({"status": "ok"}));
}

#[tokio::test(start_paused = true)]
async fn readiness_names_the_store_that_does_not_answer() {
    let shop = Shop::undecided([("A", 1)]).await;
    assert_eq!(
        shop.get("/readyz").await.ok(200),
        json!({"status": "ready"})
    );
    for (ops, name) in [
        (&Op::DATABASE[..], "inventory"),
        (&Op::LOG[..], "queue"),
        (&Op::STATUSES[..], "statuses"),
    ] {
        let never = Fault::DelayBefore(Duration::from_secs(3_600));
        for fault in [Fault::Unavailable, never] {
            shop.faults.always(ops.iter().copied(), &fault);
            let problem = shop.get("/readyz").await.problem(503, "unavailable");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.starts_with(&format!("{name}: ")), "{detail}");
            // It lives all the same.
            shop.get("/healthz").await.ok(200);
            shop.faults.clear();
        }
    }
    shop.get("/readyz").await.ok(200);
}

#[tokio::test]
async fn a_write_that_failed_keeps_the_service_from_being_ready_until_one_succeeds() {
    let shop = Shop::undecided([("A", 10)]).await;
    // A full disk still reads.
    shop.faults.next(Op::Adjust, [Fault::Unavailable]);
    let by = json!({"by": 1, "reason": "recount"});
    let answer = shop.post("/v1/inventory/A/adjustments", &by).await;
    answer.problem(503, "unavailable");
    let problem = shop.get("/readyz").await.problem(503, "unavailable");
    says(&problem, "a request failed just now");
    shop.post("/v1/inventory/A/adjustments", &by).await.ok(200);
    shop.get("/readyz").await.ok(200);
}

#[tokio::test(start_paused = true)]
async fn a_log_without_space_keeps_the_service_from_being_ready_though_nobody_writes() {
    let shop = Shop::undecided([("A", 10)]).await;
    shop.faults.no_space();
    for _ in 0..2 {
        let problem = shop.get("/readyz").await.problem(503, "unavailable");
        says(&problem, "queue: cannot write to the store now");
        // Longer than a failed request is remembered.
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    shop.faults.clear();
    shop.get("/readyz").await.ok(200);
}

#[tokio::test(start_paused = true)]
async fn metrics_count_orders_and_requests_by_route_and_status() {
    let shop = Shop::open([("A", 10)]).await;
    shop.placed([("A", 1)]).await;
    shop.post("/v1/carts", "{")
        .await
        .cart_problem(400, "malformed");
    shop.get("/nowhere").await.problem(404, "not-found");
    let answer = shop.get("/metrics").await;
    assert_eq!(answer.status, 200);
    let media_type = answer.header("content-type").unwrap();
    assert!(
        media_type.starts_with("application/openmetrics-text"),
        "{media_type}"
    );
    let text = answer.text();
    for line in [
        "oms_carts_accepted_total 1",
        "oms_orders_placed_total 1",
        "oms_http_requests_total{method=\"POST\",route=\"/v1/carts\",status=\"202\"} 1",
        "oms_http_requests_total{method=\"POST\",route=\"/v1/carts\",status=\"400\"} 1",
        "oms_http_requests_total{method=\"POST\",route=\"/v1/orders/{id}/place\",status=\"200\"} 1",
        "oms_http_requests_total{method=\"other\",route=\"other\",status=\"404\"} 1",
        "oms_http_request_duration_seconds_count{method=\"POST\",route=\"/v1/carts\"} 2",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no `{line}` in:\n{text}"
        );
    }
    assert!(text.ends_with("# EOF\n"));
    if cfg!(target_os = "linux") {
        let memory = text
            .lines()
            .find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
        assert!(memory.unwrap().parse::<u64>().unwrap() > 1_000_000);
    }
}

#[tokio::test(start_paused = true)]
async fn metrics_tell_the_lag_by_partition_and_nothing_while_it_is_not_known() {
    let shop = Shop::undecided([("A", 10)]).await;
    let lag = async || -> Vec<String> {
        let answer = shop.get("/metrics").await;
        let lines = answer.text().lines();
        let lag = lines.filter(|line| line.starts_with("oms_queue_lag_messages{"));
        lag.map(str::to_owned).collect()
    };
    let topic = shop.flow.ports().queue.topic().to_owned();
    let of = |messages: u64| {
        format!("oms_queue_lag_messages{{topic=\"{topic}\",partition=\"0\"}} {messages}")
    };
    assert_eq!(lag().await, [of(0)]);
    shop.post("/v1/carts", &cart("c1", [("A", 1)]))
        .await
        .ok(202);
    assert_eq!(lag().await, [of(1)]);
    let never = Fault::DelayBefore(Duration::from_secs(3_600));
    for fault in [Fault::Unavailable, never] {
        shop.faults.next(Op::Backlog, [fault]);
        assert_eq!(lag().await, Vec::<String>::new());
        assert_eq!(lag().await, [of(1)]);
    }
}

#[tokio::test(start_paused = true)]
async fn metrics_tell_due_refunds_and_their_age_and_nothing_while_they_are_not_known() {
    let shop = Shop::undecided([("A", 10)]).await;
    let refunds = async || -> Vec<String> {
        let answer = shop.get("/metrics").await;
        let lines = answer.text().lines();
        let due = lines.filter(|line| line.starts_with("oms_refund") && line.contains("due"));
        due.map(str::to_owned).collect()
    };
    let of = |count: u64, seconds: u64| {
        [
            format!("oms_refunds_due{{}} {count}"),
            format!("oms_refund_oldest_due_seconds{{}} {seconds}"),
        ]
    };
    assert_eq!(refunds().await, of(0, 0));
    let inventory = &shop.flow.ports().inventory;
    for number in 1..=2 {
        let captured = money(5);
        let owed = Settle {
            order_id: id(number),
            action: SettleAction::Confirm { captured },
        };
        inventory.settle(vec![owed]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    assert_eq!(refunds().await, of(2, 60));
    let never = Fault::DelayBefore(Duration::from_secs(3_600));
    for fault in [Fault::Unavailable, never] {
        shop.faults.next(Op::RefundsDue, [fault]);
        assert_eq!(refunds().await, Vec::<String>::new());
        assert_eq!(refunds().await.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_and_what_is_not_allowed_are_problems_too() {
    let shop = Shop::undecided([]).await;
    for path in [
        "/",
        "/v1",
        "/v1/carts/7",
        "/v2/carts",
        "/v1/orders",
        "/v1/orders/7/8",
    ] {
        shop.get(path).await.problem(404, "not-found");
    }
    shop.post("/v1/orders//place", "{}")
        .await
        .problem(400, "malformed");
    let answer = shop.get("/v1/carts").await;
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.header("allow"), Some("POST"));
    let answer = shop.delete("/v1/inventory/A").await;
    answer.problem(405, "method-not-allowed");
    let allowed: BTreeSet<&str> = answer.header("allow").unwrap().split(',').collect();
    assert_eq!(allowed, BTreeSet::from(["GET", "HEAD", "PUT"]));
}

#[tokio::test(start_paused = true)]
async fn head_is_answered_like_get_without_a_body() {
    let shop = Shop::undecided([("A", 1)]).await;
    let answer = shop
        .send(request(Method::HEAD, "/v1/inventory/A", Body::empty()))
        .await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}

/// The documents of the public and of the internal routes.
fn documents() -> [Value; 2] {
    [document::<ShopPorts>(), internal_document::<ShopPorts>()]
        .map(|text| serde_json::from_str(text).unwrap())
}

/// Every operation of a document, with its method and its path.
fn operations(document: &Value) -> impl Iterator<Item = (String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap();
        operations
            .iter()
            .map(move |(method, operation)| (method.to_uppercase(), path, operation))
    })
}

#[tokio::test(start_paused = true)]
async fn the_openapi_documents_have_every_route_once_and_no_other() {
    let shop = Shop::undecided([]).await;
    let documents = documents();
    for (path, document) in ["/openapi.json", "/openapi-internal.json"]
        .iter()
        .zip(&documents)
    {
        let served = shop.get(path).await.ok(200);
        assert_eq!(&served, document);
        assert!(served["openapi"].as_str().unwrap().starts_with("3.1"));
    }
    let mut documented = BTreeSet::new();
    for (method, path, _) in documents.iter().flat_map(operations) {
        let route = (method, path.clone());
        assert!(documented.insert(route), "{path} is there twice");
    }
    let routes: BTreeSet<(String, String)> = routes::<ShopPorts>()
        .into_iter()
        .map(|route| (route.method.to_string(), route.path.to_owned()))
        .collect();
    assert_eq!(documented, routes);
    // The router has them all: nothing listed is unknown to it.
    for (method, path) in routes {
        let path = path.replace("{id}", "7").replace("{sku}", "A");
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = shop.send(request(method, &path, Body::empty())).await;
        let text = answer.text();
        assert!(!text.contains("problem:not-found"), "{path}: {text}");
        assert_ne!(answer.status, 405, "{path}");
    }
}

#[test]
fn every_operation_says_what_it_does_answers_and_needs() {
    let mut names = BTreeSet::new();
    let documents = documents();
    for document in &documents {
        let tags = document["tags"].as_array().unwrap();
        let tags: BTreeSet<&str> = tags
            .iter()
            .map(|tag| tag["name"].as_str().unwrap())
            .collect();
        for member in ["title", "description", "version"] {
            assert!(document["info"][member].is_string(), "{member}");
        }
        assert_eq!(document["info"]["license"]["identifier"], "MIT");
        assert_eq!(document["servers"][0]["url"], "/");
        let scheme = &document["components"]["securitySchemes"]["bearer"];
        assert_eq!(
            (&scheme["type"], &scheme["scheme"]),
            (&json!("http"), &json!("bearer"))
        );
        for (method, path, operation) in operations(document) {
            for member in ["summary", "description"] {
                let text = operation[member].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "{method} {path} has no {member}");
            }
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} is there twice");
            let of = operation["tags"].as_array().unwrap();
            assert!(
                of.iter().all(|tag| tags.contains(tag.as_str().unwrap())),
                "{name}"
            );
            let responses = operation["responses"].as_object().unwrap();
            assert!(
                responses.keys().any(|status| status.starts_with('2')),
                "{name}"
            );
            // Public operations name no scheme, all others say which scope is needed.
            let secured = !operation["security"].as_array().unwrap().is_empty();
            let description = operation["description"].as_str().unwrap();
            let named = description.contains("Needs a token with the scope `");
            assert_eq!(named, secured, "{name}");
            for status in ["401", "403"] {
                assert_eq!(responses.contains_key(status), secured, "{name}: {status}");
            }
            let limited = description.contains("scope `orders`");
            assert_eq!(responses.contains_key("429"), limited, "{name}");
            for status in ["400", "500"] {
                assert!(responses.contains_key(status), "{name}: {status}");
            }
            for (status, response) in responses {
                assert!(response["content"].is_object(), "{status} of {name}");
                if status.as_str() >= "400" {
                    let schema = &response["content"]["application/problem+json"]["schema"];
                    assert_eq!(schema["$ref"], "#/components/schemas/Problem");
                    assert_eq!(response["content"].as_object().unwrap().len(), 1);
                }
            }
            for parameter in operation["parameters"].as_array().unwrap_or(&Vec::new()) {
                assert!(parameter["description"].is_string(), "{name}: {parameter}");
                let nullable = parameter["schema"].to_string().contains("null");
                assert!(!nullable, "{name}: {parameter}");
            }
        }
    }
}

#[test]
fn every_reference_in_the_documents_leads_somewhere_and_every_schema_is_used() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    found.insert(reference);
                }
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    for document in documents() {
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 10);
        for reference in &found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        for name in document["components"]["schemas"]
            .as_object()
            .unwrap()
            .keys()
        {
            let reference = format!("#/components/schemas/{name}");
            assert!(found.contains(reference.as_str()), "nothing uses {name}");
        }
    }
}
