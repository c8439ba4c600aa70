//! The worker's half of step 5: decides a batch of messages, and sets aside what nobody can decide.

use tokio::time::Instant;

use super::{Flow, message};
use crate::domain::{AcceptedCart, CartHash, Customer, Order, OrderId, OrderState, Reason};
use crate::group;
use crate::inventory::{
    DeadLetterIndex, DeadLetterRow, DeadLetterState, Inventory, ReserveBatch, ReserveOutcome,
    Settle, SettleAction,
};
use crate::ports::{Error, Ports};
use crate::queue::{DeadLetter, Delivery, Queue};
use crate::statuses::Transition;

/// What a batch of messages came to.
#[derive(Debug, Default)]
#[must_use = "the statuses are still to be written"]
pub struct Processed {
    /// Carts decided now or earlier.
    pub carts: usize,
    /// Messages set aside.
    pub dead_letters: usize,
    /// What [`Flow::write_statuses`] has to be given, before or while the offsets are committed.
    pub statuses: Vec<Transition>,
}

/// Who sent a cart, and as which order: what is left to say of one that the database refuses for good.
struct Sender {
    order_id: OrderId,
    customer: Customer,
    hash: CartHash,
}

impl Sender {
    fn of(cart: &AcceptedCart) -> Self {
        Self {
            order_id: cart.order_id,
            customer: cart.cart.customer().clone(),
            hash: cart.hash,
        }
    }
}

/// A message that nobody can decide.
struct Offender {
    delivery: Delivery,
    reason: Reason,
    detail: String,
    order_id: Option<OrderId>,
    /// Whose failure to write down; an id conflict has a row already, of another cart.
    tombstone: Option<(Option<Customer>, Option<CartHash>)>,
}

