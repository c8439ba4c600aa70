//! What the routes of the inventory read and answer. Money is an integer of minor units.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::schema;
use crate::catalogue::check_reason;
use crate::domain::{Money, Sku};
use crate::inventory::{Item, StockLevel, check_units};

/// Which page of the catalogue.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Only items after this SKU, bytewise: the `next` of the page before.
    pub(super) after: Option<String>,
    /// The most items, 1 to 1,000; 100 unless said otherwise.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(super) limit: Option<usize>,
}

/// A page of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemPage {
    /// The items, by SKU.
    pub(super) items: Vec<ItemBody>,
    /// What to send as `after` for the next page; null on the last one.
    #[schema(value_type = Option<String>)]
    pub(super) next: Option<Sku>,
}

/// An item with its stock.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemBody {
    /// The item.
    #[schema(value_type = String, example = "SKU-00001")]
    sku: Sku,
    /// What people call it.
    name: String,
    /// The price of one unit, in minor units.
    #[schema(value_type = i64, example = 1999)]
    price: Money,
    /// Units that can be sold. Below 0 only after a correction.
    available: i64,
    /// Units held for orders that are not settled.
    blocked: i64,
    /// Units sold.
    sold: i64,
    /// The stock it was created with.
    initial: i64,
    /// The sum of all corrections.
    adjusted: i64,
    /// Grows by one with every change of the stock.
    stock_version: u64,
}

impl From<Item> for ItemBody {
    fn from(item: Item) -> Self {
        Self {
            sku: item.level.sku,
            name: item.name,
            price: item.price,
            available: item.level.available,
            blocked: item.level.blocked,
            sold: item.level.sold,
            initial: item.initial,
            adjusted: item.adjusted,
            stock_version: item.level.version,
        }
    }
}

/// An item to create or change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutRequest {
    /// What people call it: 1 to 200 bytes.
    #[schema(example = "Oak Lantern")]
    pub(super) name: String,
    /// The price of one unit, in minor units.
    #[schema(minimum = 0, example = 1999)]
    pub(super) price: i64,
    /// The first stock, 0 or more: needed for a new item, ignored for a known one.
    #[serde(default)]
    #[schema(minimum = 0, example = 13)]
    pub(super) stock: Option<i64>,
}

/// An item that was put, with its stock.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PutBody {
    /// The item.
    #[schema(value_type = String, example = "SKU-00001")]
    sku: Sku,
    /// What people call it.
    name: String,
    /// The price of one unit, in minor units.
    #[schema(value_type = i64, example = 1999)]
    price: Money,
    /// Units that can be sold. Below 0 only after a correction.
    available: i64,
    /// Units held for orders that are not settled.
    blocked: i64,
    /// Units sold.
    sold: i64,
    /// Grows by one with every change of the stock.
    stock_version: u64,
}

impl PutBody {
    pub(super) fn new(name: String, price: Money, level: StockLevel) -> Self {
        Self {
            sku: level.sku,
            name,
            price,
            available: level.available,
            blocked: level.blocked,
            sold: level.sold,
            stock_version: level.version,
        }
    }
}

/// A correction to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdjustRequest {
    /// By how many units, up or down, at most 10¹²; not 0.
    #[schema(minimum = -1_000_000_000_000_i64, maximum = 1_000_000_000_000_i64, example = -5)]
    by: i64,
    /// Why, in words: 1 to 500 bytes.
    #[schema(example = "recount")]
    reason: String,
}

impl AdjustRequest {
    /// By how many units, or what is wrong with that.
    pub(super) fn units(&self) -> Result<i64, String> {
        check_units(self.by).map_err(|error| format!("by: {error}"))
    }

    /// Why, or what is wrong with that.
    pub(super) fn reason(&self) -> Result<String, String> {
        let reason = check_reason(&self.reason).map_err(|what| format!("reason: {what}"))?;
        Ok(reason.to_owned())
    }
}

/// A correction that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdjustedBody {
    /// The id of the correction: the `Idempotency-Key`, or the one the service made.
    #[schema(value_type = schema::Uuid)]
    adjustment_id: Uuid,
    /// Whether an earlier request with this id had made it.
    repeated: bool,
    /// The item.
    #[schema(value_type = String, example = "SKU-00001")]
    sku: Sku,
    /// Units that can be sold. Below 0 only after a correction.
    available: i64,
    /// Units held for orders that are not settled.
    blocked: i64,
    /// Units sold.
    sold: i64,
    /// Grows by one with every change of the stock.
    stock_version: u64,
}

impl AdjustedBody {
    pub(super) fn new(adjustment_id: Uuid, repeated: bool, level: StockLevel) -> Self {
        Self {
            adjustment_id,
            repeated,
            sku: level.sku,
            available: level.available,
            blocked: level.blocked,
            sold: level.sold,
            stock_version: level.version,
        }
    }
}
