//! A payment gateway for tests and storms: it keeps a durable ledger, and misbehaves as its URL says.
//!
//! Charges take the latency that was drawn for them, one half before they reach the ledger and one half after; all
//! else is answered at once. During an outage nothing is answered, and nothing done; what administrators ask (attempts,
//! the ledger) always is.

mod draw;
mod identity;
mod ledger;
mod profile;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

pub use profile::{Profile, ProfileError};

use super::{
    Attempt, Cancelled, Charge, ChargeRecord, LedgerEntry, LedgerQuery, Payments, Verdict,
};
use crate::domain::{Money, OrderId};
use crate::group::Group;
use crate::ports::{Clock, Error};
use crate::sqlite::Store;
use draw::Outcome;
use ledger::{Charged, Refunded};

/// The simulated gateway. Processes that share its file share its ledger.
#[derive(Debug)]
pub struct Simulated<C> {
    store: Arc<Store>,
    profile: Arc<Profile>,
    clock: Arc<C>,
    /// When this process first called it: outages count from then.
    first_call: OnceLock<Instant>,
    /// Charges of many buyers share a job of the store's writer; started with the first charge.
    charges: OnceLock<Group<Charge, Charged>>,
}

/// The most charges of one job.
const CHARGES_MAX: usize = 1_000;

impl<C: Clock> Simulated<C> {
    /// The gateway with the ledger in a store that was opened with [`crate::sqlite::Scope::Payments`].
    ///
    /// # Errors
    /// When the store cannot be read or has no ledger.
    pub fn open(store: Arc<Store>, profile: Profile, clock: C) -> Result<Self, Error> {
        store.read("open the ledger", |connection| {
            ledger::list(connection, &LedgerQuery::after(None, 1))
        })?;
        Ok(Self {
            store,
            profile: Arc::new(profile),
            clock: Arc::new(clock),
            first_call: OnceLock::new(),
            charges: OnceLock::new(),
        })
    }

    /// Whether the gateway answers: not during its outage.
    ///
    /// # Errors
    /// That it does not, and that nothing was done.
    fn answers(&self, what: impl FnOnce() -> String) -> Result<(), Error> {
        if self.profile.outage.is_none() {
            return Ok(());
        }
        let since = self.first_call.get_or_init(Instant::now).elapsed();
        if self.profile.is_away(since) {
            return Err(Error::unavailable(what()).because(Refused::Away));
        }
        Ok(())
    }

    /// Makes a charge, in a transaction with those that others make.
    async fn enter(&self, charge: Charge) -> Result<Charged, Error> {
        let charges = self.charges.get_or_init(|| {
            let (store, profile, clock) = (
                Arc::clone(&self.store),
                Arc::clone(&self.profile),
                Arc::clone(&self.clock),
            );
            Group::start(CHARGES_MAX, move |charges: Vec<Charge>| {
                let (store, profile, clock) =
                    (Arc::clone(&store), Arc::clone(&profile), Arc::clone(&clock));
                async move {
                    store
                        .write(
                            format!("charge {} orders", charges.len()),
                            move |connection| {
                                ledger::charge(connection, &profile, &charges, clock.now())
                            },
                        )
                        .await
                }
            })
        });
        charges.submit(charge).await
    }

    /// How long the charge is on its way to the gateway: half of its latency.
    fn time_to_arrive(&self, charge: &Charge) -> Result<Duration, Error> {
        if self.profile.latency_max.is_zero() {
            return Ok(Duration::ZERO);
        }
        let draw = self.store.read("look up a charge", |connection| {
            ledger::foresee(connection, &self.profile, charge)
        })?;
        Ok(draw.map_or(Duration::ZERO, |draw| draw.latency / 2))
    }
}

impl<C: Clock> Payments for Simulated<C> {
    async fn charge(&self, charge: Charge) -> Result<Verdict, Error> {
        let id = charge.order_id;
        let amount = charge.amount;
        self.answers(|| format!("charge order {id}"))?;
        let arriving = self.time_to_arrive(&charge)?;
        sleep(arriving).await;
        let charged = self.enter(charge).await?;
        let draw = match charged {
            Charged::Before(verdict) => return Ok(verdict),
            Charged::Conflict => {
                return Err(Error::permanent(format!("charge order {id}")).because(Refused::Charge));
            }
            Charged::Now(draw) => draw,
        };
        sleep(draw.latency.saturating_sub(arriving)).await;
        match draw.outcome {
            Outcome::Captured => Ok(Verdict::Captured { amount }),
            Outcome::Declined => Ok(ledger::declined(ledger::DECLINE)),
            Outcome::TimedOut | Outcome::AnswerLost => {
                Err(Error::outcome_unknown(format!("charge order {id}")).because(Refused::NoAnswer))
            }
        }
    }

    async fn lookup(&self, id: OrderId) -> Result<Option<Verdict>, Error> {
        self.answers(|| format!("look up the charge of order {id}"))?;
        self.store.read("look up a charge", |connection| {
            ledger::lookup(connection, id)
        })
    }

    async fn record(&self, id: OrderId) -> Result<Option<ChargeRecord>, Error> {
        self.answers(|| format!("look up the charge of order {id}"))?;
        self.store.read("look up a charge", |connection| {
            ledger::record(connection, id)
        })
    }

    async fn cancel(&self, id: OrderId) -> Result<Cancelled, Error> {
        self.answers(|| format!("cancel the charge of order {id}"))?;
        let clock = Arc::clone(&self.clock);
        self.store
            .write("cancel a charge", move |connection| {
                ledger::cancel(connection, id, clock.now())
            })
            .await
    }

    async fn refund(&self, id: OrderId, amount: Money) -> Result<(), Error> {
        self.answers(|| format!("refund order {id}"))?;
        let clock = Arc::clone(&self.clock);
        let refunded = self
            .store
            .write("refund an order", move |connection| {
                ledger::refund(connection, id, amount, clock.now())
            })
            .await?;
        let refused = match refunded {
            Refunded::Done => return Ok(()),
            Refunded::NotCaptured => Refused::NotCaptured,
            Refunded::TooMuch(captured) => Refused::TooMuch { captured },
            Refunded::Conflict(refunded) => Refused::Refund { refunded },
        };
        Err(Error::permanent(format!("refund {amount} of order {id}")).because(refused))
    }

    async fn attempts(&self, id: OrderId) -> Result<Vec<Attempt>, Error> {
        self.store.read("list attempts to charge", |connection| {
            ledger::attempts(connection, id)
        })
    }

    async fn ledger(&self, query: LedgerQuery) -> Result<Option<Vec<LedgerEntry>>, Error> {
        self.store
            .read("list the ledger", |connection| {
                ledger::list(connection, &query)
            })
            .map(Some)
    }
}

/// Sleeps, without touching the timer for nothing.
async fn sleep(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

/// Why the gateway did not do it.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the gateway did not answer")]
    NoAnswer,
    #[error("the gateway is away")]
    Away,
    #[error("its key was used with another customer or amount")]
    Charge,
    #[error("nothing was captured under its key")]
    NotCaptured,
    #[error("only {captured} was captured")]
    TooMuch { captured: Money },
    #[error("{refunded} was refunded before")]
    Refund { refunded: Money },
}
