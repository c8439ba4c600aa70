//! The HTTP API: order service and inventory service.
//!
//! Handlers translate between HTTP and [`Flow`]; they decide nothing about orders. Every error, whatever its cause, is
//! a problem document ([`Problem`]). The routes are listed once, in [`routes`]; the OpenAPI document is generated from
//! the handlers ([`document`]).

mod batch;
mod body;
mod carts;
mod deadline;
mod health;
mod inventory;
mod metrics;
mod observe;
mod openapi;
mod orders;
mod placements;
mod problem;
mod request;
mod reservations;
mod routes;
mod schema;
mod server;
mod starting;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OnceCell, watch};
use tokio::time::timeout;
use uuid::Uuid;

pub use body::BODY_BYTES_MAX;
pub use openapi::document;
pub use problem::{Kind, Problem};
pub use routes::{Route, router, routes};
pub use server::serve;
pub use starting::turn_away;

use crate::domain::Timestamp;
use crate::flow::Flow;
use crate::inventory::{Administration, Auditing, DeadLetterIndex, StockLevel};
use crate::ports::Ports;
use crate::statuses::{CachedStock, Statuses};
use health::Trouble;
use metrics::HttpMetrics;
use placements::Placements;

/// How long the status store may hold up an answer (rule 16).
const STATUSES_WAIT_MAX: Duration = Duration::from_secs(1);

/// The ports that the API needs.
pub trait Served: Ports<Inventory: Administration + Auditing + DeadLetterIndex> {}

impl<P: Ports<Inventory: Administration + Auditing + DeadLetterIndex>> Served for P {}

/// How much one process takes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most orders that are being placed at once.
    pub placements_max: usize,
    /// The most ids at once that `place` waits for although neither the status store nor the database knows them.
    pub unknown_placements_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            placements_max: 65_536,
            unknown_placements_max: 1_024,
        }
    }
}

/// What every handler works on. Cheap to clone.
#[derive(Debug)]
pub struct Api<P: Ports>(Arc<Inner<P>>);

struct Inner<P: Ports> {
    flow: Flow<P>,
    placements: Arc<Placements>,
    metrics: HttpMetrics,
    trouble: Trouble,
    store_id: OnceCell<Uuid>,
    stopping: watch::Receiver<bool>,
}

impl<P: Ports> Clone for Api<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: Ports> std::fmt::Debug for Inner<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

impl<P: Served> Api<P> {
    /// An API over a flow. Once `stopping` becomes true, whoever waits for an order is answered where it stands.
    pub fn new(flow: Flow<P>, limits: &Limits, stopping: watch::Receiver<bool>) -> Self {
        let metrics = HttpMetrics::new(flow.metrics(), &routes::<P>());
        Self(Arc::new(Inner {
            flow,
            placements: Arc::new(Placements::new(limits)),
            metrics,
            trouble: Trouble::default(),
            store_id: OnceCell::new(),
            stopping,
        }))
    }

    fn flow(&self) -> &Flow<P> {
        &self.0.flow
    }

    fn placements(&self) -> &Arc<Placements> {
        &self.0.placements
    }

    fn metrics(&self) -> &HttpMetrics {
        &self.0.metrics
    }

    fn trouble(&self) -> &Trouble {
        &self.0.trouble
    }

    /// The id of the store, asked for once.
    async fn store_id(&self) -> Result<Uuid, crate::ports::Error> {
        let inventory = self.flow().ports().inventory();
        self.0
            .store_id
            .get_or_try_init(|| inventory.store_id())
            .await
            .copied()
    }

    /// Waits until the service is to stop; for ever if nobody can say so any more.
    async fn stopped(&self) {
        let mut stopping = self.0.stopping.clone();
        if stopping.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What a future answers within a time; none when the time is over or the service is to stop.
    async fn within<T>(&self, wait: Duration, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            answer = future => Some(answer),
            () = tokio::time::sleep(wait) => None,
            () = self.stopped() => None,
        }
    }

    /// Puts stock into the shared cache that was committed since `began`. It being away does no harm: what it says
    /// grows old in 100 ms.
    async fn cache_stock(&self, levels: Vec<StockLevel>, began: Timestamp) {
        if levels.is_empty() {
            return;
        }
        let statuses = self.flow().ports().statuses();
        match timeout(
            STATUSES_WAIT_MAX,
            statuses.cache_stock(CachedStock::all(levels, began)),
        )
        .await
        {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the shared stock cache is behind"),
            Err(_) => tracing::debug!("the shared stock cache does not answer"),
        }
    }
}
