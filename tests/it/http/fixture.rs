//! A shop behind its API, and answers that say what is wrong with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, header};
use axum::middleware::from_fn;
use http_body_util::BodyExt as _;
use oms::domain::Timestamp;
use oms::flow::{Flow, Settings};
use oms::http::{Api, Auth, Limits, Phase, Side, router};
use oms::inventory::Administration as _;
use oms::ports::{Backends, Clock};
use oms::rng::{OrderIds, Rng};
use oms::worker;
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::contract;
use crate::faults::{Faults, Faulty};
use crate::make::item;
use crate::model::{ManualClock, ModelInventory, ModelPayments, ModelQueue, ModelStatuses};

/// The ports of the shop.
pub type ShopPorts = Backends<
    Faulty<ModelInventory>,
    Faulty<ModelQueue>,
    Faulty<ModelStatuses>,
    Faulty<ModelPayments>,
    MinedClock,
>;

/// A clock that panics once when told to: a fault of the program.
#[derive(Debug, Clone)]
pub struct MinedClock {
    clock: ManualClock,
    armed: Arc<AtomicBool>,
}

impl Clock for MinedClock {
    fn now(&self) -> Timestamp {
        assert!(
            !self.armed.swap(false, Ordering::SeqCst),
            "the mine went off"
        );
        self.clock.now()
    }
}

impl MinedClock {
    /// The next one who asks for the time panics.
    pub fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }
}

/// A shop: the API, what lies behind it, and what can go wrong with that.
pub struct Shop {
    pub router: Router,
    pub api: Api<ShopPorts>,
    pub flow: Flow<ShopPorts>,
    pub faults: Faults,
    pub payments: ModelPayments,
    pub clock: MinedClock,
    pub phase: watch::Sender<Phase>,
    workers: watch::Sender<bool>,
}

impl Shop {
    /// A shop with a worker.
    pub async fn open<'a>(items: impl IntoIterator<Item = (&'a str, i64)>) -> Self {
        let shop = Self::undecided(items).await;
        shop.start_worker();
        shop
    }

    /// A shop without a worker: nothing is decided.
    pub async fn undecided<'a>(items: impl IntoIterator<Item = (&'a str, i64)>) -> Self {
        Self::with(items, Settings::default(), Limits::default()).await
    }

    /// A shop without a worker, with other bounds.
    pub async fn with<'a>(
        items: impl IntoIterator<Item = (&'a str, i64)>,
        settings: Settings,
        limits: Limits,
    ) -> Self {
        Self::guarded(items, settings, limits, Auth::open()).await
    }

    /// A shop without a worker, with other bounds, where requests need tokens.
    pub async fn guarded<'a>(
        items: impl IntoIterator<Item = (&'a str, i64)>,
        settings: Settings,
        limits: Limits,
        auth: Auth,
    ) -> Self {
        let manual = ManualClock::default();
        let inventory = ModelInventory::new(manual.clone());
        let payments = ModelPayments::new(manual.clone());
        let faults = Faults::default();
        let clock = MinedClock {
            clock: manual.clone(),
            armed: Arc::default(),
        };
        let items = items.into_iter().map(|(sku, stock)| item(sku, stock));
        inventory.put_items(items.collect()).await.unwrap();
        let ports = Backends {
            inventory: Faulty::new(inventory, &faults),
            queue: Faulty::new(ModelQueue::default(), &faults),
            statuses: Faulty::new(ModelStatuses::new(manual), &faults),
            payments: Faulty::new(payments.clone(), &faults),
            clock: clock.clone(),
        };
        let flow = Flow::start(ports, settings, OrderIds::new(Rng::from_seed(1)));
        let (phase, entered) = watch::channel(Phase::Serving);
        let api = Api::new(flow.clone(), &limits, auth, entered);
        Self {
            router: router(api.clone(), Side::Both).layer(from_fn(contract::check)),
            api,
            flow,
            faults,
            payments,
            clock,
            phase,
            workers: watch::Sender::new(false),
        }
    }

    /// Has a worker decide what was and what will be accepted. It ends with the shop.
    pub fn start_worker(&self) {
        let stop = self.workers.subscribe();
        tokio::spawn(worker::run(
            self.flow.clone(),
            worker::Options::default(),
            stop,
        ));
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, Body::empty())).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(request(Method::DELETE, path, Body::empty()))
            .await
    }

    /// Posts JSON, word by word as it is.
    pub async fn post(&self, path: &str, json: impl ToString) -> Answer {
        self.send(request(Method::POST, path, json.to_string().into()))
            .await
    }

    /// Posts JSON with an idempotency key.
    pub async fn post_with_key(&self, path: &str, key: &str, json: impl ToString) -> Answer {
        let mut request = request(Method::POST, path, json.to_string().into());
        let headers = request.headers_mut();
        headers.insert("idempotency-key", key.parse().unwrap());
        self.send(request).await
    }

    pub async fn put(&self, path: &str, json: impl ToString) -> Answer {
        self.send(request(Method::PUT, path, json.to_string().into()))
            .await
    }

    /// Has a cart accepted and returns its order id.
    pub async fn accepted<'a>(&self, lines: impl IntoIterator<Item = (&'a str, i64)>) -> String {
        let answer = self.post("/v1/carts", cart("c1", lines)).await;
        answer.ok(202)["order_id"].as_str().unwrap().to_owned()
    }

    /// Has an order placed, and says what it came to.
    pub async fn placed<'a>(&self, lines: impl IntoIterator<Item = (&'a str, i64)>) -> String {
        let id = self.accepted(lines).await;
        let answer = self.post(&format!("/v1/orders/{id}/place"), "{}").await;
        assert_eq!(answer.ok(200)["status"], "PLACED");
        id
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.workers.send_replace(true);
    }
}

/// A cart as JSON.
pub fn cart<'a>(customer: &str, lines: impl IntoIterator<Item = (&'a str, i64)>) -> Value {
    let lines: Vec<Value> = lines
        .into_iter()
        .map(|(sku, quantity)| serde_json::json!({"sku": sku, "quantity": quantity}))
        .collect();
    serde_json::json!({"customer": customer, "lines": lines})
}

/// A request with a JSON body.
pub fn request(method: Method, path: &str, body: Body) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "oms")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .unwrap()
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    /// The body of an answer that has to be this.
    #[track_caller]
    pub fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The document of an answer that has to be this problem.
    #[track_caller]
    pub fn problem(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let document: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(
            document["type"],
            format!("urn:oms:problem:{kind}"),
            "{document}"
        );
        assert_eq!(document["status"], status, "{document}");
        for member in ["title", "detail"] {
            let text = document[member].as_str().unwrap();
            assert!(!text.is_empty(), "{document}");
        }
        let seconds = document["retry_after_ms"]
            .as_u64()
            .map(|ms| ms.div_ceil(1_000).to_string());
        assert_eq!(self.header("retry-after"), seconds.as_deref(), "{document}");
        document
    }

    /// The document of a problem of addToCart: it carries an order id, whatever is wrong.
    #[track_caller]
    pub fn cart_problem(&self, status: u16, kind: &str) -> Value {
        let document = self.problem(status, kind);
        let id = document["order_id"].as_str().unwrap();
        id.parse::<uuid::Uuid>().unwrap();
        document
    }
}

/// Asserts that the detail of a problem says this.
#[track_caller]
pub fn says(document: &Value, what: &str) {
    let detail = document["detail"].as_str().unwrap();
    assert!(detail.contains(what), "`{detail}` does not say `{what}`");
}
