//! One store, one gateway (rule 20): a store and the gateway that vouches for its payments know each other, and a stranger
//! is refused before anything is bought.

use uuid::Uuid;

use crate::domain::{GatewayId, Timestamp};
use crate::inventory::{Auditing, GatewayBinding, GatewayRecord, LOCATION_CHARS_MAX};
use crate::payments::{GatewayIdentity, Identity};
use crate::ports::Error;

/// Why store and gateway do not belong together.
#[derive(Debug, thiserror::Error)]
pub enum Mismatch {
    /// The store's payments are at another gateway.
    #[error(
        "the payments of store {store} are at {} ({}); use that one with {}, or move the store to this one with `oms migrate --adopt-gateway`",
        .recorded.id, .recorded.location, url_of(.recorded)
    )]
    Gateway {
        /// The store.
        store: Uuid,
        /// The gateway that it records.
        recorded: GatewayRecord,
    },
    /// The ledger holds the payments of another store.
    #[error(
        "its ledger holds the payments of store {recorded}, not of store {store}; use another ledger with \
         --payment-url 'simulated:?ledger=PATH', or the URL of the other store"
    )]
    Store {
        /// The store.
        store: Uuid,
        /// The store that the ledger records.
        recorded: Uuid,
    },
}

/// How to name a recorded gateway on the command line.
fn url_of(record: &GatewayRecord) -> String {
    if record.id.as_str().starts_with("simulated:") {
        format!("--payment-url 'simulated:?ledger={}'", record.location)
    } else {
        format!("--payment-url '{}'", record.location)
    }
}

impl Mismatch {
    fn of(self, own: &Identity) -> Error {
        let (id, location) = (&own.id, &own.location);
        Error::permanent(format!("use the payment gateway {id} ({location})")).because(self)
    }
}

/// Whether an error says that store and gateway do not belong together.
pub fn is_mismatch(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<Mismatch>)
}

/// Makes sure that the store records no other gateway, and the gateway no other store. Writes nothing.
///
/// # Errors
/// [`Mismatch`], or what kept one of them from being read.
pub async fn check_gateway<I, G>(inventory: &I, gateway: &G) -> Result<Option<GatewayRecord>, Error>
where
    I: Auditing + GatewayBinding,
    G: GatewayIdentity,
{
    let own = gateway.identity().await?;
    let recorded = inventory.gateway().await?;
    let store = inventory.store_id().await?;
    if let Some(recorded) = &recorded
        && recorded.id != own.id
    {
        let recorded = recorded.clone();
        return Err(Mismatch::Gateway { store, recorded }.of(&own));
    }
    check_store(store, gateway.store().await?, &own)?;
    Ok(recorded)
}

fn check_store(store: Uuid, recorded: Option<Uuid>, own: &Identity) -> Result<(), Error> {
    match recorded {
        Some(recorded) if recorded != store => Err(Mismatch::Store { store, recorded }.of(own)),
        _ => Ok(()),
    }
}

/// Records store and gateway with each other, unless they are already: to be called before anything is bought. Any
/// number of processes may do so at once; those with another gateway than the first are refused.
///
/// # Errors
/// As [`check_gateway`].
pub async fn bind_gateway<I, G>(inventory: &I, gateway: &G) -> Result<(), Error>
where
    I: Auditing + GatewayBinding,
    G: GatewayIdentity,
{
    let recorded = check_gateway(inventory, gateway).await?;
    let store = inventory.store_id().await?;
    let own = gateway.identity().await?;
    if recorded.is_none() {
        let record = record_of(&own, Timestamp::from_millis(i64::MIN));
        let recorded = inventory.bind_gateway(record, None).await?;
        if recorded.id != own.id {
            return Err(Mismatch::Gateway { store, recorded }.of(&own));
        }
    }
    // Last: a gateway that the store refuses must not remember it.
    let served = gateway.bind_store(store).await?;
    check_store(store, Some(served), &own)
}

/// Moves a store to another gateway. Orders decided before `now` count as paid at the earlier one. Returns what was
/// recorded before.
///
/// # Errors
/// When the gateway's ledger holds the payments of another store, another process moved the store meanwhile, or one of
/// them does not answer.
pub async fn adopt_gateway<I, G>(
    inventory: &I,
    gateway: &G,
    now: Timestamp,
) -> Result<Option<GatewayRecord>, Error>
where
    I: Auditing + GatewayBinding,
    G: GatewayIdentity,
{
    let own = gateway.identity().await?;
    let store = inventory.store_id().await?;
    check_store(store, gateway.store().await?, &own)?;
    let before = inventory.gateway().await?;
    let replaces: Option<GatewayId> = before.as_ref().map(|record| record.id.clone());
    if replaces.as_ref() != Some(&own.id) {
        let since = match before {
            Some(_) => now,
            None => Timestamp::from_millis(i64::MIN),
        };
        let recorded = inventory
            .bind_gateway(record_of(&own, since), replaces)
            .await?;
        if recorded.id != own.id {
            return Err(Mismatch::Gateway { store, recorded }.of(&own));
        }
    }
    let served = gateway.bind_store(store).await?;
    check_store(store, Some(served), &own)?;
    Ok(before)
}

fn record_of(own: &Identity, since: Timestamp) -> GatewayRecord {
    GatewayRecord {
        id: own.id.clone(),
        location: own.location.chars().take(LOCATION_CHARS_MAX).collect(),
        since,
    }
}
