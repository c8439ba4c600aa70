//! What the routes of the inventory read and answer. Money is an integer of minor units.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{PAGE_ITEMS, PAGE_ITEMS_MAX, schema};
use crate::catalogue::{check_name, check_reason, check_stock};
use crate::domain::{Money, Sku};
use crate::http::problem::Problem;
use crate::http::request::FromQuery;
use crate::inventory::{Item, StockLevel, check_units};

/// Which page of the catalogue.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Only items after this SKU, bytewise: the `next` of the page before.
    #[param(value_type = Option<Sku>)]
    after: Option<String>,
    /// The most items, 1 to 1,000; 100 unless said otherwise.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

impl FromQuery for PageQuery {
    const NAMES: &'static [&'static str] = &["after", "limit"];

    fn from_query(mut value: impl FnMut(&str) -> Option<String>) -> Self {
        Self {
            after: value("after"),
            limit: value("limit"),
        }
    }
}

impl PageQuery {
    /// The SKU after which the page begins.
    pub(super) fn after(&self) -> Result<Option<Sku>, Problem> {
        let after = self.after.as_deref().map(Sku::new).transpose();
        after.map_err(|error| Problem::of_parameter("after", error))
    }

    /// The most items of the page.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = &self.limit else {
            return Ok(PAGE_ITEMS);
        };
        let limit = text.parse().ok();
        limit
            .filter(|limit| (1..=PAGE_ITEMS_MAX).contains(limit))
            .ok_or_else(|| {
                let text: String = text.chars().take(32).collect();
                let range = format!("1 to {PAGE_ITEMS_MAX}");
                let what = format!("`{text}` is not a whole number in range: {range} are allowed");
                Problem::of_parameter("limit", what)
            })
    }
}

/// A page of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemPage {
    /// The items, by SKU.
    pub(super) items: Vec<ItemBody>,
    /// What to send as `after` for the next page; null on the last one.
    pub(super) next: Option<Sku>,
}

/// An item with its stock.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemBody {
    /// The item.
    sku: Sku,
    /// What people call it.
    name: String,
    /// The price of one unit, in minor units.
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
    #[schema(value_type = schema::ItemName)]
    name: String,
    /// The price of one unit, in minor units.
    #[schema(value_type = Money)]
    price: i64,
    /// The first stock, 0 or more: needed for a new item, ignored for a known one.
    #[serde(default)]
    #[schema(value_type = Option<schema::FirstStock>)]
    stock: Option<i64>,
}

impl PutRequest {
    pub(super) fn name(&self) -> Result<String, Problem> {
        let name = check_name(&self.name);
        name.map(str::to_owned)
            .map_err(|what| Problem::invalid_at("/name", &what))
    }

    pub(super) fn price(&self) -> Result<Money, Problem> {
        Money::new(self.price).map_err(|error| Problem::invalid_at("/price", &error.to_string()))
    }

    pub(super) fn stock(&self) -> Result<Option<i64>, Problem> {
        let stock = self.stock.map(check_stock).transpose();
        stock.map_err(|what| Problem::invalid_at("/stock", &what))
    }
}

/// An item that was put, with its stock.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PutBody {
    /// The item.
    sku: Sku,
    /// What people call it.
    name: String,
    /// The price of one unit, in minor units.
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
    #[schema(value_type = schema::Correction)]
    by: i64,
    /// Why, in words: 1 to 500 bytes.
    #[schema(value_type = schema::CorrectionReason)]
    reason: String,
}

impl AdjustRequest {
    /// By how many units, or what is wrong with that.
    pub(super) fn units(&self) -> Result<i64, Problem> {
        let units = check_units(self.by);
        units.map_err(|error| Problem::invalid_at("/by", &error.to_string()))
    }

    /// Why, or what is wrong with that.
    pub(super) fn reason(&self) -> Result<String, Problem> {
        let reason = check_reason(&self.reason);
        let reason = reason.map_err(|what| Problem::invalid_at("/reason", &what))?;
        Ok(reason.to_owned())
    }
}

/// A correction that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdjustedBody {
    /// The id of the correction: the `Idempotency-Key`, or the one the service made.
    #[schema(value_type = schema::UniqueId)]
    adjustment_id: Uuid,
    /// Whether an earlier request with this id had made it.
    repeated: bool,
    /// The item.
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
