//! Corrections of stock in the middle of a storm, at the times that the plan says.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hyper::StatusCode;
use parking_lot::Mutex;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use super::stage::Stage;
use crate::domain::Sku;
use crate::flow::Flow;
use crate::http_client::{Ask, Client};
use crate::inventory::{Adjusted, Adjustment, Administration as _, StockLevel};
use crate::ports::{Clock as _, Ports as _};
use crate::simulate::{Board, Gauges, Plan, Restock, Which};
use crate::statuses::{CachedStock, Statuses as _};
use crate::wiring::OmsPorts;

/// How long the answer of a service to one correction may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// How often a correction is sent, under the same id: a repeat does not correct the stock twice.
const ATTEMPTS_MAX: u32 = 5;

/// The pause before it is sent again.
const PAUSE: Duration = Duration::from_millis(500);

/// Why, as it stands in the history of corrections.
const REASON: &str = "restocked by simulate";

/// Corrections under way.
pub(super) struct Restocking {
    task: JoinHandle<()>,
    done: Arc<Mutex<Done>>,
    planned: usize,
}

#[derive(Default)]
struct Done {
    corrections: usize,
    longest: Duration,
    failed: Vec<String>,
}

/// Who makes the corrections, and who hears of them.
struct Clerk {
    flow: Flow<OmsPorts>,
    client: Option<Arc<Client>>,
    board: Option<Arc<Board>>,
    gauges: Arc<Gauges>,
}

impl Restocking {
    /// Makes the plan's corrections from now on, in this process or at the service.
    pub(super) fn start(
        stage: &Stage,
        flow: &Flow<OmsPorts>,
        board: Option<&Arc<Board>>,
        gauges: &Arc<Gauges>,
    ) -> Self {
        let done = Arc::<Mutex<Done>>::default();
        let clerk = Clerk {
            flow: flow.clone(),
            client: stage.client.clone(),
            board: board.cloned(),
            gauges: Arc::clone(gauges),
        };
        let (plan, noted) = (Arc::clone(&stage.plan), Arc::clone(&done));
        let planned = plan.restocks().len();
        let task = tokio::spawn(async move { clerk.make(&plan, &noted).await });
        Self {
            task,
            done,
            planned,
        }
    }

    /// Ends it with the run: how long the slowest correction took, and what went otherwise than planned.
    pub(super) fn end(self) -> (Duration, Vec<String>) {
        self.task.abort();
        let done = std::mem::take(&mut *self.done.lock());
        let mut notes = done.failed;
        if done.corrections < self.planned {
            notes.push(format!(
                "the run was over before {} of {} corrections of stock",
                self.planned - done.corrections,
                self.planned
            ));
        }
        (done.longest, notes)
    }
}

impl Clerk {
    async fn make(&self, plan: &Plan, done: &Mutex<Done>) {
        let began = Instant::now();
        let mut restocks: Vec<&Restock> = plan.restocks().iter().collect();
        restocks.sort_by_key(|restock| restock.at);
        for restock in restocks {
            tokio::time::sleep_until(began + restock.at).await;
            let skus = match &restock.which {
                Which::One(sku) => vec![sku.clone()],
                Which::Top(most) => plan.most_wanted(*most),
            };
            let started = Instant::now();
            let made = match &self.client {
                Some(client) => over_http(client, &skus, restock.by).await,
                None => self.in_process(skus, restock.by).await,
            };
            let mut done = done.lock();
            done.corrections += 1;
            done.longest = done.longest.max(started.elapsed());
            if let Err(error) = made {
                done.failed
                    .push(format!("the correction {restock} failed: {error:#}"));
            }
        }
    }

    async fn in_process(&self, skus: Vec<Sku>, by: i64) -> anyhow::Result<()> {
        let adjustments: Vec<_> = skus
            .iter()
            .map(|sku| Adjustment {
                id: Uuid::new_v4(),
                sku: sku.clone(),
                by,
                reason: REASON.to_owned(),
            })
            .collect();
        let ports = self.flow.ports();
        let began = ports.clock().now();
        let adjusted = again_while(crate::ports::Error::is_transient, || {
            ports.inventory().adjust(adjustments.clone())
        });
        let adjusted = adjusted.await?;
        let mut levels: Vec<StockLevel> = Vec::new();
        for (sku, adjusted) in skus.iter().zip(adjusted) {
            match adjusted {
                Adjusted::Applied(level) | Adjusted::Repeated(level) => levels.push(level),
                other => anyhow::bail!("{sku}: {other:?}"),
            }
        }
        for level in &levels {
            self.gauges.learn(level);
            if let Some(board) = &self.board {
                board.learn(level);
            }
        }
        // A cache that is behind for 100 ms is as good as one that is not.
        if let Err(error) = ports
            .statuses()
            .cache_stock(CachedStock::all(levels, began))
            .await
        {
            tracing::debug!(%error, "the shared stock cache is behind");
        }
        Ok(())
    }
}

async fn over_http(client: &Client, skus: &[Sku], by: i64) -> anyhow::Result<()> {
    let body = serde_json::to_vec(&json!({"by": by, "reason": REASON}))?;
    for sku in skus {
        let name: String =
            percent_encoding::utf8_percent_encode(sku.as_str(), percent_encoding::NON_ALPHANUMERIC)
                .collect();
        let path = format!("/v1/inventory/{name}/adjustments");
        let key = Uuid::new_v4().to_string();
        let sent = again_while(Unsent::is_transient, || async {
            let ask = Ask::post(&path, body.clone()).with_key(&key);
            let answer = client.send(ask, ANSWER_MAX).await?;
            if answer.status.is_success() {
                Ok(())
            } else {
                Err(Unsent::Refused(answer.status))
            }
        });
        let sent = sent.await;
        sent.with_context(|| format!("cannot correct {sku} (correction {key})"))?;
    }
    Ok(())
}

/// Why a service did not make a correction, as far as is known.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    #[error(transparent)]
    Unanswered(#[from] crate::http_client::Error),
    #[error("the service answered {0}")]
    Refused(StatusCode),
}

impl Unsent {
    fn is_transient(&self) -> bool {
        match self {
            Self::Unanswered(_) => true,
            Self::Refused(status) => status.is_server_error(),
        }
    }
}

/// Makes a call again while its error says that this can help.
async fn again_while<T, E, F>(can_help: impl Fn(&E) -> bool, call: impl Fn() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut attempt = 1;
    loop {
        match call().await {
            Err(error) if can_help(&error) && attempt < ATTEMPTS_MAX => {
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}
