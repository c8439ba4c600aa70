//! Steps 4 to 6: wait for BLOCK or FAILED; give up after the full time, and write that down.

use std::time::Duration;

use tokio::time::Instant;

use super::{Failure, Flow, Placement};
use crate::domain::{CartHash, Order, OrderId, OrderState, Reason, Status};
use crate::inventory::SettleAction;
use crate::payments::Cancelled;
use crate::ports::{Error, Ports};
use crate::queue::{Mark, Queue};

/// How often a waiter reads the database, whatever the status store says (rule 8).
const REREAD_EVERY: Duration = Duration::from_secs(1);

/// An order that nobody knows counts as INIT for at least this long (rule 3).
const UNKNOWN_WAIT_MIN: Duration = Duration::from_secs(2);

/// What is known of an order that was to be decided.
enum Seen {
    Decided(Order),
    Undecided {
        cart_hash: Option<CartHash>,
        paid: bool,
    },
    Unknown,
}

impl<P: Ports> Flow<P> {
    /// Steps 4 to 10: waits for the decision, pays, settles. With `expected`, an order that stands for another cart
    /// is not charged. May be called any number of times, at once or later. Returns `Waiting` only while a payment's
    /// result is unknown, or while the ports do not answer.
    ///
    /// # Errors
    /// [`Failure::UnknownOrder`], [`Failure::CartMismatch`], or [`Failure::Port`] when the database did not answer.
    pub async fn place_order(
        &self,
        id: OrderId,
        expected: Option<CartHash>,
    ) -> Result<Placement, Failure> {
        let deadline = Instant::now() + self.settings().wait;
        let order = self.decided(id, expected, deadline).await?;
        if expected.is_some_and(|hash| order.cart_hash.is_some_and(|known| known != hash)) {
            return Err(Failure::CartMismatch { order_id: id });
        }
        match order.state {
            OrderState::Blocked => self.pay(order, deadline).await,
            OrderState::Placed | OrderState::Failed => Ok(self.told(&order).await),
        }
    }

    /// Waits until the database has decided the order, at most until the deadline; then decides it itself.
    async fn decided(
        &self,
        id: OrderId,
        expected: Option<CartHash>,
        deadline: Instant,
    ) -> Result<Order, Failure> {
        let arrived = Instant::now();
        let mut end: Option<Mark> = None;
        let mut maybe_paid = false;
        loop {
            let slice = deadline.min(Instant::now() + REREAD_EVERY);
            // Read before the database is: what was consumed by then would be found there.
            let consumed = match &end {
                Some(mark) => self.ports().queue().consumed(mark).await.unwrap_or(false),
                None => false,
            };
            let cart_hash = match self
                .look(id, slice)
                .await
                .map_err(|source| port(id, source))?
            {
                Seen::Decided(order) => return Ok(order),
                Seen::Undecided { cart_hash, paid } => {
                    maybe_paid |= paid;
                    cart_hash
                }
                Seen::Unknown if consumed && arrived.elapsed() >= UNKNOWN_WAIT_MIN => {
                    return Err(Failure::UnknownOrder { order_id: id });
                }
                Seen::Unknown => {
                    if end.is_none() {
                        end = self.ports().queue().end().await.ok();
                    }
                    None
                }
            };
            if Instant::now() >= deadline {
                return self.give_up(id, cart_hash.or(expected), maybe_paid).await;
            }
        }
    }

    /// Waits for a decision until `until`, by the status store, and then reads the database, unless it was decided here.
    async fn look(&self, id: OrderId, until: Instant) -> Result<Seen, Error> {
        if let Some(order) = self.0.decided.take(id) {
            return Ok(Seen::Decided(order));
        }
        let entry = match self.wait_for_status(id, Status::Init.rank(), until).await {
            Ok(entry) => entry,
            Err(error) => {
                // Without the status store the database alone is asked, as often as otherwise.
                tracing::debug!(%error, order_id = %id, "cannot wait for a status");
                tokio::time::sleep_until(until).await;
                None
            }
        };
        if let Some(order) = self.0.decided.take(id) {
            return Ok(Seen::Decided(order));
        }
        if let Some(order) = self.order_of(id).await? {
            return Ok(Seen::Decided(order));
        }
        Ok(match entry {
            Some(entry) => {
                if entry.status != Status::Init {
                    // The store says more than the database knows: it was rolled back, or the database failed over.
                    // Do not spin on it.
                    tokio::time::sleep_until(until).await;
                }
                Seen::Undecided {
                    cart_hash: entry.cart_hash,
                    paid: entry.status.rank() >= Status::PaymentPending.rank(),
                }
            }
            None => Seen::Unknown,
        })
    }

    /// The undo of accepting a cart that nobody decided in time: a tombstone, which excludes a late reserve (rule 3).
    ///
    /// Where the status store remembers a payment, the database has lost the order: the gateway is asked, and what was
    /// captured is owed (rule 2).
    async fn give_up(
        &self,
        id: OrderId,
        cart_hash: Option<CartHash>,
        maybe_paid: bool,
    ) -> Result<Order, Failure> {
        let mut action = SettleAction::Abandon {
            reason: Reason::GaveUp,
            customer: None,
            cart_hash,
        };
        if maybe_paid
            && let Cancelled::Captured { amount } =
                self.fence(id).await.map_err(|source| port(id, source))?
        {
            action = SettleAction::Confirm { captured: amount };
        }
        let outcome = self
            .settle(id, action)
            .await
            .map_err(|source| port(id, source))?;
        outcome
            .order
            .ok_or_else(|| port(id, Error::permanent("give up an order")))
    }

    /// What a client is told of an order that is final, after making sure that the status store says so, too.
    pub(super) async fn told(&self, order: &Order) -> Placement {
        let (status, reason) = (order.state.status(), order.reason);
        if status.is_final() {
            let healed = self.advance(order.order_id, status, reason, order.cart_hash);
            if let Err(error) = self.write_status(healed).await {
                tracing::debug!(%error, order_id = %order.order_id, "the status is behind the database");
            }
        }
        match order.state {
            OrderState::Placed => Placement::Placed,
            // A failed order always has a reason; the database's audit checks it.
            OrderState::Failed => Placement::Failed(reason.unwrap_or(Reason::Cancelled)),
            OrderState::Blocked => Placement::Waiting(status),
        }
    }
}

pub(super) fn port(order_id: OrderId, source: Error) -> Failure {
    Failure::Port { order_id, source }
}
