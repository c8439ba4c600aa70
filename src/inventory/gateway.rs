//! Which payment gateway vouches for the payments of a store (rule 20).

use std::future::Future;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Error;
use crate::domain::{GatewayId, Timestamp};

/// The longest location that is recorded, in characters; longer ones are cut.
pub const LOCATION_CHARS_MAX: usize = 1_000;

/// The gateway that a store records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewayRecord {
    /// Its name.
    pub id: GatewayId,
    /// Where it is, as whoever recorded it saw it: the path of a ledger, or a URL without passwords.
    pub location: String,
    /// Orders that were decided before this time were paid at an earlier gateway. The beginning of time for the first.
    pub since: Timestamp,
}

/// The record of a store's gateway.
pub trait GatewayBinding: Send + Sync + 'static {
    /// The gateway on record; `None` before the first command that can charge.
    fn gateway(&self) -> impl Future<Output = Result<Option<GatewayRecord>, Error>> + Send;

    /// Records a gateway if the present one is `replaces`: `None` where none is on record. Returns the one that is on
    /// record afterwards. May be called by any number of processes at once; one of them wins, and all learn which.
    fn bind_gateway(
        &self,
        record: GatewayRecord,
        replaces: Option<GatewayId>,
    ) -> impl Future<Output = Result<GatewayRecord, Error>> + Send;
}
