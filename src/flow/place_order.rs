//! Steps 4 to 6: wait for BLOCK or FAILED; give up after the full time, and write that down.

use std::time::Duration;

use tokio::time::Instant;

use super::{Expected, Failure, Flow, Placement};
use crate::domain::{CartHash, Order, OrderId, OrderState, Reason, Status};
use crate::inventory::SettleAction;
use crate::payments::Cancelled;
use crate::ports::{Error, Ports};
use crate::queue::{Mark, Queue};

/// How often a waiter reads the database, whatever the status store says (rule 8).
const REREAD_EVERY: Duration = Duration::from_secs(1);

/// An order that nobody knows counts as INIT for at least this long (rule 3).
const UNKNOWN_WAIT_MIN: Duration = Duration::from_secs(2);

/// Below the rank of every status: a wait for a status above it ends with any entry.
const RANK_OF_MISSING: u8 = 0;

/// What a look at an order showed.
enum Seen {
    Decided(Order),
    Undecided {
        cart_hash: Option<CartHash>,
        /// The store says more than the database knows: it was rolled back, or the database failed over.
        ahead: bool,
        paid: bool,
    },
    Unknown,
}

/// The look-up of one order, repeated until a store knows it or the queue cannot hold it any more.
struct Search {
    id: OrderId,
    began: Instant,
    /// Where the queue ended when the order was first not found.
    end: Option<Mark>,
}

impl Search {
    fn new(id: OrderId) -> Self {
        Self {
            id,
            began: Instant::now(),
            end: None,
        }
    }

    /// Waits up to a second for a status of a rank above `above`, and then reads the database.
    ///
    /// [`Failure::UnknownOrder`] once everything that was in the queue at the first look is consumed (rule 3).
    async fn look<P: Ports>(
        &mut self,
        flow: &Flow<P>,
        above: u8,
        deadline: Instant,
    ) -> Result<(Seen, Instant), Failure> {
        let Self { id, began, .. } = *self;
        let slice = deadline.min(Instant::now() + REREAD_EVERY);
        // Read before the database is: what was consumed by then would be found there.
        let consumed = match &self.end {
            Some(mark) => flow.ports().queue().consumed(mark).await.unwrap_or(false),
            None => false,
        };
        let seen = flow.look(id, above, slice).await;
        let seen = seen.map_err(|source| stored(id, source))?;
        if matches!(seen, Seen::Unknown) {
            if consumed && began.elapsed() >= UNKNOWN_WAIT_MIN {
                return Err(Failure::UnknownOrder { order_id: id });
            }
            if self.end.is_none() {
                self.end = flow.ports().queue().end().await.ok();
            }
        }
        Ok((seen, slice))
    }
}

impl<P: Ports> Flow<P> {
    /// Steps 4 to 10: waits for the decision, pays, settles. An order that is not the one `expected` is not charged.
    /// May be called any number of times, at once or later. Returns `Waiting` while a payment's
    /// result is unknown, while the ports do not answer, and for an id that no store came to know during the whole
    /// wait.
    ///
    /// # Errors
    /// [`Failure::UnknownOrder`], [`Failure::CartMismatch`], [`Failure::CustomerMismatch`], or [`Failure::Port`] when
    /// the database did not answer.
    pub async fn place_order(
        &self,
        id: OrderId,
        expected: impl Into<Expected>,
    ) -> Result<Placement, Failure> {
        let expected = expected.into();
        let deadline = Instant::now() + self.settings().wait;
        self.place_order_by(id, expected, deadline).await
    }

    /// [`Flow::place_order`] with the end of the wait for a decision, for a caller that has waited before.
    ///
    /// # Errors
    /// Those of [`Flow::place_order`].
    pub async fn place_order_by(
        &self,
        id: OrderId,
        expected: Expected,
        deadline: Instant,
    ) -> Result<Placement, Failure> {
        let Some(order) = self.decided(id, expected.cart_hash, deadline).await? else {
            return Ok(Placement::Waiting(Status::Init));
        };
        expected.check(&order)?;
        match order.state {
            OrderState::Blocked => self.pay(order, deadline).await,
            OrderState::Placed | OrderState::Failed => Ok(self.told(&order).await),
        }
    }

