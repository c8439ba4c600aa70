//! Who a gateway is, whether it answers, and which store it serves (rule 20).

use std::future::Future;

use uuid::Uuid;

use super::Error;
use crate::domain::GatewayId;

/// A gateway, as a store records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub id: GatewayId,
    /// Where it is: the path of the ledger, or the URL without passwords.
    pub location: String,
}

/// What a gateway says of itself.
pub trait GatewayIdentity: Send + Sync + 'static {
    /// Its name, and where it is.
    fn identity(&self) -> impl Future<Output = Result<Identity, Error>> + Send;

    /// Asks a question that changes nothing, to see whether the gateway answers.
    fn probe(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// The store whose payments it holds; `None` if it is not known, as for every gateway over HTTP.
    fn store(&self) -> impl Future<Output = Result<Option<Uuid>, Error>> + Send;

    /// Records the store, if none is on record; returns the one that is on record afterwards. A gateway that keeps no
    /// such record returns the store that was given.
    fn bind_store(&self, store: Uuid) -> impl Future<Output = Result<Uuid, Error>> + Send;
}
