//! The OpenAPI documents, generated from the handlers: one for clients, one for other oms processes.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    self, Contact, ContentBuilder, License, ObjectBuilder, Ref, RefOr, Required, ServerBuilder,
};
use utoipa::{Modify, OpenApi};

use super::problem::{Document, MEDIA_TYPE};
use super::routes::{Route, routes};
use super::{
    Scope, Served, batch, carts, health, inventory, metrics, orders, reservations, schema,
};
use crate::domain::{Customer, OrderId, Sku};
use crate::inventory::wire::PREFIX;

/// The name of the security scheme.
const BEARER: &str = "bearer";

/// The operations whose body may be left out.
const BODY_OPTIONAL: [&str; 2] = ["place_order", "cancel_order"];

/// The responses whose headers say when to repeat.
const RETRIED: [&str; 3] = ["409", "429", "503"];

/// What clients use.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "oms",
        description = "Takes orders in a rush and never sells what is not there. Money is an integer of minor units. \
            Bodies are JSON objects of at most 1 MiB; unknown fields are refused. Every error is an RFC 9457 problem \
            document, whose `pointer` or `parameter` says which value is at fault. An order id is a capability: \
            whoever knows it can place, cancel and read the order, so make it hard to guess and keep it secret.",
    ),
    tags(
        (name = "orders", description = "Carts and the orders they become"),
        (name = "inventory", description = "The inventory service"),
        (name = "operation", description = "For whoever runs it"),
    ),
    paths(
        carts::add, orders::place, orders::cancel, orders::show, orders::history,
        inventory::list, inventory::show, inventory::put, inventory::adjust,
        health::info, health::healthz, health::readyz, metrics::scrape, show,
    ),
    components(schemas(Document, OrderId, Sku, schema::UniqueId, schema::Wait)),
    modifiers(&Common),
)]
struct Public;

/// What other oms processes use.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "oms, internal",
        description = "For other oms processes and operators on a trusted network: whoever can use these routes can \
            decide orders without a payment. The batch routes are the inventory port, free to change with every \
            version. Each is one transaction or one read, of at most 16 MiB, and may be repeated; unknown fields are \
            ignored. Every error is an RFC 9457 problem document.",
    ),
    tags(
        (name = "reservations", description = "Reservations without the queue"),
        (name = "batch", description = "The inventory port"),
        (name = "operation", description = "For whoever runs it"),
    ),
    paths(
        reservations::create, reservations::remove,
        batch::inventory::reserve, batch::inventory::settle, batch::inventory::stock, batch::inventory::orders,
        batch::inventory::expired, batch::inventory::refunds_due, batch::inventory::refunded,
        batch::administration::put_items, batch::administration::items, batch::administration::item,
        batch::administration::adjust, batch::administration::corrections, batch::administration::find_orders,
        batch::administration::story, batch::administration::audit,
        batch::administration::checkpoint, batch::administration::cover,
        batch::gateway::show, batch::gateway::bind,
        batch::letters::record, batch::letters::list, batch::letters::mark,
        show_internal,
    ),
    components(schemas(Document, OrderId, Customer)),
    modifiers(&Common),
)]
struct Internal;

/// The OpenAPI 3.1 document of the public routes as JSON.
pub fn document<P: Served>() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| json_of(Public::openapi(), &routes::<P>()))
}

/// The OpenAPI 3.1 document of the internal routes as JSON.
pub fn internal_document<P: Served>() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| json_of(Internal::openapi(), &routes::<P>()))
}

fn json_of(mut document: openapi::OpenApi, routes: &[Route]) -> String {
    for route in routes {
        let item = document.paths.paths.get_mut(route.path);
        let found = item
            .and_then(|item| operations(item).find(|(method, _)| *method == route.method.as_str()));
        if let Some((_, operation)) = found {
            secure(operation, route.access.scopes());
            describe(operation);
        }
    }
    let mut document = serde_json::to_value(&document).unwrap_or_default();
    // utoipa has no `not`.
    if let Some(Value::Object(units)) = document.pointer_mut("/components/schemas/Correction") {
        units.insert("not".to_owned(), json!({"const": 0}));
    }
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// The description of the public routes.
///
/// OpenAPI 3.1.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "get_document", tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json"))
)]
pub(super) async fn show<P: Served>() -> Response {
    let media_type = [(header::CONTENT_TYPE, "application/json")];
    (media_type, document::<P>()).into_response()
}

/// The description of the internal routes.
///
/// OpenAPI 3.1.
#[utoipa::path(
    get, path = "/openapi-internal.json", operation_id = "get_internal_document", tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json"))
)]
pub(super) async fn show_internal<P: Served>() -> Response {
    let media_type = [(header::CONTENT_TYPE, "application/json")];
    (media_type, internal_document::<P>()).into_response()
}

