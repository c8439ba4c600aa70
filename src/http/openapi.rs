//! The OpenAPI document, generated from the handlers.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{self, ContentBuilder, ObjectBuilder, Ref, RefOr};
use utoipa::{Modify, OpenApi};

use super::problem::{Document, MEDIA_TYPE};
use super::{batch, carts, health, inventory, metrics, orders, reservations, schema};
use crate::inventory::wire::PREFIX;

/// Collects the handlers.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "oms",
        description = "Takes orders in a rush and never sells what is not there. Money is an integer of minor units. \
            Bodies are JSON of at most 1 MiB; unknown fields are refused. Every error is an RFC 9457 problem document. \
            The batch routes are for other oms processes on a trusted network.",
    ),
    tags(
        (name = "orders", description = "Carts and the orders they become"),
        (name = "inventory", description = "The inventory service"),
        (name = "batch", description = "The inventory port, for other oms processes on a trusted network: internal, \
            and free to change with every version. Each is one transaction or one read, of at most 16 MiB, and may be \
            repeated; unknown fields are ignored"),
        (name = "operation", description = "For whoever runs it"),
    ),
    paths(
        carts::add, orders::place, orders::cancel, orders::show, orders::history,
        inventory::list, inventory::show, inventory::put, inventory::adjust,
        reservations::create, reservations::remove,
        batch::inventory::reserve, batch::inventory::settle, batch::inventory::stock, batch::inventory::orders, batch::inventory::expired,
        batch::inventory::refunds_due, batch::inventory::refunded,
        batch::administration::put_items, batch::administration::items, batch::administration::item,
        batch::administration::adjust, batch::administration::corrections, batch::administration::find_orders,
        batch::administration::story, batch::administration::audit,
        batch::gateway::show, batch::gateway::bind,
        batch::letters::record, batch::letters::list, batch::letters::mark,
        health::info, health::healthz, health::readyz, metrics::scrape, show,
    ),
    components(schemas(Document, schema::Status, schema::Reason, schema::Uuid)),
    modifiers(&Problems),
)]
struct Collected;

/// The OpenAPI 3.1 document as JSON.
pub fn document() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let document = Collected::openapi();
        document.to_pretty_json().unwrap_or_default()
    })
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "get_document", tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json"))
)]
pub(super) async fn show() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}

/// Gives every response that is an error the body of a problem document, and every operation the one it always may
/// answer.
struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            if path.starts_with(PREFIX) {
                operations(item).for_each(batch::describe);
            }
            operations(item).for_each(describe);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let methods = [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
    ];
    methods.into_iter().flatten()
}

fn describe(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    let fault = openapi::Response::new("A fault of the service: its log says more");
    responses
        .entry("500".to_owned())
        .or_insert_with(|| RefOr::T(fault));
    for (status, response) in responses.iter_mut() {
        let RefOr::T(response) = response else {
            continue;
        };
        if status.as_str() >= "400" {
            let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
            let content = RefOr::T(problem.build());
            response.content.insert(MEDIA_TYPE.to_owned(), content);
        }
        if ["409", "503"].contains(&status.as_str()) {
            let header = HeaderBuilder::new()
                .schema(Some(ObjectBuilder::new().schema_type(Type::Integer)))
                .description(Some("Seconds, where trying again may help"));
            let header = RefOr::T(header.build());
            response.headers.insert("Retry-After".to_owned(), header);
        }
    }
}
