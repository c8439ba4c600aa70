//! The gate before every route: how often a client may come, and what its token allows.

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::access::{Access, Scope};
use super::auth::Auth;
use super::body::discard;
use super::limits::Rates;
use super::problem::Problem;
use super::server::Peer;

/// What decides whether a request reaches its route.
#[derive(Debug)]
pub(super) struct Gate {
    auth: Auth,
    rates: Rates,
}

impl Gate {
    pub(super) const fn new(auth: Auth, rates: Rates) -> Self {
        Self { auth, rates }
    }

    pub(super) const fn rates(&self) -> &Rates {
        &self.rates
    }

    /// What goes on beside the requests; never ends.
    pub(super) async fn upkeep(&self) {
        tokio::join!(self.auth.follow(), self.rates.upkeep());
    }

    fn check(&self, access: Access, request: &Request) -> Result<(), Box<Response>> {
        // Other oms processes come from few addresses, and often.
        if access.scopes().contains(&Scope::Orders)
            && let Some(Peer(address)) = request.extensions().get()
        {
            let counted = self.rates.count_address(*address);
            counted.map_err(|problem| Box::new(problem.into_response()))?;
        }
        self.auth.check(access, request.headers())
    }
}

/// Lets a request through to its route, or answers it.
///
/// Every route is wrapped into this as it is listed. A request without a gate does not get through.
pub(super) async fn pass(access: Access, request: Request, next: Next) -> Response {
    let Some(gate) = request.extensions().get::<Arc<Gate>>() else {
        tracing::error!("a request reached a route without passing the gate");
        return Problem::internal().into_response();
    };
    if let Err(answer) = gate.check(access, &request) {
        let (parts, body) = request.into_parts();
        discard(&parts.headers, body).await;
        return *answer;
    }
    next.run(request).await
}
