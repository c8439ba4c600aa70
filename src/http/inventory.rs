//! The inventory service: catalogue, stock, corrections.

mod body;

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use uuid::Uuid;

use super::problem::{Kind, Problem};
use super::request::{Item as SkuOf, Params, idempotency_key};
use super::{Api, Served, body as incoming, deadline, schema};
use crate::domain::Sku;
use crate::inventory::{
    Adjusted, Adjustment, Administration, Inventory, NewItem, PutOutcome, StockLevel,
};
use crate::ports::{Clock, Error};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use body::{AdjustRequest, AdjustedBody, ItemBody, ItemPage, PageQuery, PutBody, PutRequest};

/// How many items a page has unless the client says otherwise.
const PAGE_ITEMS: usize = 100;

/// The most items a page may have.
pub(super) const PAGE_ITEMS_MAX: usize = 1_000;

/// The catalogue with its stock, by SKU.
///
/// Pages follow one another by `after`: send the `next` of one page to get the one behind it.
#[utoipa::path(
    get, path = "/v1/inventory", operation_id = "list_items", tag = "inventory",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of items", body = ItemPage),
        (status = 400, description = "Not a SKU, or no such limit"),
        (status = 503, description = "A store does not answer: repeat"),
    )
)]
pub(super) async fn list<P: Served>(
    State(api): State<Api<P>>,
    Params(query): Params<PageQuery>,
) -> Result<Json<ItemPage>, Problem> {
    let limit = query.limit()?;
    let after = query.after()?;
    // One more than asked for tells whether there is a next page.
    let inventory = api.flow().ports().inventory();
    let mut items = deadline::read("read items", inventory.items(after, limit + 1)).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().map(|item| item.level.sku.clone());
    Ok(Json(ItemPage {
        items: items.into_iter().map(ItemBody::from).collect(),
        next: last.filter(|_| more),
    }))
}

/// One item with its stock.
///
/// Reads what is committed, never a cache.
#[utoipa::path(
    get, path = "/v1/inventory/{sku}", operation_id = "get_item", tag = "inventory",
    params(("sku" = Sku, Path, description = "The item")),
    responses(
        (status = 200, description = "The item", body = ItemBody),
        (status = 400, description = "Not a SKU"),
        (status = 404, description = "There is no such item"),
        (status = 503, description = "A store does not answer: repeat"),
    )
)]
pub(super) async fn show<P: Served>(
    State(api): State<Api<P>>,
    SkuOf(sku): SkuOf,
) -> Result<Json<ItemBody>, Problem> {
    let item = api.flow().ports().inventory().item(sku.clone());
    match deadline::read("read an item", item).await? {
        Some(item) => Ok(Json(item.into())),
        None => Err(unknown(&sku)),
    }
}

/// Create an item, or change the name and price of a known one.
///
/// `stock` is needed for a new item (404 without it) and ignored for a known one: stock is corrected by adjustments.
#[utoipa::path(
    put, path = "/v1/inventory/{sku}", operation_id = "put_item", tag = "inventory",
    params(("sku" = Sku, Path, description = "The item")),
    request_body = PutRequest,
    responses(
        (status = 200, description = "Changed, or as it was", body = PutBody),
        (status = 201, description = "Created", body = PutBody),
        (status = 400, description = "Not a SKU, or not JSON"),
        (status = 404, description = "There is no such item, and `stock` is not sent to create it"),
        (status = 408, description = "The body took too long"),
        (status = 413, description = "Over 1 MiB"),
        (status = 415, description = "Not application/json"),
        (status = 422, description = "Not a name, a price or a stock"),
        (status = 503, description = "A store does not answer: repeat"),
    )
)]
pub(super) async fn put<P: Served>(
    State(api): State<Api<P>>,
    SkuOf(sku): SkuOf,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = incoming::read(&parts.headers, body).await?;
    let request: PutRequest = incoming::parse(&bytes)?;
    let (name, price, stock) = (request.name()?, request.price()?, request.stock()?);
    if stock.is_none() && level(&api, &sku).await?.is_none() {
        let detail = format!("the catalogue has no item {sku}: send `stock`, too, to create it");
        return Err(Problem::new(Kind::UnknownSku, detail));
    }
    let item = NewItem {
        sku: sku.clone(),
        name: name.clone(),
        price,
        stock: stock.unwrap_or(0),
    };
    let inventory = api.flow().ports().inventory();
    let began = api.flow().ports().clock().now();
    let outcome = deadline::change("put an item", inventory.put_items(vec![item])).await?;
    let level = level(&api, &sku).await?.ok_or_else(|| unknown(&sku))?;
    let created = outcome.first() == Some(&PutOutcome::Created);
    if created {
        api.cache_stock(vec![level.clone()], began).await;
    }
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(PutBody::new(name, price, level))).into_response())
}

