//! What a storm asks the service before it begins: whether it is ready, which store it is on, what it sells.

use std::time::Duration;

use anyhow::Context as _;
use hyper::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use uuid::Uuid;

use crate::domain::Sku;
use crate::http_client::{Answer, Ask, Client};

/// How long a service may take to become ready.
pub(super) const READY_WITHIN: Duration = Duration::from_secs(10);

/// How often it is asked.
const READY_POLL: Duration = Duration::from_millis(100);

/// How long one answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Items on one page of the catalogue.
const PAGE: usize = 1_000;

/// The store behind the service is not the one that the audit would look at.
#[derive(Debug, thiserror::Error)]
#[error(
    "the service works on store {service}, and the URLs given here name store {here}: the audit would look at the \
     wrong one; give this command the service's --inventory-url (or --data-dir)"
)]
pub struct StoreMismatch {
    /// The store that the service names.
    pub service: Uuid,
    /// The store that this process opened.
    pub here: Uuid,
}

/// Waits until the service says that it is ready.
///
/// # Errors
/// When it does not within 10 s.
pub async fn wait_until_ready(client: &Client) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    let mut path = "/readyz";
    loop {
        let asked = client.send(Ask::get(path), ANSWER_MAX).await;
        let error = match asked {
            Ok(answer) if answer.status == StatusCode::OK => return Ok(()),
            // It is on another listener, which buyers do not reach, either.
            Ok(answer) if answer.status == StatusCode::NOT_FOUND && path == "/readyz" => {
                path = "/healthz";
                continue;
            }
            Ok(answer) => anyhow::anyhow!("{path} answered {}", answer.status),
            Err(error) => error.into(),
        };
        if Instant::now() >= deadline {
            let seconds = READY_WITHIN.as_secs();
            return Err(error.context(format!(
                "the service was not ready within {seconds} s; start `oms serve`, or check --target"
            )));
        }
        tokio::time::sleep(READY_POLL).await;
    }
}

/// Makes sure that the service works on the store with this id.
///
/// # Errors
/// [`StoreMismatch`]; or when it does not say.
pub async fn check_store(client: &Client, here: Uuid) -> anyhow::Result<()> {
    let info: Info = get(client, "/v1/info").await?;
    if info.store_id == here {
        Ok(())
    } else {
        Err(StoreMismatch {
            service: info.store_id,
            here,
        }
        .into())
    }
}

/// Everything the service sells.
///
/// # Errors
/// When it does not say.
pub async fn catalogue(client: &Client) -> anyhow::Result<Vec<Sku>> {
    let mut skus: Vec<Sku> = Vec::new();
    loop {
        let after = skus
            .last()
            .map_or_else(String::new, |sku| format!("&after={}", encoded(sku)));
        let page: Page = get(client, &format!("/v1/inventory?limit={PAGE}{after}")).await?;
        let items = match page {
            Page::Items { items } | Page::List(items) => items,
        };
        // The service may give fewer at a time than it was asked for.
        let end = items.is_empty();
        skus.extend(items.into_iter().map(|item| item.sku));
        if end {
            return Ok(skus);
        }
    }
}

async fn get<T: DeserializeOwned>(client: &Client, path: &str) -> anyhow::Result<T> {
    let Answer { status, body, .. } = client.send(Ask::get(path), ANSWER_MAX).await?;
    anyhow::ensure!(
        status == StatusCode::OK,
        "the service answered {status} to GET {path}"
    );
    serde_json::from_slice(&body)
        .with_context(|| format!("cannot understand the answer to GET {path}"))
}

/// As it stands in a query.
fn encoded(sku: &Sku) -> String {
    url::form_urlencoded::byte_serialize(sku.as_str().as_bytes()).collect()
}

#[derive(Deserialize)]
struct Info {
    store_id: Uuid,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Page {
    Items { items: Vec<ItemBody> },
    List(Vec<ItemBody>),
}

#[derive(Deserialize)]
struct ItemBody {
    sku: Sku,
}
