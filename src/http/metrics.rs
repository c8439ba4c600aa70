//! `/metrics`: what the flow counts, what the API counts, and the memory of the process.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::problem::Problem;
use super::routes::Route;
use super::{Api, Served};
use crate::flow::Metrics;
use crate::queue::{Lag, Queue};

/// What `prometheus-client` writes.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long a scrape waits for the queue: the other metrics are worth having without it.
const LAG_TIME_MAX: Duration = Duration::from_secs(2);

/// How long a scrape waits for the database to count due refunds.
const REFUNDS_TIME_MAX: Duration = Duration::from_secs(2);

/// The statuses that the API answers; their counters are looked up once.
const STATUSES: [u16; 17] = [
    200, 201, 202, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 500, 503, 0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: String,
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LagLabels {
    topic: String,
    partition: u32,
}

/// A registry of its own, and the counters of every route at hand.
#[derive(Debug)]
pub(super) struct HttpMetrics {
    registry: Registry,
    routes: HashMap<&'static str, Vec<(Method, Endpoint)>>,
    unmatched: Endpoint,
    resident_bytes: Gauge<i64, AtomicI64>,
    lag: Family<LagLabels, Gauge>,
}

impl HttpMetrics {
    pub(super) fn new(flow: &Metrics, routes: &[Route]) -> Self {
        let mut registry = Registry::default();
        let oms = registry.sub_registry_with_prefix("oms");
        flow.register(oms);
        let requests = Family::<RequestLabels, Counter>::default();
        oms.register("http_requests", "Requests answered", requests.clone());
        let seconds = Family::<RouteLabels, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.000_1, 2.5, 17))
        });
        oms.register_with_unit(
            "http_request_duration",
            "Time from a request's head to its answer",
            Unit::Seconds,
            seconds.clone(),
        );
        let lag = Family::default();
        oms.register(
            "queue_lag_messages",
            "Messages of a partition that no worker has committed; absent while the queue does not answer",
            lag.clone(),
        );
        let resident_bytes = Gauge::default();
        registry.register_with_unit(
            "process_resident_memory",
            "Memory of the process",
            Unit::Bytes,
            resident_bytes.clone(),
        );
        let endpoint = |method: &str, route| Endpoint::new(method, route, &requests, &seconds);
        let mut by_path = HashMap::<&'static str, Vec<(Method, Endpoint)>>::new();
        for Route { method, path, .. } in routes {
            let resolved = (method.clone(), endpoint(method.as_str(), path));
            by_path.entry(path).or_default().push(resolved);
        }
        Self {
            unmatched: endpoint("other", "other"),
            routes: by_path,
            registry,
            resident_bytes,
            lag,
        }
    }

    /// The counters of a route; those of "other" for whatever is no route.
    pub(super) fn endpoint(&self, path: Option<&str>, method: &Method) -> &Endpoint {
        path.and_then(|path| self.routes.get(path))
            .and_then(|methods| methods.iter().find(|(known, _)| known == method))
            .map_or(&self.unmatched, |(_, endpoint)| endpoint)
    }

    /// Notes how far workers are; what is not known is not told.
    fn set_lag(&self, topic: &str, lag: Option<&[Lag]>) {
        let Some(lag) = lag else {
            self.lag.clear();
            return;
        };
        for &Lag {
            partition,
            messages,
        } in lag
        {
            let labels = LagLabels {
                topic: topic.to_owned(),
                partition,
            };
            let messages = i64::try_from(messages).unwrap_or(i64::MAX);
            self.lag.get_or_create(&labels).set(messages);
        }
    }

    fn text(&self) -> Result<String, std::fmt::Error> {
        if let Some(bytes) = resident_bytes() {
            self.resident_bytes.set(bytes);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The counters of one route.
#[derive(Debug)]
pub(super) struct Endpoint {
    labels: RouteLabels,
    requests: Family<RequestLabels, Counter>,
    by_status: [OnceLock<Counter>; STATUSES.len()],
    seconds: Histogram,
}

impl Endpoint {
    fn new(
        method: &str,
        route: &'static str,
        requests: &Family<RequestLabels, Counter>,
        seconds: &Family<RouteLabels, Histogram>,
    ) -> Self {
        let labels = RouteLabels {
            method: method.to_owned(),
            route,
        };
        Self {
            seconds: seconds.get_or_create(&labels).clone(),
            requests: requests.clone(),
            by_status: Default::default(),
            labels,
        }
    }

    pub(super) fn route(&self) -> &'static str {
        self.labels.route
    }

    /// Counts an answer.
    pub(super) fn record(&self, status: StatusCode, took: Duration) {
        let known = STATUSES.iter().position(|&code| code == status.as_u16());
        let index = known.unwrap_or(STATUSES.len() - 1);
        self.by_status[index]
            .get_or_init(|| {
                let labels = RequestLabels {
                    method: self.labels.method.clone(),
                    route: self.labels.route,
                    status: STATUSES[index],
                };
                self.requests.get_or_create(&labels).clone()
            })
            .inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

/// The resident memory of this process, where the system tells.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1_024)
}

/// Counters for Prometheus.
///
/// In the text format of `OpenMetrics`.
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = "operation",
    responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text"))
)]
pub(super) async fn scrape<P: Served>(State(api): State<Api<P>>) -> Response {
    let queue = api.flow().ports().queue();
    let lag = match tokio::time::timeout(LAG_TIME_MAX, queue.lag()).await {
        Ok(Ok(lag)) => Some(lag),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the lag is not known");
            None
        }
        Err(_) => None,
    };
    api.metrics().set_lag(queue.topic(), lag.as_deref());
    match tokio::time::timeout(REFUNDS_TIME_MAX, api.flow().measure_refunds()).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) | Err(_) => api.flow().metrics().clear_refunds_due(),
    }
    match api.metrics().text() {
        Ok(text) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot write the metrics");
            Problem::internal().into_response()
        }
    }
}