    /// Whether the status store or the database knows an order. A status store that does not answer proves nothing:
    /// then every undecided order would be unknown, so this answers true.
    ///
    /// # Errors
    /// [`Failure::Port`] when the database did not answer.
    pub async fn is_known(&self, id: OrderId) -> Result<bool, Failure> {
        match self.status_of(id).await {
            Ok(None) => {
                let order = self.order_of(id).await;
                Ok(order.map_err(|source| stored(id, source))?.is_some())
            }
            Ok(Some(_)) | Err(_) => Ok(true),
        }
    }

    /// Waits until the status store or the database knows an order; false if neither does by the deadline. Changes
    /// nothing, so that it may be dropped at any time.
    ///
    /// # Errors
    /// [`Failure::UnknownOrder`] as soon as the queue cannot hold it any more; [`Failure::Port`] when the database did
    /// not answer.
    pub async fn until_known(&self, id: OrderId, deadline: Instant) -> Result<bool, Failure> {
        let mut search = Search::new(id);
        loop {
            let (seen, _) = search.look(self, RANK_OF_MISSING, deadline).await?;
            if !matches!(seen, Seen::Unknown) {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
        }
    }

    /// Waits until the database has decided the order, at most until the deadline; then decides it itself. None if no
    /// store knew the order by then: whether there is one is not known, so nothing is written (rule 3).
    async fn decided(
        &self,
        id: OrderId,
        expected: Option<CartHash>,
        deadline: Instant,
    ) -> Result<Option<Order>, Failure> {
        let mut search = Search::new(id);
        let (mut is_known, mut maybe_paid) = (false, false);
        let mut cart_hash = expected;
        loop {
            let (seen, slice) = search.look(self, Status::Init.rank(), deadline).await?;
            match seen {
                Seen::Decided(order) => return Ok(Some(order)),
                Seen::Undecided {
                    cart_hash: known,
                    ahead,
                    paid,
                } => {
                    if ahead {
                        // Do not spin on it.
                        tokio::time::sleep_until(slice).await;
                    }
                    is_known = true;
                    maybe_paid |= paid;
                    cart_hash = known.or(cart_hash);
                }
                Seen::Unknown => {}
            }
            if Instant::now() >= deadline {
                if !is_known {
                    return Ok(None);
                }
                return self
                    .write_off(id, Reason::GaveUp, cart_hash, maybe_paid)
                    .await
                    .map(Some);
            }
        }
    }

    /// Waits for a status above a rank until `until`, by the status store, and then reads the database, unless the
    /// order was decided here.
    async fn look(&self, id: OrderId, above: u8, until: Instant) -> Result<Seen, Error> {
        if let Some(order) = self.0.decided.take(id) {
            return Ok(Seen::Decided(order));
        }
        let entry = match self.wait_for_status(id, above, until).await {
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
            Some(entry) => Seen::Undecided {
                cart_hash: entry.cart_hash,
                ahead: entry.status != Status::Init,
                paid: entry.status.rank() >= Status::PaymentPending.rank(),
            },
            None => Seen::Unknown,
        })
    }

    /// The undo of accepting a cart that nobody has decided: a tombstone, which excludes a late reserve (rule 3). An order
    /// that is decided by then stays as it is.
    ///
    /// Where the status store remembers a payment, the database has lost the order: the gateway is asked, and what was
    /// captured is owed (rule 2).
    pub(super) async fn write_off(
        &self,
        id: OrderId,
        reason: Reason,
        cart_hash: Option<CartHash>,
        maybe_paid: bool,
    ) -> Result<Order, Failure> {
        let mut action = SettleAction::Abandon {
            reason,
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
            .map_err(|source| stored(id, source))?;
        outcome
            .order
            .ok_or_else(|| stored(id, Error::permanent("write an order off")))
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

/// A port that did not answer.
pub(super) fn port(order_id: OrderId, source: Error) -> Failure {
    Failure::Port { order_id, source }
}

/// The failure to read or settle an order in the database: what it refuses for good is damaged (rule 18).
pub(super) fn stored(order_id: OrderId, source: Error) -> Failure {
    if source.is_transient() {
        Failure::Port { order_id, source }
    } else {
        Failure::Damaged { order_id, source }
    }
}
