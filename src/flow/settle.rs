//! Steps 9 and 10: confirm what was paid, give back what was not. The gateway is asked before anything is released.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::place_order::stored;
use super::{Failure, Flow, Placement};
use crate::domain::{Money, Order, OrderId, OrderState, Reason, Status};
use crate::inventory::{Settle, SettleAction, SettleOutcome};
use crate::payments::{Cancelled, Payments};
use crate::ports::{Error, Ports};

/// The first and the longest delay between two attempts to settle what was paid.
const SETTLE_AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

impl<P: Ports> Flow<P> {
    /// Settles a captured payment (step 10): PLACED, or FAILED with the items back and a refund recorded.
    ///
    /// The money is there, so this is repeated until the deadline; after that the sweep goes on with it.
    pub(super) async fn confirm(
        &self,
        id: OrderId,
        captured: Money,
        deadline: Instant,
    ) -> Result<Placement, Failure> {
        let mut delay = SETTLE_AGAIN.0;
        loop {
            let action = SettleAction::Confirm { captured };
            match self.settle(id, action).await {
                Ok(outcome) => return self.placement(id, outcome).await,
                Err(error) if error.is_transient() && Instant::now() + delay < deadline => {
                    tracing::debug!(%error, order_id = %id, "settling again");
                    tokio::time::sleep(self.jitter(delay)).await;
                    delay = (delay * 2).min(SETTLE_AGAIN.1);
                }
                Err(error) if error.is_transient() => {
                    return Ok(Placement::Waiting(Status::PaymentSuccess));
                }
                Err(error) => return Err(stored(id, error)),
            }
        }
    }

    /// The undo of blocking: gives the items of a BLOCK order back, after the gateway has fenced its key (rule 1).
    ///
    /// `cancel` alone decides: captured, and the order is confirmed; fenced, and it is released; no answer, and
    /// everything stays as it is.
    pub(super) async fn release(
        &self,
        order: &Order,
        reason: Reason,
    ) -> Result<Placement, Failure> {
        let id = order.order_id;
        match self.fence(id).await {
            Ok(Cancelled::Captured { amount }) => {
                let deadline = Instant::now() + self.settings().payment_timeout;
                self.confirm(id, amount, deadline).await
            }
            Ok(Cancelled::Fenced) => {
                let outcome = self
                    .settle(id, SettleAction::Release { reason })
                    .await
                    .map_err(|error| stored(id, error))?;
                self.placement(id, outcome).await
            }
            Err(error) => {
                tracing::debug!(error = %error.chain(), order_id = %id, "the gateway owes a verdict; nothing is released");
                *self.0.gateway_trouble.lock() = Some(error.chain());
                Ok(Placement::Waiting(Status::PaymentPending))
            }
        }
    }

    /// Why the gateway last left a release undone, in words.
    pub fn gateway_trouble(&self) -> Option<String> {
        self.0.gateway_trouble.lock().clone()
    }

    /// Asks the gateway to let nothing more arrive under an order's key, for as long as one payment may take.
    pub(super) async fn fence(&self, id: OrderId) -> Result<Cancelled, Error> {
        let cancel = self.ports().payments().cancel(id);
        match timeout(self.settings().payment_timeout, cancel).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(Error::outcome_unknown("cancel a charge").because(elapsed)),
        }
    }

    /// One settlement, in a transaction with those that others ask for.
    pub(super) async fn settle(
        &self,
        order_id: OrderId,
        action: SettleAction,
    ) -> Result<SettleOutcome, Error> {
        let group = match action {
            SettleAction::Confirm { .. } => &self.0.confirm,
            SettleAction::Release { .. } | SettleAction::Abandon { .. } => &self.0.release,
        };
        let submitted = group.submit(Settle { order_id, action }).await;
        let outcome = submitted.and_then(|outcome| match outcome.damage {
            None => Ok(outcome),
            Some(damage) => {
                Err(Error::permanent(format!("settle order {order_id}")).because(damage))
            }
        });
        let outcome = outcome.inspect_err(|error| self.0.damaged.note(order_id, error))?;
        self.0.decided.forget(order_id);
        if let (true, Some(order)) = (outcome.applied, &outcome.order) {
            self.0.hold_times.learn(order);
            match (order.state, order.reason) {
                (OrderState::Placed, _) => {
                    self.metrics().placed.inc();
                }
                (OrderState::Failed, Some(reason)) => {
                    self.metrics().failed.get_or_create(&reason.into()).inc();
                }
                _ => {}
            }
        }
        Ok(outcome)
    }

    async fn placement(&self, id: OrderId, outcome: SettleOutcome) -> Result<Placement, Failure> {
        match outcome.order {
            Some(order) => Ok(self.told(&order).await),
            None => Err(Failure::UnknownOrder { order_id: id }),
        }
    }
}
