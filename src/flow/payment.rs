//! Steps 7 and 8: one charge per order, whoever pays; its outcome is found out, never assumed.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Failure, Flow, Placement};
use crate::domain::{Money, Order, OrderState, Reason, Status};
use crate::payments::{Charge, Payments, Verdict};
use crate::ports::{Error, Ports};
use crate::statuses::{StatusEntry, Transitioned};

/// The first and the longest delay between two questions about an unknown payment.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What a gateway has decided.
enum Outcome {
    Captured(Money),
    /// Declined, or refused for good. What counts is what `cancel` answers (rule 1).
    Declined,
    /// No charge may be begun any more, and none is known.
    OutOfTime,
    /// Not known by the caller's deadline.
    Unknown,
}

/// Who may charge.
enum Turn {
    Mine,
    Over(Order),
    Waiting(Status),
}

impl<P: Ports> Flow<P> {
    /// Pays a BLOCK order and settles it.
    pub(super) async fn pay(&self, order: Order, deadline: Instant) -> Result<Placement, Failure> {
        if !self.time_to_charge(&order) {
            return self.release(&order, Reason::Expired).await;
        }
        match self.take_turn(&order, deadline).await? {
            Turn::Mine => {}
            Turn::Over(order) => return Ok(self.told(&order).await),
            Turn::Waiting(status) => return Ok(Placement::Waiting(status)),
        }
        match self.find_outcome(&order, deadline).await {
            Outcome::Captured(amount) => {
                // Neither waits for the other: whichever status is written last, the rank decides.
                let noted = self.note(&order, Status::PaymentSuccess);
                let confirmed = self.confirm(order.order_id, amount, deadline);
                tokio::join!(noted, confirmed).1
            }
            Outcome::Declined => {
                self.note(&order, Status::PaymentFailed).await;
                self.release(&order, Reason::Declined).await
            }
            Outcome::OutOfTime => self.release(&order, Reason::Expired).await,
            Outcome::Unknown => Ok(Placement::Waiting(Status::PaymentPending)),
        }
    }

    /// Whether enough of the hold is left for a charge to end before it does (rule 15).
    fn time_to_charge(&self, order: &Order) -> bool {
        order.hold_until.since(self.now()) >= self.settings().payment_timeout
    }

    /// Becomes the one who pays, or waits for whoever does; takes over from one that is silent for too long.
    ///
    /// Ownership only saves work: the idempotency key keeps the charge single (rule 15).
    async fn take_turn(&self, order: &Order, deadline: Instant) -> Result<Turn, Failure> {
        let id = order.order_id;
        let pending = self.advance(id, Status::PaymentPending, None, order.cart_hash);
        let present = match self.write_status(pending).await {
            Ok(Transitioned::Refused(Some(present))) => present,
            Ok(_) => return Ok(Turn::Mine),
            Err(error) => {
                tracing::debug!(%error, order_id = %id, "paying without owning the payment");
                return Ok(Turn::Mine);
            }
        };
        let take_over = Instant::now() + self.silence_left(&present);
        loop {
            let now = Instant::now();
            if now >= take_over {
                return Ok(Turn::Mine);
            }
            if now >= deadline {
                return Ok(Turn::Waiting(present.status));
            }
            let slice = take_over.min(deadline).min(now + Duration::from_secs(1));
            let final_rank = Status::Placed.rank() - 1;
            let woken = self.wait_for_status(id, final_rank, slice).await;
            match self
                .order_of(id)
                .await
                .map_err(|source| super::place_order::stored(id, source))?
            {
                Some(order) if order.state != OrderState::Blocked => return Ok(Turn::Over(order)),
                _ if woken.is_err() => tokio::time::sleep_until(slice).await,
                // A final status that the database does not share: it was rolled back, or failed over.
                _ if woken
                    .is_ok_and(|entry| entry.is_some_and(|entry| entry.status.is_final())) =>
                {
                    return Ok(Turn::Mine);
                }
                _ => {}
            }
        }
    }

    /// How long whoever wrote this may still be at it. The clock may have stepped: never longer than one payment.
    fn silence_left(&self, present: &StatusEntry) -> Duration {
        let limit = self.settings().payment_timeout;
        limit.saturating_sub(self.now().since(present.at))
    }

    /// Charges, and asks until it is known what came of it: at once, then every 50 ms to 1 s.
    async fn find_outcome(&self, order: &Order, deadline: Instant) -> Outcome {
        let mut delay = ASK_AGAIN.0;
        loop {
            // Before every charge: waiting for another payer's silence takes time, too (rule 15).
            if !self.time_to_charge(order) {
                return Outcome::OutOfTime;
            }
            match self.charge(order).await {
                Ok(Verdict::Captured { amount }) => return Outcome::Captured(amount),
                Ok(Verdict::Declined { .. }) => return Outcome::Declined,
                Err(error) if !error.is_transient() => {
                    tracing::warn!(error = %error.chain(), order_id = %order.order_id, "the gateway refuses a charge");
                    return Outcome::Declined;
                }
                Ok(Verdict::Pending) | Err(_) => {}
            }
            loop {
                let verdict = self.lookup(order).await;
                match verdict {
                    Ok(Some(Verdict::Captured { amount })) => return Outcome::Captured(amount),
                    Ok(Some(Verdict::Declined { .. })) => return Outcome::Declined,
                    // That no charge is known is no verdict, since one may still arrive: only `cancel` can tell
                    // (rule 1). While there is time, the same key again is safe.
                    Ok(None) if !self.time_to_charge(order) => return Outcome::OutOfTime,
                    Ok(None | Some(Verdict::Pending)) | Err(_) => {}
                }
                if Instant::now() + delay >= deadline {
                    return Outcome::Unknown;
                }
                tokio::time::sleep(self.jitter(delay)).await;
                delay = (delay * 2).min(ASK_AGAIN.1);
                if matches!(verdict, Ok(None)) {
                    break;
                }
            }
        }
    }

    async fn charge(&self, order: &Order) -> Result<Verdict, Error> {
        let Some(customer) = order.customer.clone() else {
            return Err(Error::permanent("charge an order of nobody"));
        };
        let charge = Charge {
            order_id: order.order_id,
            customer,
            amount: order.amount,
        };
        match timeout(
            self.settings().payment_timeout,
            self.ports().payments().charge(charge),
        )
        .await
        {
            Ok(verdict) => verdict,
            Err(elapsed) => Err(Error::outcome_unknown("charge an order").because(elapsed)),
        }
    }

    async fn lookup(&self, order: &Order) -> Result<Option<Verdict>, Error> {
        let lookup = self.ports().payments().lookup(order.order_id);
        match timeout(self.settings().payment_timeout, lookup).await {
            Ok(verdict) => verdict,
            Err(elapsed) => Err(Error::outcome_unknown("look a charge up").because(elapsed)),
        }
    }

    /// Writes the payment's result down (step 8); the gateway vouches for it if that fails.
    async fn note(&self, order: &Order, status: Status) {
        let transition = self.advance(order.order_id, status, None, order.cart_hash);
        if let Err(error) = self.write_status(transition).await {
            tracing::debug!(%error, order_id = %order.order_id, %status, "the payment's result is not written");
        }
    }
}
