//! The routes, listed once.

use axum::handler::Handler;
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, on};

use super::problem::{Kind, Problem};
use super::{
    Api, Served, carts, health, inventory, metrics, observe, openapi, orders, reservations,
};

/// A route: its method and its path, variable segments in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method. GET also answers HEAD.
    pub method: Method,
    /// The path.
    pub path: &'static str,
}

/// The router with everything around it: limits, metrics, problem documents for whatever goes wrong.
pub fn router<P: Served>(api: Api<P>) -> axum::Router {
    table::<P>()
        .router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(api.clone(), observe::observe))
        .with_state(api)
}

/// Every route of [`router`].
pub fn routes<P: Served>() -> Vec<Route> {
    table::<P>().routes
}

fn table<P: Served>() -> Table<P> {
    batch_routes(public_routes(Table::new()))
}

fn public_routes<P: Served>(table: Table<P>) -> Table<P> {
    table
        .get("/v1/info", health::info::<P>)
        .get("/healthz", health::healthz)
        .get("/readyz", health::readyz::<P>)
        .get("/metrics", metrics::scrape::<P>)
        .get("/openapi.json", openapi::show)
        .post("/v1/carts", carts::add::<P>)
        .post("/v1/orders/{id}/place", orders::place::<P>)
        .post("/v1/orders/{id}/cancel", orders::cancel::<P>)
        .get("/v1/orders/{id}", orders::show::<P>)
        .get("/v1/orders/{id}/history", orders::history::<P>)
        .get("/v1/inventory", inventory::list::<P>)
        .get("/v1/inventory/{sku}", inventory::show::<P>)
        .put("/v1/inventory/{sku}", inventory::put::<P>)
        .post("/v1/inventory/{sku}/adjustments", inventory::adjust::<P>)
        .post("/v1/inventory/reservations", reservations::create::<P>)
        .delete("/v1/inventory/reservations/{id}", reservations::remove::<P>)
}

/// The inventory port, for other processes. Literal paths: they end in [`crate::inventory::wire::Call::NAME`].
fn batch_routes<P: Served>(table: Table<P>) -> Table<P> {
    use super::batch::{administration, inventory, letters};
    table
        .post("/v1/inventory/batch/reserve", inventory::reserve::<P>)
        .post("/v1/inventory/batch/settle", inventory::settle::<P>)
        .post("/v1/inventory/batch/stock", inventory::stock::<P>)
        .post("/v1/inventory/batch/orders", inventory::orders::<P>)
        .post("/v1/inventory/batch/expired", inventory::expired::<P>)
        .post(
            "/v1/inventory/batch/refunds-due",
            inventory::refunds_due::<P>,
        )
        .post("/v1/inventory/batch/refunded", inventory::refunded::<P>)
        .post(
            "/v1/inventory/batch/put-items",
            administration::put_items::<P>,
        )
        .post("/v1/inventory/batch/items", administration::items::<P>)
        .post("/v1/inventory/batch/item", administration::item::<P>)
        .post("/v1/inventory/batch/adjust", administration::adjust::<P>)
        .post(
            "/v1/inventory/batch/corrections",
            administration::corrections::<P>,
        )
        .post(
            "/v1/inventory/batch/find-orders",
            administration::find_orders::<P>,
        )
        .post("/v1/inventory/batch/story", administration::story::<P>)
        .post("/v1/inventory/batch/audit", administration::audit::<P>)
        .post("/v1/inventory/batch/record-letters", letters::record::<P>)
        .post("/v1/inventory/batch/letters", letters::list::<P>)
        .post("/v1/inventory/batch/mark-letters", letters::mark::<P>)
}

/// A router, and what was put into it.
struct Table<P: Served> {
    router: axum::Router<Api<P>>,
    routes: Vec<Route>,
}

impl<P: Served> Table<P> {
    fn new() -> Self {
        Self {
            router: axum::Router::new(),
            routes: Vec::new(),
        }
    }

    fn get<T: 'static>(self, path: &'static str, handler: impl Handler<T, Api<P>>) -> Self {
        self.add(Method::GET, MethodFilter::GET, path, handler)
    }

    fn post<T: 'static>(self, path: &'static str, handler: impl Handler<T, Api<P>>) -> Self {
        self.add(Method::POST, MethodFilter::POST, path, handler)
    }

    fn put<T: 'static>(self, path: &'static str, handler: impl Handler<T, Api<P>>) -> Self {
        self.add(Method::PUT, MethodFilter::PUT, path, handler)
    }

    fn delete<T: 'static>(self, path: &'static str, handler: impl Handler<T, Api<P>>) -> Self {
        self.add(Method::DELETE, MethodFilter::DELETE, path, handler)
    }

    fn add<T: 'static>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        handler: impl Handler<T, Api<P>>,
    ) -> Self {
        self.router = self.router.route(path, on(filter, handler));
        self.routes.push(Route { method, path });
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
