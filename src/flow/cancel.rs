//! The buyer's own undo: cancels an order that is not paid for.

use tokio::time::Instant;

use super::{CancelOutcome, Expected, Failure, Flow, Found, Placement};
use crate::domain::{OrderId, OrderState, Reason, Status};
use crate::ports::Ports;

impl<P: Ports> Flow<P> {
    /// Cancels an order that is not paid for. Where a charge may have begun the gateway is asked first (rule 1).
    ///
    /// An order that is accepted and not decided yet is written off at once: whoever reserves it later finds that it has
    /// failed. An id that nobody knows while carts are still undecided is not, since anybody can make ids up; nothing is
    /// promised then (rule 3).
    ///
    /// # Errors
    /// [`Failure::UnknownOrder`]; [`Failure::NotKnownYet`]; [`Failure::Damaged`]; or [`Failure::Port`] when the database
    /// did not answer.
    pub async fn cancel(&self, id: OrderId) -> Result<CancelOutcome, Failure> {
        self.cancel_expected(id, Expected::default()).await
    }

    /// Cancels an order as [`Flow::cancel`] does, unless it is not the one `expected`. If a customer is expected, an
    /// order that is not decided yet stays as it is.
    ///
    /// # Errors
    /// As [`Flow::cancel`], and [`Failure::CartMismatch`] or [`Failure::CustomerMismatch`].
    pub async fn cancel_expected(
        &self,
        id: OrderId,
        expected: impl Into<Expected>,
    ) -> Result<CancelOutcome, Failure> {
        let expected = expected.into();
        let view = match self.find(id).await? {
            Found::Order(view) => view,
            Found::Unknown { backlog: 0 } => return Err(Failure::UnknownOrder { order_id: id }),
            Found::Unknown { backlog } => {
                return Err(Failure::NotKnownYet {
                    order_id: id,
                    backlog,
                });
            }
        };
        let order = match view.order {
            Some(order) => order,
            // Whose it is will be known when it is decided: it must not fail at the word of somebody else.
            None if expected.customer.is_some() => {
                return Ok(CancelOutcome::Undecided(view.status));
            }
            None => {
                let maybe_paid = self.maybe_paid(id).await;
                // The worker may have been faster: then this is the order that it decided.
                self.write_off(id, Reason::Cancelled, view.cart_hash, maybe_paid)
                    .await?
            }
        };
        expected.check(&order)?;
        let placement = match order.state {
            OrderState::Blocked => self.release(&order, Reason::Cancelled).await?,
            OrderState::Placed | OrderState::Failed => self.told(&order).await,
        };
        Ok(match placement {
            Placement::Placed => CancelOutcome::Placed,
            Placement::Failed(reason) => CancelOutcome::Failed(reason),
            Placement::Waiting(status) => CancelOutcome::Undecided(status),
        })
    }

    /// Whether an order that the database does not know may have been paid for: unless the status store says that no
    /// charge was begun, the gateway has to tell.
    async fn maybe_paid(&self, id: OrderId) -> bool {
        match self.status_of(id).await {
            Ok(Some(entry)) => entry.status.rank() >= Status::PaymentPending.rank(),
            Ok(None) | Err(_) => true,
        }
    }

    /// Where an order stands. An id that nobody knows is looked for up to 2 s, since its cart may be in the queue.
    ///
    /// # Errors
    /// [`Failure::Damaged`], or [`Failure::Port`] when the database did not answer.
    pub async fn find(&self, id: OrderId) -> Result<Found, Failure> {
        super::find::find(self, id, Instant::now()).await
    }
}