impl<P: Ports<Inventory: DeadLetterIndex>> Flow<P> {
    /// Decides a batch of messages in order. After it returns they may be committed; it may be repeated, as a whole
    /// or in part, any number of times.
    ///
    /// # Errors
    /// When the database or the log did not answer: repeat it.
    pub async fn process(&self, deliveries: &[Delivery]) -> Result<Processed, Error> {
        let mut offenders = Vec::new();
        let mut carts = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            match message::decode(&delivery.payload) {
                Ok(cart) => carts.push((delivery, cart)),
                Err(poison) => offenders.push(Offender {
                    order_id: message::order_id(&delivery.payload),
                    delivery: delivery.clone(),
                    reason: Reason::Poison,
                    detail: poison.to_string(),
                    tombstone: Some((None, None)),
                }),
            }
        }
        let decided = self.decide(carts, &mut offenders).await?;
        self.0.decided.keep(&decided);
        let dead_letters = offenders.len();
        let known = self.rows_of_conflicts(&offenders).await?;
        self.set_aside(offenders).await?;
        let statuses = decided
            .iter()
            .chain(&known)
            .map(|order| {
                self.advance(
                    order.order_id,
                    order.state.status(),
                    order.reason,
                    order.cart_hash,
                )
            })
            .collect();
        Ok(Processed {
            carts: decided.len(),
            dead_letters,
            statuses,
        })
    }

    /// The orders that other carts already became under the ids of these. After the status store lost everything, the
    /// refused cart may have left an INIT there with its own hash: the row has to replace it (rules 5 and 8).
    async fn rows_of_conflicts(&self, offenders: &[Offender]) -> Result<Vec<Order>, Error> {
        let conflicts: Vec<OrderId> = offenders
            .iter()
            .filter(|offender| offender.reason == Reason::IdConflict)
            .filter_map(|offender| offender.order_id)
            .collect();
        if conflicts.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.ports().inventory().orders(conflicts).await?;
        Ok(rows.into_iter().flatten().collect())
    }

    /// Reserves; a cart that the database refuses for good is set aside, alone (rule 13).
    async fn decide(
        &self,
        carts: Vec<(&Delivery, AcceptedCart)>,
        offenders: &mut Vec<Offender>,
    ) -> Result<Vec<Order>, Error> {
        if carts.is_empty() {
            return Ok(Vec::new());
        }
        let (deliveries, carts): (Vec<&Delivery>, Vec<AcceptedCart>) = carts.into_iter().unzip();
        let senders: Vec<Sender> = carts.iter().map(Sender::of).collect();
        let results = group::each(carts, &|part| self.reserve(part)).await;
        let mut decided = Vec::with_capacity(results.len());
        for ((result, delivery), sender) in results.into_iter().zip(deliveries).zip(senders) {
            let (reason, detail, tombstone) = match result {
                Ok(ReserveOutcome::Order(order)) => {
                    decided.push(order);
                    continue;
                }
                Ok(ReserveOutcome::IdConflict) => (
                    Reason::IdConflict,
                    "the order id had come with another cart".to_owned(),
                    None,
                ),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => {
                    let known = (Some(sender.customer), Some(sender.hash));
                    (Reason::Poison, error.chain(), Some(known))
                }
            };
            offenders.push(Offender {
                delivery: delivery.clone(),
                reason,
                detail,
                order_id: Some(sender.order_id),
                tombstone,
            });
        }
        Ok(decided)
    }

    /// One reserve transaction.
    async fn reserve(&self, carts: Vec<AcceptedCart>) -> Result<Vec<ReserveOutcome>, Error> {
        let metrics = self.metrics();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a batch has a few thousand carts"
        )]
        metrics.batch_carts.observe(carts.len() as f64);
        let began = Instant::now();
        let batch = ReserveBatch {
            carts,
            hold: self.settings().hold,
        };
        let reservation = self.ports().inventory().reserve(batch).await?;
        metrics
            .reserve_seconds
            .observe(began.elapsed().as_secs_f64());
        for outcome in &reservation.outcomes {
            match outcome {
                ReserveOutcome::Order(Order {
                    state: OrderState::Blocked,
                    ..
                }) => {
                    metrics.blocked.inc();
                }
                ReserveOutcome::Order(Order {
                    reason: Some(reason),
                    ..
                }) => {
                    metrics.failed.get_or_create(&(*reason).into()).inc();
                }
                _ => {}
            }
        }
        self.learn_stock(reservation.levels, began);
        Ok(reservation.outcomes)
    }

    /// The undo of a message that nobody can decide: a FAILED row, a dead letter, an entry in the index. All before
    /// its offset moves on, and each harmless when repeated.
    async fn set_aside(&self, offenders: Vec<Offender>) -> Result<(), Error> {
        if offenders.is_empty() {
            return Ok(());
        }
        self.metrics().dead_letters.inc_by(offenders.len() as u64);
        for Offender {
            order_id,
            tombstone,
            reason,
            ..
        } in &offenders
        {
            let (&Some(order_id), Some((customer, cart_hash))) = (order_id, tombstone) else {
                continue;
            };
            let action = SettleAction::Abandon {
                reason: *reason,
                customer: customer.clone(),
                cart_hash: *cart_hash,
            };
            let outcome = self.0.settle.submit(Settle { order_id, action }).await?;
            if let Some(order) = outcome.order.filter(|_| outcome.applied) {
                self.told(&order).await;
            }
        }
        let topic = self.ports().queue().topic().to_owned();
        let at = self.now();
        let rows = offenders
            .iter()
            .map(|offender| DeadLetterRow {
                id: 0,
                topic: topic.clone(),
                partition: offender.delivery.position.partition,
                offset: offender.delivery.position.offset,
                order_id: offender.order_id,
                reason: offender.reason,
                detail: offender.detail.clone(),
                key: offender.delivery.key.clone(),
                payload: offender.delivery.payload.clone(),
                at,
                state: DeadLetterState::Pending,
            })
            .collect();
        let letters = offenders
            .into_iter()
            .map(|offender| {
                tracing::warn!(
                    reason = %offender.reason,
                    detail = offender.detail,
                    partition = offender.delivery.position.partition,
                    offset = offender.delivery.position.offset,
                    "a message is set aside"
                );
                let reason = format!("{}: {}", offender.reason, offender.detail);
                DeadLetter {
                    delivery: offender.delivery,
                    reason,
                }
            })
            .collect();
        self.ports().queue().dead_letter(letters).await?;
        self.ports().inventory().record(rows).await
    }
}
