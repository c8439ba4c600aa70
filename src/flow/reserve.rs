//! The worker's half of step 5: decides a batch of messages, and sets aside what nobody can decide.

use tokio::time::Instant;

use super::{Flow, message};
use crate::domain::{
    AcceptedCart, CartHash, Customer, Order, OrderId, OrderState, Original, Reason, Timestamp,
    cut_text,
};
use crate::group;
use crate::inventory::{
    DeadLetterIndex, DeadLetterRow, DeadLetterState, Inventory, LETTER_DETAIL_BYTES_MAX,
    ReserveBatch, ReserveOutcome, Settle, SettleAction,
};
use crate::ports::{Error, Ports};
use crate::queue::{DeadLetter, Delivery, Position, Queue};
use crate::statuses::Transition;

/// The target of log lines about messages of which the log keeps the only record: none of them may be left out.
pub const UNRECORDED_LOG: &str = "oms::unrecorded";

/// How many dead letters are appended at a time.
const LETTERS_AT_ONCE: usize = 64;

/// How many appended dead letters are remembered whose batch is not done. A batch has no more.
const APPENDED_LETTERS_MAX: usize = 100_000;

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
                    detail: cut_text(&poison.to_string(), LETTER_DETAIL_BYTES_MAX),
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
                detail: cut_text(&detail, LETTER_DETAIL_BYTES_MAX),
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

    /// The undo of a message that nobody can decide: a FAILED row, an entry in the index, a dead letter. All before its
    /// offset moves on, and each harmless when repeated.
    ///
    /// What a store refuses for good is recorded smaller, in the last resort as a log line: setting aside cannot fail
    /// for good (rule 17).
    async fn set_aside(&self, offenders: Vec<Offender>) -> Result<(), Error> {
        if offenders.is_empty() {
            return Ok(());
        }
        for offender in &offenders {
            self.fail_order_of(offender).await?;
        }
        // Before the log, which keeps another dead letter with every attempt: when the index is away, that gets none.
        self.index(&offenders).await?;
        let topic = self.ports().queue().topic();
        for part in offenders.chunks(LETTERS_AT_ONCE) {
            let mut appending = Vec::with_capacity(part.len());
            for offender in part {
                appending.push(self.append_letter(offender));
            }
            // All of them to their end: what was cut off would be appended again.
            let appended = futures::future::join_all(appending).await;
            appended.into_iter().collect::<Result<(), Error>>()?;
        }
        for offender in &offenders {
            let Position { partition, offset } = offender.delivery.position;
            tracing::warn!(
                reason = %offender.reason,
                detail = offender.detail,
                topic,
                partition,
                offset,
                "a message is set aside"
            );
        }
        self.metrics().dead_letters.inc_by(offenders.len() as u64);
        let mut appended = self.0.appended_letters.lock();
        for offender in &offenders {
            appended.remove(&offender.delivery.position);
        }
        Ok(())
    }

    /// Writes down that the order of an offender has failed.
    async fn fail_order_of(&self, offender: &Offender) -> Result<(), Error> {
        let (Some(order_id), Some((customer, cart_hash))) =
            (offender.order_id, &offender.tombstone)
        else {
            return Ok(());
        };
        let action = SettleAction::Abandon {
            reason: offender.reason,
            customer: customer.clone(),
            cart_hash: *cart_hash,
        };
        match self.0.release.submit(Settle { order_id, action }).await {
            Ok(outcome) => {
                if let Some(order) = outcome.order.filter(|_| outcome.applied) {
                    self.told(&order).await;
                }
                Ok(())
            }
            Err(error) if error.is_transient() => Err(error),
            // Such as a row that cannot be read: it is there, and the audit finds it.
            Err(error) => {
                self.leave_to_the_log(offender, "its order is not written off", &error);
                Ok(())
            }
        }
    }

    /// Records offenders in the index: whole, else cut.
    async fn index(&self, offenders: &[Offender]) -> Result<(), Error> {
        let (topic, at) = (self.ports().queue().topic(), self.now());
        let rows: Vec<DeadLetterRow> = offenders
            .iter()
            .map(|offender| offender.row(topic, at))
            .collect();
        let record = |rows: Vec<DeadLetterRow>| async move {
            let count = rows.len();
            let recorded = self.ports().inventory().record(rows).await;
            recorded.map(|()| vec![(); count])
        };
        let whole = group::each(rows.clone(), &record).await;
        let refused: Vec<usize> = refused(&whole)?;
        let cut = refused.iter().map(|&index| rows[index].clone().cut());
        let cut = group::each(cut.collect(), &record).await;
        for index in self::refused(&cut)? {
            if let Err(error) = &cut[index] {
                let offender = &offenders[refused[index]];
                self.leave_to_the_log(offender, "it is not in the index of dead letters", error);
            }
        }
        Ok(())
    }

    /// Appends the dead letter of an offender to the log: whole, else cut. Once, however often its batch is repeated.
    async fn append_letter(&self, offender: &Offender) -> Result<(), Error> {
        let position = offender.delivery.position;
        if self.0.appended_letters.lock().contains(&position) {
            return Ok(());
        }
        let queue = self.ports().queue();
        let letter = offender.letter();
        let mut appended = queue.dead_letter(vec![letter.clone()]).await;
        if appended.as_ref().is_err_and(|error| !error.is_transient()) {
            appended = queue.dead_letter(vec![letter.cut()]).await;
        }
        match appended {
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                self.leave_to_the_log(offender, "the queue keeps no dead letter of it", &error);
            }
            Ok(()) => {}
        }
        let mut known = self.0.appended_letters.lock();
        known.insert(position);
        while known.len() > APPENDED_LETTERS_MAX {
            known.pop_first();
        }
        Ok(())
    }

    /// The last resort: what no store takes is told in a line of the log, and counted.
    fn leave_to_the_log(&self, offender: &Offender, what: &str, error: &Error) {
        self.metrics().unrecorded.inc();
        let Position { partition, offset } = offender.delivery.position;
        let original = Original::of(&offender.delivery.payload);
        tracing::error!(
            target: UNRECORDED_LOG,
            topic = self.ports().queue().topic(),
            partition,
            offset,
            order_id = offender.order_id.map(tracing::field::display),
            reason = %offender.reason,
            detail = offender.detail,
            bytes = original.bytes,
            sha256 = original.sha256,
            error = error.chain(),
            "a message that cannot be processed was refused by a store: {what}"
        );
    }
}

impl Offender {
    fn row(&self, topic: &str, at: Timestamp) -> DeadLetterRow {
        let Position { partition, offset } = self.delivery.position;
        DeadLetterRow {
            id: 0,
            topic: topic.to_owned(),
            partition,
            offset,
            order_id: self.order_id,
            reason: self.reason,
            detail: self.detail.clone(),
            key: self.delivery.key.clone(),
            payload: self.delivery.payload.clone(),
            original: None,
            at,
            state: DeadLetterState::Pending,
        }
    }

    fn letter(&self) -> DeadLetter {
        DeadLetter {
            delivery: self.delivery.clone(),
            reason: format!("{}: {}", self.reason, self.detail),
            original: None,
        }
    }
}

/// Which were refused for good.
///
/// # Errors
/// The first error that may pass: everything is to be repeated.
fn refused(results: &[Result<(), Error>]) -> Result<Vec<usize>, Error> {
    let mut refused = Vec::new();
    for (index, result) in results.iter().enumerate() {
        match result {
            Ok(()) => {}
            Err(error) if error.is_transient() => return Err(error.clone()),
            Err(_) => refused.push(index),
        }
    }
    Ok(refused)
}