/// Correct the stock of an item, up or down.
///
/// The header `Idempotency-Key` is the correction's id and makes a repeat harmless. Without it the service makes an id.
/// Every answer and every error carries the id as `adjustment_id`: repeat the request with it.
#[utoipa::path(
    post, path = "/v1/inventory/{sku}/adjustments", operation_id = "adjust_stock", tag = "inventory",
    params(
        ("sku" = Sku, Path, description = "The item"),
        ("Idempotency-Key" = Option<schema::UniqueId>, Header, description = "The id of this correction"),
    ),
    request_body = AdjustRequest,
    responses(
        (status = 200, description = "Corrected, now or by an earlier request", body = AdjustedBody),
        (status = 400, description = "Not a SKU, not a UUID, or not JSON"),
        (status = 404, description = "There is no such item"),
        (status = 409, description = "The stock would leave the range of ±10¹² units"),
        (status = 408, description = "The body took too long"),
        (status = 413, description = "Over 1 MiB"),
        (status = 415, description = "Not application/json"),
        (status = 422, description = "0 units, no reason, or the key was used for another correction"),
        (status = 503, description = "A store does not answer, or (type `in-doubt`) it may have been corrected: repeat with `Idempotency-Key: <adjustment_id>`",
            headers(("Retry-After" = u64, description = "Seconds"))),
    )
)]
pub(super) async fn adjust<P: Served>(
    State(api): State<Api<P>>,
    SkuOf(sku): SkuOf,
    request: Request,
) -> Result<Json<AdjustedBody>, Problem> {
    let (parts, body) = request.into_parts();
    let key = idempotency_key(&parts.headers);
    // The server's own order ids are time-ordered UUIDs, which keep this table's pages together, too.
    let made = || api.flow().new_order_id().uuid();
    let id = key.as_ref().ok().copied().flatten().unwrap_or_else(made);
    let about = |problem: Problem| problem.about_adjustment(id);
    key.map_err(about)?;
    let answer = async {
        let bytes = incoming::read(&parts.headers, body).await?;
        correct(&api, id, sku, incoming::parse(&bytes)?).await
    };
    // A panic leaves the outcome unknown as well.
    let answer = AssertUnwindSafe(answer).catch_unwind().await;
    let answer = answer.unwrap_or_else(|_| Err(Problem::internal()));
    answer.map(Json).map_err(about)
}

async fn correct<P: Served>(
    api: &Api<P>,
    id: Uuid,
    sku: Sku,
    request: AdjustRequest,
) -> Result<AdjustedBody, Problem> {
    let adjustment = Adjustment {
        id,
        sku: sku.clone(),
        by: request.units()?,
        reason: request.reason()?,
    };
    let inventory = api.flow().ports().inventory();
    let began = api.flow().ports().clock().now();
    let in_doubt = |error: Error| Problem::of_adjustment(id, &error);
    let adjusting = deadline::change("correct the stock", inventory.adjust(vec![adjustment]));
    let (level, repeated) = match adjusting.await.map_err(in_doubt)?.pop() {
        Some(Adjusted::Applied(level)) => (level, false),
        Some(Adjusted::Repeated(level)) => (level, true),
        Some(Adjusted::UnknownSku) => return Err(unknown(&sku)),
        Some(Adjusted::IdConflict) => {
            let detail = format!("the key {id} was used for another correction: send a new one");
            return Err(Problem::new(Kind::IdConflict, detail));
        }
        Some(Adjusted::OutOfRange) => {
            let most = crate::catalogue::STOCK_MAX;
            let detail = format!("the stock of {sku} would leave the range of ±{most} units");
            return Err(Problem::new(Kind::StockOutOfRange, detail));
        }
        None => return Err(in_doubt(Error::outcome_unknown("correct the stock"))),
    };
    api.cache_stock(vec![level.clone()], began).await;
    Ok(AdjustedBody::new(id, repeated, level))
}

/// The committed stock of an item; none if there is no such item.
async fn level<P: Served>(api: &Api<P>, sku: &Sku) -> Result<Option<StockLevel>, Problem> {
    let inventory = api.flow().ports().inventory();
    let stock = inventory.stock(vec![sku.clone()], false);
    let mut answer = deadline::read("read stock", stock).await?;
    Ok(answer.levels.pop().flatten())
}

fn unknown(sku: &Sku) -> Problem {
    Problem::new(Kind::UnknownSku, format!("the catalogue has no item {sku}"))
}