/// What the documents share, and the errors of the batch routes.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let mut license = License::new("MIT");
        license.identifier = Some("MIT".to_owned());
        document.info.license = Some(license);
        document.info.contact = Some(Contact::builder().name(Some("oms")).build());
        let server = ServerBuilder::new()
            .url("/")
            .description(Some("The service that answers this document"));
        document.servers = Some(vec![server.build()]);
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some(
            "A token of the file that `oms serve --tokens` names. Each operation says which scope its token needs: \
             `orders` (carts and orders), `stock` (catalogue, corrections, metrics) or `internal` (what decides \
             orders). A service without tokens asks for none."
                .to_owned(),
        );
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
        for (path, item) in &mut document.paths.paths {
            if path.starts_with(PREFIX) {
                operations(item).for_each(|(_, operation)| batch::describe(operation));
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let methods = [
        ("GET", &mut item.get),
        ("PUT", &mut item.put),
        ("POST", &mut item.post),
        ("DELETE", &mut item.delete),
    ];
    (methods.into_iter()).filter_map(|(name, operation)| Some((name, operation.as_mut()?)))
}

fn secure(operation: &mut Operation, needed: &[Scope]) {
    if needed.is_empty() {
        operation.security = Some(Vec::new());
        return;
    }
    // Only OAuth has scopes that a linter knows.
    let bearer = SecurityRequirement::new(BEARER, Vec::<String>::new());
    operation.security = Some(vec![bearer]);
    let scopes: Vec<&str> = needed.iter().map(|scope| scope.as_str()).collect();
    let scopes = scopes.join("` or `");
    let description = operation.description.get_or_insert_default();
    *description = format!("{description}\n\nNeeds a token with the scope `{scopes}`.");
    let challenge = HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some("`Bearer`"));
    let mut unauthorized =
        openapi::Response::new("A token is needed, and none is sent that is known");
    (unauthorized.headers).insert("WWW-Authenticate".to_owned(), RefOr::T(challenge.build()));
    let responses = &mut operation.responses.responses;
    responses.insert("401".to_owned(), RefOr::T(unauthorized));
    let scope = format!("The token does not have the scope `{scopes}`");
    match responses.get_mut("403") {
        Some(RefOr::T(response)) => {
            response.description = format!("{scope}; or: {}", response.description);
        }
        _ => {
            let forbidden = openapi::Response::new(scope);
            responses.insert("403".to_owned(), RefOr::T(forbidden));
        }
    }
    if needed.contains(&Scope::Orders) {
        let limited = openapi::Response::new("This customer or address sends too many requests");
        responses.insert("429".to_owned(), RefOr::T(limited));
    }
}

fn describe(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && let Some(schema) = &mut parameter.schema
        {
            never_null(schema);
        }
    }
    let optional = BODY_OPTIONAL
        .map(Some)
        .contains(&operation.operation_id.as_deref());
    if let Some(RefOr::T(body)) = operation.request_body.as_mut().filter(|_| optional) {
        body.required = Some(Required::False);
    }
    let responses = &mut operation.responses.responses;
    for (status, what) in [
        (
            "400",
            "The request cannot be read, such as one without `Host`",
        ),
        ("500", "A fault of the service: its log says more"),
    ] {
        let response = || RefOr::T(openapi::Response::new(what));
        responses.entry(status.to_owned()).or_insert_with(response);
    }
    for (status, response) in responses.iter_mut() {
        let RefOr::T(response) = response else {
            continue;
        };
        if status.as_str() >= "400" {
            let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
            let content = RefOr::T(problem.build());
            response.content.insert(MEDIA_TYPE.to_owned(), content);
        }
        if RETRIED.contains(&status.as_str()) {
            let header = HeaderBuilder::new()
                .schema(Some(ObjectBuilder::new().schema_type(Type::Integer)))
                .description(Some("Seconds, where trying again may help"));
            let header = RefOr::T(header.build());
            response.headers.insert("Retry-After".to_owned(), header);
        }
    }
}

/// An optional parameter is left out: it is never sent as null.
fn never_null(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::OneOf(one_of)) => {
            one_of.items.retain(|item| !is_null(item));
            if one_of.items.len() == 1
                && let Some(only) = one_of.items.pop()
            {
                *schema = only;
            }
        }
        RefOr::T(Schema::Object(object)) => {
            if let SchemaType::Array(types) = &mut object.schema_type {
                types.retain(|one| *one != Type::Null);
                if let [only] = types.as_slice() {
                    object.schema_type = SchemaType::Type(only.clone());
                }
            }
        }
        _ => {}
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}
