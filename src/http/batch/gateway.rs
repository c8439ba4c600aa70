//! Which gateway vouches for the store's payments: [`GatewayBinding`], call by call.

use axum::extract::State;

use super::{Api, Sent, Served, Told, told};
use crate::inventory::{GatewayBinding, GatewayRecord, wire};

/// The payment gateway that the store records.
#[utoipa::path(
    post, path = "/v1/inventory/batch/gateway", operation_id = "batch_gateway", tag = "batch",
    request_body = wire::GatewayOnRecord,
    responses((status = 200, description = "Its `id`, `location` and `since`; or null", body = Option<GatewayRecord>))
)]
pub(crate) async fn show<P: Served>(
    State(api): State<Api<P>>,
    Sent(_call): Sent<wire::GatewayOnRecord>,
) -> Told<wire::GatewayOnRecord> {
    told(api.inventory().gateway().await)
}

/// Record a payment gateway, if the present one is the one that it replaces.
#[utoipa::path(
    post, path = "/v1/inventory/batch/bind-gateway", operation_id = "batch_bind_gateway", tag = "batch",
    request_body = wire::BindGateway,
    responses((status = 200, description = "The gateway on record afterwards: `id`, `location` and `since`", body = GatewayRecord))
)]
pub(crate) async fn bind<P: Served>(
    State(api): State<Api<P>>,
    Sent(call): Sent<wire::BindGateway>,
) -> Told<wire::BindGateway> {
    told(
        api.inventory()
            .bind_gateway(call.record, call.replaces)
            .await,
    )
}
