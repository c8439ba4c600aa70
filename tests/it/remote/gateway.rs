//! A payment gateway over HTTP, on the books of the model: it loses answers and is late, as the model's script says.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use oms::domain::{Customer, Money, OrderId};
use oms::payments::http::HttpPayments;
use oms::payments::{Cancelled, Charge, Error, Payments, Verdict};
use oms::ports::ErrorKind;
use serde::Deserialize;
use serde_json::json;

use super::server::{Server, lost};
use crate::model::ModelPayments;

/// A gateway that is served.
pub struct Gateway {
    pub server: Server,
}

impl Gateway {
    pub fn client(&self) -> HttpPayments {
        self.client_with("")
    }

    /// A client with parameters in its URL.
    pub fn client_with(&self, parameters: &str) -> HttpPayments {
        HttpPayments::open(&self.server.url("", &format!("/pay{parameters}"))).unwrap()
    }
}

/// Serves the protocol under `/pay`.
pub async fn serve(model: ModelPayments) -> Gateway {
    let router = Router::new()
        .route("/pay/v1/charges", post(charge))
        .route("/pay/v1/charges/{id}", get(lookup))
        .route("/pay/v1/charges/{id}/cancel", post(cancel))
        .route("/pay/v1/refunds", post(refund))
        .with_state(model);
    Gateway {
        server: Server::start(router).await,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChargeBody {
    order_id: OrderId,
    customer: Customer,
    amount: Money,
    currency: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundBody {
    order_id: OrderId,
    amount: Money,
}

async fn charge(
    State(model): State<ModelPayments>,
    headers: HeaderMap,
    Json(body): Json<ChargeBody>,
) -> Response {
    assert_eq!(headers["idempotency-key"], body.order_id.to_string());
    assert_eq!(body.currency, "USD");
    let charge = Charge {
        order_id: body.order_id,
        customer: body.customer,
        amount: body.amount,
    };
    match model.charge(charge).await {
        Ok(verdict) => told(&verdict),
        Err(error) => failed(&error),
    }
}

async fn lookup(State(model): State<ModelPayments>, Path(id): Path<OrderId>) -> Response {
    match model.lookup(id).await {
        Ok(Some(Verdict::Captured { amount })) => {
            let refunded = model.entry(id).unwrap().refunded;
            Json(json!({"status": "succeeded", "amount": amount, "refunded": refunded}))
                .into_response()
        }
        Ok(Some(verdict)) => told(&verdict),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => failed(&error),
    }
}

async fn cancel(State(model): State<ModelPayments>, Path(id): Path<OrderId>) -> Response {
    match model.cancel(id).await {
        Ok(Cancelled::Fenced) => StatusCode::OK.into_response(),
        Ok(Cancelled::Captured { .. }) => StatusCode::CONFLICT.into_response(),
        Err(error) => failed(&error),
    }
}

async fn refund(State(model): State<ModelPayments>, Json(body): Json<RefundBody>) -> Response {
    match model.refund(body.order_id, body.amount).await {
        Ok(()) => Json(json!({})).into_response(),
        Err(error) => failed(&error),
    }
}

fn told(verdict: &Verdict) -> Response {
    match verdict {
        Verdict::Captured { amount } => {
            Json(json!({"status": "succeeded", "amount": amount})).into_response()
        }
        Verdict::Declined { reason } => {
            Json(json!({"status": "declined", "reason": reason})).into_response()
        }
        Verdict::Pending => {
            (StatusCode::ACCEPTED, Json(json!({"status": "pending"}))).into_response()
        }
    }
}

fn failed(error: &Error) -> Response {
    match error.kind() {
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        ErrorKind::OutcomeUnknown => lost(),
        ErrorKind::Permanent => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Json(json!({"detail": error.to_string()})),
        )
            .into_response(),
    }
}
