//! The buyer's own undo: cancels an order that is not paid for.

use tokio::time::Instant;

use super::place_order::port;
use super::{CancelOutcome, Failure, Flow, Found, Placement};
use crate::domain::{OrderId, OrderState, Reason, Status};
use crate::ports::Ports;

impl<P: Ports> Flow<P> {
    /// Cancels an order that is not paid for. The gateway is asked first (rule 1).
    ///
    /// An order that is not decided yet stays as it is: only giving up after the full wait writes a tombstone
    /// (rule 3).
    ///
    /// # Errors
    /// [`Failure::UnknownOrder`], or [`Failure::Port`] when the database did not answer.
    pub async fn cancel(&self, id: OrderId) -> Result<CancelOutcome, Failure> {
        let view = match self.find(id).await? {
            Found::Order(view) => view,
            Found::Unknown { backlog: 0 } => return Err(Failure::UnknownOrder { order_id: id }),
            Found::Unknown { .. } => return Ok(CancelOutcome::Undecided(Status::Init)),
        };
        let Some(order) = view.order else {
            return Ok(CancelOutcome::Undecided(view.status));
        };
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

    /// Where an order stands. An id that nobody knows is looked for up to 2 s, since its cart may be in the queue.
    ///
    /// # Errors
    /// [`Failure::Port`] when the database did not answer.
    pub async fn find(&self, id: OrderId) -> Result<Found, Failure> {
        super::find::find(self, id, Instant::now())
            .await
            .map_err(|source| port(id, source))
    }
}
