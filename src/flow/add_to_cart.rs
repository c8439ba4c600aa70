//! Steps 1 to 3: the stock cache answers, the cart is published, its status is set to INIT.
//!
//! The undo of an accepted cart is its order's failure: see `place_order` (giving up) and `cancel`.

use std::time::Duration;

use super::place_order::stored;
use super::stock_cache::{InStock, Known};
use super::{AddToCart, Added, Failure, Flow, Refusal, message};
use crate::domain::{AcceptedCart, Cart, CartHash, Line, OrderId, Reason, Status, StatusSet};
use crate::inventory::StockLevel;
use crate::inventory::decide::{refuse, worst};
use crate::ports::{Error, ErrorKind, Ports, within};
use crate::statuses::{Transition, Transitioned};

/// How long the database may take to tell what a cart is refused or accepted by; nothing was queued then.
const READ_WAIT_MAX: Duration = Duration::from_secs(5);

/// What became of an earlier attempt.
enum Earlier {
    /// It is decided: this is where it stands.
    Decided(Added),
    /// It may be in the queue, undecided.
    MaybeQueued,
    /// There was none.
    None,
}

impl<P: Ports> Flow<P> {
    /// Steps 1 to 3. Answers once the cart is durable in the queue.
    ///
    /// # Errors
    /// [`Failure::IdConflict`], [`Failure::Overloaded`], or [`Failure::Port`] when a port did not answer: then the
    /// cart may have been accepted, and the request can be repeated with the same id.
    pub async fn add_to_cart(&self, request: AddToCart) -> Result<Added, Failure> {
        let AddToCart {
            order_id: chosen,
            cart,
        } = request;
        let order_id = chosen.unwrap_or_else(|| self.new_order_id());
        let port = |source| Failure::Port { order_id, source };
        let hash = cart.hash();
        // An id of our own making cannot have been seen before.
        if chosen.is_some()
            && let Some(known) = self.known(order_id, hash).await?
        {
            return Ok(known);
        }
        if let Some(refusal) = self.check_stock(order_id, &cart).await.map_err(port)? {
            // A retry is not refused: its first attempt may have taken the last unit, or be about to (rule 6).
            let earlier = match chosen {
                Some(_) => self.earlier(order_id, hash).await?,
                None => Earlier::None,
            };
            match earlier {
                Earlier::Decided(known) => return Ok(known),
                Earlier::MaybeQueued => {
                    tracing::debug!(%order_id, "queued again rather than refused");
                }
                Earlier::None => {
                    let refused = &self.metrics().refused;
                    refused.get_or_create(&refusal.reason.into()).inc();
                    return Ok(Added::Refused(refusal));
                }
            }
        }
        let backlog = self.backlog().await.map_err(port)?;
        if backlog >= self.settings().backlog_max {
            return Err(Failure::Overloaded { order_id, backlog });
        }
        self.accept(AcceptedCart {
            order_id,
            cart,
            hash,
            accepted_at: self.now(),
        })
        .await
    }

    /// Publishes first, then sets INIT if absent: INIT without a message would wait for ever.
    async fn accept(&self, accepted: AcceptedCart) -> Result<Added, Failure> {
        let AcceptedCart { order_id, hash, .. } = accepted;
        let sending = self.0.unacknowledged.sending(order_id);
        self.0
            .publish
            .submit(message::encode(&accepted))
            .await
            .map_err(|source| Failure::Port { order_id, source })?;
        sending.acknowledged();
        self.metrics().accepted.inc();
        let init = Transition {
            from: StatusSet::MISSING,
            ..self.advance(order_id, Status::Init, None, Some(hash))
        };
        match self.write_status(init).await {
            Ok(Transitioned::Refused(Some(present)))
                if present.cart_hash.is_some_and(|other| other != hash) =>
            {
                // Two carts met under one id; the worker sets the later one aside (rule 5).
                return Err(Failure::IdConflict { order_id });
            }
            Ok(_) => {}
            // The log vouches for INIT.
            Err(error) => tracing::debug!(%error, %order_id, "INIT is not written"),
        }
        Ok(Added::Accepted {
            order_id,
            cart_hash: hash,
        })
    }

    /// What is known of an id that a client chose, as far as the status store tells.
    async fn known(&self, order_id: OrderId, hash: CartHash) -> Result<Option<Added>, Failure> {
        // The status store being away refuses nobody: reserve settles who came first.
        let Ok(Some(entry)) = self.status_of(order_id).await else {
            return Ok(None);
        };
        same_cart(order_id, hash, entry.cart_hash, entry.status, entry.reason).map(Some)
    }

