//! What is for sale before the storm begins.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::catalogue;
use crate::domain::Sku;
use crate::inventory::{Adjusted, Adjustment, Administration, Item, NewItem};
use crate::ports::{Clock, Error, Ports};
use crate::statuses::{CachedStock, Statuses};

/// How many items go into one transaction, or onto one page.
const BATCH: usize = 1_000;

/// Units of each new item, unless something else is asked for.
pub const STOCK: i64 = 100;

/// What was done to the catalogue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeded {
    /// Items created.
    pub created: u64,
    /// Items topped up to the stock asked for, by recorded adjustments.
    pub topped_up: u64,
    /// Items that had more than the stock asked for, and were left as they are: the storm is milder than meant.
    #[serde(default)]
    pub had_more: u64,
    /// Whether the store was empty before.
    pub was_empty: bool,
    /// Whether nothing at all is available now.
    pub sold_out: bool,
}

/// Makes sure that `SKU-00001` to the number of `items` exist: creates those that are missing, and tops all of them up
/// to `stock` if that is asked for. Returns what is for sale, the most popular first.
///
/// # Errors
/// When the inventory does not answer.
pub async fn synthetic<P>(
    ports: &P,
    items: u32,
    stock: Option<i64>,
    seed: u64,
) -> Result<(Vec<Sku>, Seeded), Error>
where
    P: Ports<Inventory: Administration>,
{
    let wanted = catalogue::synthetic(items, stock.unwrap_or(STOCK), seed);
    let skus = wanted.iter().map(|item| item.sku.clone()).collect();
    Ok((skus, complete(ports, wanted, stock).await?))
}

/// Creates those of the items that are missing, and tops all of them up to `stock` if that is asked for. What is known
/// keeps its name, its price and, without `stock`, its stock.
///
/// # Errors
/// When the inventory does not answer.
pub async fn complete<P>(
    ports: &P,
    wanted: Vec<NewItem>,
    stock: Option<i64>,
) -> Result<Seeded, Error>
where
    P: Ports<Inventory: Administration>,
{
    let known = all_items(ports).await?;
    let mut seeded = Seeded {
        was_empty: known.is_empty(),
        ..Seeded::default()
    };
    let mut top_ups = Vec::new();
    let mut missing = Vec::new();
    let mut available = 0;
    for item in wanted {
        match known.get(&item.sku) {
            None => {
                available += item.stock;
                missing.push(item);
            }
            Some(found) => {
                let by = stock
                    .map_or(0, |stock| stock - found.level.available)
                    .max(0);
                available += found.level.available.max(0) + by;
                let has_more = stock.is_some_and(|stock| found.level.available > stock);
                seeded.had_more += u64::from(has_more);
                if by > 0 {
                    top_ups.push(Adjustment {
                        id: Uuid::new_v4(),
                        sku: item.sku,
                        by,
                        reason: "topped up by simulate".to_owned(),
                    });
                }
            }
        }
    }
    seeded.created = missing.len() as u64;
    seeded.topped_up = top_ups.len() as u64;
    seeded.sold_out = available == 0;
    for batch in missing.chunks(BATCH) {
        ports.inventory().put_items(batch.to_vec()).await?;
    }
    for batch in top_ups.chunks(BATCH) {
        let began = ports.clock().now();
        let adjusted = ports.inventory().adjust(batch.to_vec()).await?;
        let levels = adjusted.into_iter().filter_map(|adjusted| match adjusted {
            Adjusted::Applied(level) | Adjusted::Repeated(level) => Some(level),
            _ => None,
        });
        // A cache that is behind for 100 ms is as good as one that is not.
        let cached = CachedStock::all(levels, began);
        if let Err(error) = ports.statuses().cache_stock(cached).await {
            tracing::debug!(%error, "the shared stock cache is behind");
        }
    }
    Ok(seeded)
}

async fn all_items<P>(ports: &P) -> Result<HashMap<Sku, Item>, Error>
where
    P: Ports<Inventory: Administration>,
{
    let mut items = HashMap::new();
    let mut after = None;
    loop {
        let page = ports.inventory().items(after, BATCH).await?;
        let Some(last) = page.last() else {
            return Ok(items);
        };
        after = Some(last.level.sku.clone());
        items.extend(page.into_iter().map(|item| (item.level.sku.clone(), item)));
    }
}
