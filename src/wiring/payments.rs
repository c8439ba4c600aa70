//! The payment gateway, whichever it is.

use uuid::Uuid;

use crate::clock::SystemClock;
use crate::domain::{Money, OrderId};
use crate::payments::http::HttpPayments;
use crate::payments::simulated::Simulated;
use crate::payments::{
    Attempt, Cancelled, Charge, ChargeRecord, GatewayIdentity, Identity, LedgerEntry, LedgerQuery,
    Payments, Verdict,
};
use crate::ports::Error;

/// One of the gateways. Every call is passed on as it is.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one in a process")]
pub enum AnyPayments {
    /// The simulated one.
    Simulated(Simulated<SystemClock>),
    /// One that is spoken to over HTTP.
    Http(HttpPayments),
}

macro_rules! pass_on {
    ($any:expr, $inner:ident => $call:expr) => {
        match $any {
            Self::Simulated($inner) => $call,
            Self::Http($inner) => $call,
        }
    };
}

impl Payments for AnyPayments {
    async fn charge(&self, charge: Charge) -> Result<Verdict, Error> {
        pass_on!(self, inner => inner.charge(charge).await)
    }

    async fn lookup(&self, id: OrderId) -> Result<Option<Verdict>, Error> {
        pass_on!(self, inner => inner.lookup(id).await)
    }

    async fn record(&self, id: OrderId) -> Result<Option<ChargeRecord>, Error> {
        pass_on!(self, inner => inner.record(id).await)
    }

    async fn cancel(&self, id: OrderId) -> Result<Cancelled, Error> {
        pass_on!(self, inner => inner.cancel(id).await)
    }

    async fn refund(&self, id: OrderId, amount: Money) -> Result<(), Error> {
        pass_on!(self, inner => inner.refund(id, amount).await)
    }

    async fn attempts(&self, id: OrderId) -> Result<Vec<Attempt>, Error> {
        pass_on!(self, inner => inner.attempts(id).await)
    }

    async fn ledger(&self, query: LedgerQuery) -> Result<Option<Vec<LedgerEntry>>, Error> {
        pass_on!(self, inner => inner.ledger(query).await)
    }
}

impl GatewayIdentity for AnyPayments {
    async fn identity(&self) -> Result<Identity, Error> {
        pass_on!(self, inner => inner.identity().await)
    }

    async fn probe(&self) -> Result<(), Error> {
        pass_on!(self, inner => inner.probe().await)
    }

    async fn store(&self) -> Result<Option<Uuid>, Error> {
        pass_on!(self, inner => inner.store().await)
    }

    async fn bind_store(&self, store: Uuid) -> Result<Uuid, Error> {
        pass_on!(self, inner => inner.bind_store(store).await)
    }
}
