//! What administrators ask: [`Administration`] and [`Auditing`], call by call.

use axum::extract::State;

use super::{Api, Sent, Served, Told, told};
use crate::domain::Order;
use crate::http::problem::{Kind, Problem, RETRY_AFTER};
use crate::inventory::{
    Adjusted, AdjustmentRow, Administration, Auditing, CheckedOrder, Checkpoint, Item, OrderPages,
    OrderSink, PutOutcome, Story, wire,
};

/// Create items; of a known one only name and price change.
///
/// The stock of a new item is its first one; that of a known item does not change.
#[utoipa::path(
    post, path = "/v1/inventory/batch/put-items", operation_id = "batch_put_items", tag = "batch",
    request_body = wire::PutItems,
    responses((status = 200, description = "A list, one per item: `created`, `changed` or `unchanged`", body = Vec<PutOutcome>))
)]
pub(crate) async fn put_items<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::PutItems>,
) -> Told<wire::PutItems> {
    told(api.inventory().put_items(call.items).await)
}

/// Items with their stock, by SKU.
///
/// At most `limit` items after a SKU, ordered bytewise.
#[utoipa::path(
    post, path = "/v1/inventory/batch/items", operation_id = "batch_items", tag = "batch",
    request_body = wire::Items,
    responses((status = 200, description = "A list of items", body = Vec<Item>))
)]
pub(crate) async fn items<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::Items>,
) -> Told<wire::Items> {
    told(api.inventory().items(call.after, call.limit).await)
}

/// One item with its stock.
///
/// Null if the catalogue does not have it.
#[utoipa::path(
    post, path = "/v1/inventory/batch/item", operation_id = "batch_item", tag = "batch",
    request_body = wire::OneItem,
    responses((status = 200, description = "The item, or null", body = Option<Item>))
)]
pub(crate) async fn item<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::OneItem>,
) -> Told<wire::OneItem> {
    told(api.inventory().item(call.sku).await)
}

/// Correct stock.
///
/// The id of a correction makes a repeat harmless. One outcome per correction, in the order sent.
#[utoipa::path(
    post, path = "/v1/inventory/batch/adjust", operation_id = "batch_adjust", tag = "batch",
    request_body = wire::Adjust,
    responses((status = 200, description = "A list, one per correction: `{\"applied\":{…}}`, `{\"repeated\":{…}}`, `\"id_conflict\"`, `\"unknown_sku\"` or `\"out_of_range\"`", body = Vec<Adjusted>))
)]
pub(crate) async fn adjust<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::Adjust>,
) -> Told<wire::Adjust> {
    told(api.inventory().adjust(call.adjustments).await)
}

/// The last corrections of an item, latest first.
///
/// At most `limit` of them.
#[utoipa::path(
    post, path = "/v1/inventory/batch/corrections", operation_id = "batch_corrections", tag = "batch",
    request_body = wire::Corrections,
    responses((status = 200, description = "A list of corrections", body = Vec<AdjustmentRow>))
)]
pub(crate) async fn corrections<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::Corrections>,
) -> Told<wire::Corrections> {
    told(api.inventory().adjustments(call.sku, call.limit).await)
}

/// Orders that match, by id.
///
/// Every member of the filter that is not null has to match.
#[utoipa::path(
    post, path = "/v1/inventory/batch/find-orders", operation_id = "batch_find_orders", tag = "batch",
    request_body = wire::FindOrders,
    responses((status = 200, description = "A list of orders", body = Vec<Order>))
)]
pub(crate) async fn find_orders<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::FindOrders>,
) -> Told<wire::FindOrders> {
    told(api.inventory().find_orders(call.filter).await)
}

/// All that is known of one order.
///
/// Null if the database does not know it.
#[utoipa::path(
    post, path = "/v1/inventory/batch/story", operation_id = "batch_story", tag = "batch",
    request_body = wire::StoryOf,
    responses((status = 200, description = "The order, its batch and its refund; or null", body = Option<Story>))
)]
pub(crate) async fn story<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::StoryOf>,
) -> Told<wire::StoryOf> {
    told(api.inventory().story(call.id).await)
}

/// Check every invariant that committed state can show, in one snapshot.
///
/// Reads the orders that no checkpoint covers, or with `full` the whole store. Orders and refunds count as late when
/// they are late by more than the grace.
#[utoipa::path(
    post, path = "/v1/inventory/batch/audit", operation_id = "batch_audit", tag = "batch",
    request_body = wire::Audit,
    responses((status = 200, description = "What was counted and found", body = wire::Audited))
)]
pub(crate) async fn audit<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::Audit>,
) -> Told<wire::Audit> {
    let Ok(_turn) = api.audits().try_acquire() else {
        let detail = "an audit is running already: try again when it is done";
        return Err(Problem::new(Kind::Overloaded, detail).retry_after(RETRY_AFTER));
    };
    let (sink, pages) = if call.with_orders {
        let (sink, pages) = OrderSink::channel();
        (sink, Some(pages))
    } else {
        (OrderSink::none(), None)
    };
    let (report, checked) =
        tokio::join!(api.inventory().audit(call.request(), sink), collect(pages));
    told(report.map(|report| wire::Audited { report, checked }))
}

/// All orders of these pages; none if they are more than one answer carries.
async fn collect(pages: Option<OrderPages>) -> Option<Vec<CheckedOrder>> {
    let mut pages = pages?;
    let mut orders = Vec::new();
    while let Some(mut page) = pages.next().await {
        if orders.len() + page.len() > wire::CHECKED_MAX {
            return None;
        }
        orders.append(&mut page);
    }
    Some(orders)
}

/// The last checkpoint of the audit.
#[utoipa::path(
    post, path = "/v1/inventory/batch/checkpoint", operation_id = "batch_checkpoint", tag = "batch",
    request_body = wire::LastCheckpoint,
    responses((status = 200, description = "Its `number`, `audited_at` and `orders`; or null", body = Option<Checkpoint>))
)]
pub(crate) async fn checkpoint<P: Served>(
    State(api): State<Api<P>>,
    Sent(_call): Sent<wire::LastCheckpoint>,
) -> Told<wire::LastCheckpoint> {
    told(api.inventory().checkpoint().await)
}

/// Write a checkpoint for what an audit found right, so that the next one reads only what is new.
#[utoipa::path(
    post, path = "/v1/inventory/batch/cover", operation_id = "batch_cover", tag = "batch",
    request_body = wire::Cover,
    responses((status = 200, description = "Whether it is written: not if another audit has written one since",
        content_type = "application/json", body = bool))
)]
pub(crate) async fn cover<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::Cover>,
) -> Told<wire::Cover> {
    if !call.coverage.is_ordered() {
        let detail = "coverage: batches must be ranges in ascending order";
        return Err(Problem::new(Kind::Invalid, detail));
    }
    told(api.inventory().cover(call.coverage, call.audited_at).await)
}