    /// What became of an earlier attempt under an id that a client chose and that the status store does not know.
    async fn earlier(&self, order_id: OrderId, hash: CartHash) -> Result<Earlier, Failure> {
        if let Some(known) = self.known_to_database(order_id, hash).await? {
            return Ok(Earlier::Decided(known));
        }
        if self.0.unacknowledged.has(order_id) {
            return Ok(Earlier::MaybeQueued);
        }
        let caught_up = read_in_time("wait for the worker", self.0.caught_up.submit(()));
        if !caught_up
            .await
            .map_err(|source| Failure::Port { order_id, source })?
        {
            return Ok(Earlier::MaybeQueued);
        }
        // What was in the queue is in the database now.
        let known = self.known_to_database(order_id, hash).await?;
        Ok(known.map_or(Earlier::None, Earlier::Decided))
    }

    /// What the database knows of an id that a client chose.
    async fn known_to_database(
        &self,
        order_id: OrderId,
        hash: CartHash,
    ) -> Result<Option<Added>, Failure> {
        let order = read_in_time("read an order", self.order_of(order_id))
            .await
            .map_err(|source| stored(order_id, source))?;
        order
            .map(|order| {
                same_cart(
                    order_id,
                    hash,
                    order.cart_hash,
                    order.state.status(),
                    order.reason,
                )
            })
            .transpose()
    }

    /// Step 2: whether the cache knows that a line is out of stock.
    async fn check_stock(&self, order_id: OrderId, cart: &Cart) -> Result<Option<Refusal>, Error> {
        let stock = &self.0.stock;
        // Most carts end here: stock in hand is gone by at any age, since the worker decides.
        let in_stock = cart.lines().iter().all(|line| {
            let seen = stock.has(&line.sku, line.quantity.units());
            if seen == InStock::YesButOld {
                // The task that refreshes ends with the flow; while it is busy, the next 100 ms ask again.
                let _ = self.0.refresh.try_send(line.clone());
            }
            seen != InStock::No
        });
        if in_stock {
            return Ok(None);
        }
        let reads = cart.lines().iter().map(|line| async move {
            let level = match stock.get(&line.sku) {
                Some(known) if says_enough(&known, line) => Some(known.level),
                _ => self.0.stock_reads.submit(line.clone()).await?,
            };
            Ok::<_, Error>((line, level))
        });
        let levels = read_in_time("read stock", futures::future::try_join_all(reads)).await?;
        Ok(self.refusal(order_id, &levels))
    }

    fn refusal(
        &self,
        order_id: OrderId,
        levels: &[(&Line, Option<StockLevel>)],
    ) -> Option<Refusal> {
        let mut refused: Option<(Reason, &Line, Option<&StockLevel>)> = None;
        for (line, level) in levels {
            let reason = worst(
                refused.map(|(reason, ..)| reason),
                refuse(level.as_ref(), line.quantity.units()),
            );
            if let Some(reason) = reason
                && refused.is_none_or(|(before, ..)| before != reason)
            {
                refused = Some((reason, line, level.as_ref()));
            }
        }
        let (reason, line, level) = refused?;
        let until = level
            .and_then(|level| level.earliest_hold)
            .filter(|_| reason == Reason::Held);
        Some(Refusal {
            order_id,
            reason,
            sku: line.sku.clone(),
            stock_version: level.map_or(0, |level| level.version),
            retry_after: until.map(|until| self.0.hold_times.advice(until.since(self.now()))),
        })
    }
}

async fn read_in_time<T>(
    action: &str,
    read: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    within(READ_WAIT_MAX, ErrorKind::Unavailable, action, read).await
}

/// Whether an entry can be gone by: stock in hand at any age; a refusal only while it is fresh (rule 7), and `held` only
/// if it is known until when.
fn says_enough(known: &Known, line: &Line) -> bool {
    match refuse(Some(&known.level), line.quantity.units()) {
        None => true,
        Some(Reason::Held) => known.fresh && known.level.earliest_hold.is_some(),
        Some(_) => known.fresh,
    }
}

fn same_cart(
    order_id: OrderId,
    cart_hash: CartHash,
    known: Option<CartHash>,
    status: Status,
    reason: Option<Reason>,
) -> Result<Added, Failure> {
    if known.is_some_and(|known| known != cart_hash) {
        return Err(Failure::IdConflict { order_id });
    }
    Ok(Added::Known {
        order_id,
        cart_hash,
        status,
        reason,
    })
}
