//! The routes, listed once.

use axum::extract::Request;
use axum::handler::Handler;
use axum::http::{Method, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, on};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use super::gate::pass;
use super::problem::{Kind, Problem};
use super::{
    Access, Api, Served, Side, carts, health, inventory, metrics, observe, openapi, orders,
    reservations,
};

/// The smallest answer that is compressed, in bytes: below, the head outweighs what is saved.
const COMPRESSED_BYTES_MIN: u64 = 1_024;

/// A route: its method, its path with variable segments in braces, and who may use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method. GET also answers HEAD.
    pub method: Method,
    /// The path.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
}

/// The router of one side with everything around it: access, limits, metrics, problem documents for whatever goes
/// wrong, compression.
pub fn router<P: Served>(api: Api<P>, side: Side) -> axum::Router {
    let compression = CompressionLayer::new()
        .gzip(true)
        .compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN));
    table::<P>(side)
        .router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(api.clone(), observe::observe))
        .layer(compression)
        .with_state(api)
}

/// Every route of [`router`] on [`Side::Both`].
pub fn routes<P: Served>() -> Vec<Route> {
    table::<P>(Side::Both).routes
}

fn table<P: Served>(side: Side) -> Table<P> {
    batch_routes(public_routes(Table::new(side)))
}

fn public_routes<P: Served>(table: Table<P>) -> Table<P> {
    use Access as Of;
    table
        .get(Of::Public, "/v1/info", health::info::<P>)
        .get(Of::Public, "/healthz", health::healthz)
        .get(Of::Probe, "/readyz", health::readyz::<P>)
        .get(Of::STOCK, "/metrics", metrics::scrape::<P>)
        .get(Of::Public, "/openapi.json", openapi::show::<P>)
        .get(
            Of::INTERNAL,
            "/openapi-internal.json",
            openapi::show_internal::<P>,
        )
        .post(Of::ORDERS, "/v1/carts", carts::add::<P>)
        .post(Of::ORDERS, "/v1/orders/{id}/place", orders::place::<P>)
        .post(Of::ORDERS, "/v1/orders/{id}/cancel", orders::cancel::<P>)
        .get(Of::ORDERS, "/v1/orders/{id}", orders::show::<P>)
        .get(Of::ORDERS, "/v1/orders/{id}/history", orders::history::<P>)
        .get(Of::STOCK_LEVELS, "/v1/inventory", inventory::list::<P>)
        .get(
            Of::STOCK_LEVELS,
            "/v1/inventory/{sku}",
            inventory::show::<P>,
        )
        .put(Of::STOCK, "/v1/inventory/{sku}", inventory::put::<P>)
        .post(
            Of::STOCK,
            "/v1/inventory/{sku}/adjustments",
            inventory::adjust::<P>,
        )
        .post(
            Of::INTERNAL,
            "/v1/inventory/reservations",
            reservations::create::<P>,
        )
        .delete(
            Of::INTERNAL,
            "/v1/inventory/reservations/{id}",
            reservations::remove::<P>,
        )
}

/// The inventory port, for other processes. Literal paths: they end in [`crate::inventory::wire::Call::NAME`].
fn batch_routes<P: Served>(table: Table<P>) -> Table<P> {
    use super::batch::{administration, gateway, inventory, letters};
    table
        .batch("/v1/inventory/batch/reserve", inventory::reserve::<P>)
        .batch("/v1/inventory/batch/settle", inventory::settle::<P>)
        .batch("/v1/inventory/batch/stock", inventory::stock::<P>)
        .batch("/v1/inventory/batch/orders", inventory::orders::<P>)
        .batch("/v1/inventory/batch/expired", inventory::expired::<P>)
        .batch(
            "/v1/inventory/batch/refunds-due",
            inventory::refunds_due::<P>,
        )
        .batch("/v1/inventory/batch/refunded", inventory::refunded::<P>)
        .batch(
            "/v1/inventory/batch/put-items",
            administration::put_items::<P>,
        )
        .batch("/v1/inventory/batch/items", administration::items::<P>)
        .batch("/v1/inventory/batch/item", administration::item::<P>)
        .batch("/v1/inventory/batch/adjust", administration::adjust::<P>)
        .batch(
            "/v1/inventory/batch/corrections",
            administration::corrections::<P>,
        )
        .batch(
            "/v1/inventory/batch/find-orders",
            administration::find_orders::<P>,
        )
        .batch("/v1/inventory/batch/story", administration::story::<P>)
        .batch("/v1/inventory/batch/audit", administration::audit::<P>)
        .batch(
            "/v1/inventory/batch/checkpoint",
            administration::checkpoint::<P>,
        )
        .batch("/v1/inventory/batch/cover", administration::cover::<P>)
        .batch("/v1/inventory/batch/gateway", gateway::show::<P>)
        .batch("/v1/inventory/batch/bind-gateway", gateway::bind::<P>)
        .batch("/v1/inventory/batch/record-letters", letters::record::<P>)
        .batch("/v1/inventory/batch/letters", letters::list::<P>)
        .batch("/v1/inventory/batch/mark-letters", letters::mark::<P>)
}

/// A router, and what was put into it.
struct Table<P: Served> {
    side: Side,
    router: axum::Router<Api<P>>,
    routes: Vec<Route>,
}

impl<P: Served> Table<P> {
    fn new(side: Side) -> Self {
        Self {
            side,
            router: axum::Router::new(),
            routes: Vec::new(),
        }
    }

    fn get<T: 'static>(
        self,
        access: Access,
        path: &'static str,
        handler: impl Handler<T, Api<P>>,
    ) -> Self {
        self.add(access, Method::GET, MethodFilter::GET, path, handler)
    }

    fn post<T: 'static>(
        self,
        access: Access,
        path: &'static str,
        handler: impl Handler<T, Api<P>>,
    ) -> Self {
        self.add(access, Method::POST, MethodFilter::POST, path, handler)
    }

    /// A call of the inventory port.
    fn batch<T: 'static>(self, path: &'static str, handler: impl Handler<T, Api<P>>) -> Self {
        self.post(Access::INTERNAL, path, handler)
    }

    fn put<T: 'static>(
        self,
        access: Access,
        path: &'static str,
        handler: impl Handler<T, Api<P>>,
    ) -> Self {
        self.add(access, Method::PUT, MethodFilter::PUT, path, handler)
    }

    fn delete<T: 'static>(
        self,
        access: Access,
        path: &'static str,
        handler: impl Handler<T, Api<P>>,
    ) -> Self {
        self.add(access, Method::DELETE, MethodFilter::DELETE, path, handler)
    }

    fn add<T: 'static>(
        mut self,
        access: Access,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        handler: impl Handler<T, Api<P>>,
    ) -> Self {
        if !access.is_served_by(self.side) {
            return self;
        }
        let gate = from_fn(move |request: Request, next: Next| pass(access, request, next));
        let guarded = on(filter, handler).route_layer(gate);
        self.router = self.router.route(path, guarded);
        self.routes.push(Route {
            method,
            path,
            access,
        });
        self
    }
}

async fn not_found(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(100).collect();
    let detail = format!("there is nothing at {path}: /openapi.json lists what there is");
    Problem::new(Kind::NotFound, detail)
}

async fn method_not_allowed(method: Method) -> Problem {
    let detail = format!("this path does not take {method}: the header Allow says what it takes");
    Problem::new(Kind::MethodNotAllowed, detail)
}
