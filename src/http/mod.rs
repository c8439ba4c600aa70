//! The HTTP API: order service and inventory service.
//!
//! Handlers translate between HTTP and [`Flow`]; they decide nothing about orders. Every error, whatever its cause, is
//! a problem document ([`Problem`]). The routes are listed once, in [`routes`]; the OpenAPI document is generated from
//! the handlers ([`document`]).
//!
//! A request passes, from the outside in: [`server`] (connections, TLS), compression, [`observe`] (its id, `Host`, memory
//! for its body, counting), [`gate`] (rates, tokens), and then its handler. Who may use a route stands in the list of
//! routes ([`Access`]); docs/security.md describes it all.

mod access;
mod auth;
mod batch;
mod body;
mod carts;
mod connections;
mod deadline;
mod gate;
mod health;
mod inventory;
mod limits;
mod metrics;
mod observe;
mod openapi;
mod orders;
mod parse_errors;
mod placements;
mod problem;
mod reload;
mod request;
mod reservations;
mod routes;
mod schema;
mod server;
mod starting;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore, watch};
use tokio::time::timeout;
use uuid::Uuid;

pub use access::{Access, Scope, ScopeError, Scopes, Side};
pub use auth::{Auth, TOKEN_CHARS_MIN, Tokens, new_token};
pub use body::BODY_BYTES_MAX;
pub use limits::{Limits, RateLimits, RateLimitsError};
pub use openapi::{document, internal_document};
pub use problem::{Kind, Problem};
pub use reload::ReloadError;
pub use routes::{Route, router, routes};
pub use server::{Listener, serve};
pub use starting::turn_away;
pub use tls::certificate;

use crate::domain::Timestamp;
use crate::flow::Flow;
use crate::inventory::{Administration, Auditing, DeadLetterIndex, GatewayBinding, StockLevel};
use crate::ports::Ports;
use crate::statuses::{CachedStock, Statuses};
use gate::Gate;
use health::Trouble;
use limits::{BodyMemory, Rates};
use metrics::HttpMetrics;
use placements::Placements;

/// How long the status store may hold up an answer (rule 16).
const STATUSES_WAIT_MAX: Duration = Duration::from_secs(1);

/// The most batch audits at once.
const AUDITS_MAX: usize = 1;

/// The ports that the API needs.
pub trait Served:
    Ports<Inventory: Administration + Auditing + DeadLetterIndex + GatewayBinding>
{
}

impl<P: Ports<Inventory: Administration + Auditing + DeadLetterIndex + GatewayBinding>> Served
    for P
{
}

/// Whether the service takes requests, or is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It takes requests.
    Serving,
    /// It still does, but is not ready any more: load balancers are to go elsewhere.
    Draining,
    /// It takes no new connections, and answers whoever waits.
    Stopping,
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
    gate: Arc<Gate>,
    body_memory: BodyMemory,
    connections_max: usize,
    /// Batch audits that may begin: each reads everything.
    audits: Semaphore,
    phase: watch::Receiver<Phase>,
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
    /// An API over a flow. In [`Phase::Stopping`], whoever waits for an order is answered where it stands.
    pub fn new(flow: Flow<P>, limits: &Limits, auth: Auth, phase: watch::Receiver<Phase>) -> Self {
        let metrics = HttpMetrics::new(flow.metrics(), &routes::<P>());
        Self(Arc::new(Inner {
            flow,
            placements: Arc::new(Placements::new(limits)),
            metrics,
            trouble: Trouble::default(),
            store_id: OnceCell::new(),
            gate: Arc::new(Gate::new(auth, Rates::new(limits.rates))),
            body_memory: BodyMemory::new(limits.bodies_bytes_max),
            connections_max: limits.connections_max,
            audits: Semaphore::new(AUDITS_MAX),
            phase,
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

    fn gate(&self) -> &Arc<Gate> {
        &self.0.gate
    }

    fn body_memory(&self) -> &BodyMemory {
        &self.0.body_memory
    }

    fn connections_max(&self) -> usize {
        self.0.connections_max
    }

    fn audits(&self) -> &Semaphore {
        &self.0.audits
    }

    /// Whether clients are to go elsewhere.
    fn is_ending(&self) -> bool {
        *self.0.phase.borrow() != Phase::Serving
    }

    /// Waits until the service is to stop; forever if nobody can say so any more.
    async fn stopped(&self) {
        let mut phase = self.0.phase.clone();
        let stopping = phase.wait_for(|phase| *phase == Phase::Stopping);
        if stopping.await.is_err() {
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
