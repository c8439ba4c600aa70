//! Whether the service lives, whether it can take orders, and which one it is.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::problem::{Kind, Problem, RETRY_AFTER};
use super::{Api, Served, deadline, schema};
use crate::domain::OrderId;
use crate::inventory::Inventory;
use crate::ports::Error;
use crate::queue::{Position, Queue};
use crate::statuses::Statuses;

/// How long a store may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);

/// How long a write that failed keeps the service from being ready, unless another one succeeds.
const TROUBLE_TIME_MAX: Duration = Duration::from_secs(5);

/// Which service this is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InfoBody {
    /// `oms`.
    #[schema(value_type = String)]
    name: &'static str,
    /// The version of the program.
    #[schema(value_type = String)]
    version: &'static str,
    /// The id of the store, made when it was created. Two services with one id work on one store.
    #[schema(value_type = schema::UniqueId)]
    store_id: Uuid,
}

/// A state in one word.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StateBody {
    /// `ok` or `ready`.
    #[schema(value_type = String)]
    status: &'static str,
}

/// Which service this is.
///
/// Two services that answer the same `store_id` work on one store.
#[utoipa::path(
    get, path = "/v1/info", operation_id = "get_info", tag = "operation",
    responses(
        (status = 200, description = "Name, version and store", body = InfoBody),
        (status = 503, description = "The store does not answer: repeat"),
    )
)]
pub(super) async fn info<P: Served>(State(api): State<Api<P>>) -> Result<Json<InfoBody>, Problem> {
    Ok(Json(InfoBody {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        store_id: deadline::read("read the store's id", api.store_id()).await?,
    }))
}

/// Whether the service lives.
///
/// Asks no store: a process that answers this does not hang.
#[utoipa::path(
    get, path = "/healthz", operation_id = "get_health", tag = "operation",
    responses((status = 200, description = "It does", body = StateBody))
)]
pub(super) async fn healthz() -> Json<StateBody> {
    Json(StateBody { status: "ok" })
}

/// Whether the service can take orders.
///
/// Asks every store, looks for space on the disk of an embedded one, remembers for 5 s that a write failed (what is full
/// still reads), and looks whether the worker in this process has failed at the same batch for over 30 s. It is not ready
/// any more once a background task has ended early: restart it.
#[utoipa::path(
    get, path = "/readyz", operation_id = "get_readiness", tag = "operation",
    responses(
        (status = 200, description = "It can", body = StateBody),
        (status = 503, description = "It cannot: `detail` names the store that does not answer, or the batch that the worker cannot decide"),
    )
)]
pub(super) async fn readyz<P: Served>(
    State(api): State<Api<P>>,
) -> Result<Json<StateBody>, Problem> {
    let ports = api.flow().ports();
    // Nobody has this id: the answer does not matter, only that there is one.
    let nobody = vec![OrderId::from_bytes([0; 16])];
    let (inventory, queue, statuses) = tokio::join!(
        asked("inventory", ports.inventory().orders(nobody.clone())),
        asked("queue", ports.queue().end()),
        asked("statuses", ports.statuses().get(nobody)),
    );
    let mut troubles: Vec<String> = [inventory, queue, statuses].into_iter().flatten().collect();
    troubles
        .extend((ports.queue().obstacle()).map(|obstacle| format!("queue: {}", obstacle.chain())));
    troubles.extend(api.flow().trouble());
    troubles.extend(api.trouble().recent());
    if api.is_ending() {
        troubles.push("the service is about to end".to_owned());
    }
    troubles.extend(api.flow().stuck().map(|stuck| {
        let Position { partition, offset } = stuck.position;
        let (seconds, cause) = (stuck.lasts.as_secs(), stuck.cause);
        format!("worker: the batch at partition {partition}, offset {offset} has failed for {seconds} s: {cause}")
    }));
    if troubles.is_empty() {
        return Ok(Json(StateBody { status: "ready" }));
    }
    Err(Problem::new(Kind::Unavailable, troubles.join("; ")).retry_after(RETRY_AFTER))
}

/// What is wrong with a store; none if it answers.
async fn asked<T>(store: &str, question: impl Future<Output = Result<T, Error>>) -> Option<String> {
    match tokio::time::timeout(ANSWER_TIME_MAX, question).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(format!("{store}: {error}")),
        Err(_) => {
            let seconds = ANSWER_TIME_MAX.as_secs();
            Some(format!("{store}: no answer within {seconds} s"))
        }
    }
}

/// The last request that a store failed, until a write succeeds.
#[derive(Debug, Default)]
pub(super) struct Trouble(Mutex<Option<(Instant, String)>>);

impl Trouble {
    /// A store failed.
    pub(super) fn begin(&self, what: &str) {
        *self.0.lock() = Some((Instant::now(), what.to_owned()));
    }

    /// A write succeeded.
    pub(super) fn end(&self) {
        *self.0.lock() = None;
    }

    fn recent(&self) -> Option<String> {
        let trouble = self.0.lock();
        let (at, what) = trouble.as_ref()?;
        (at.elapsed() < TROUBLE_TIME_MAX).then(|| format!("a request failed just now: {what}"))
    }
}
