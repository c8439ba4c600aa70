//! Where an order stands, and its whole story: put together from all who know something.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::place_order::{port, stored};
use super::service::bounded;
use super::{Failure, Flow, Found, OrderStory, OrderView};
use crate::domain::{Order, OrderId, OrderState, Status};
use crate::inventory::Administration;
use crate::payments::Payments;
use crate::ports::{Error, Ports};
use crate::queue::Queue;
use crate::statuses::{StatusChange, StatusEntry, Statuses};

/// How long an id that nobody knows is looked for while the worker has not caught up.
const LOOK_FOR: Duration = Duration::from_secs(2);

/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long the gateway may hold up an order's story, which stands without it.
const ATTEMPTS_WAIT_MAX: Duration = Duration::from_secs(1);

pub(super) async fn find<P: Ports>(
    flow: &Flow<P>,
    id: OrderId,
    began: Instant,
) -> Result<Found, Failure> {
    let unread = |source| stored(id, source);
    if let Some(view) = look(flow, id).await.map_err(unread)? {
        return Ok(Found::Order(view));
    }
    let queue = flow.ports().queue();
    let away = |source| port(id, source);
    let end = queue.end().await.map_err(away)?;
    loop {
        // Read before the database is: what was consumed by then is found there.
        let consumed = queue.consumed(&end).await.map_err(away)?;
        if let Some(view) = look(flow, id).await.map_err(unread)? {
            return Ok(Found::Order(view));
        }
        if consumed {
            return Ok(Found::Unknown { backlog: 0 });
        }
        if began.elapsed() >= LOOK_FOR {
            return Ok(Found::Unknown {
                backlog: queue.backlog().await.map_err(away)?.max(1),
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn look<P: Ports>(flow: &Flow<P>, id: OrderId) -> Result<Option<OrderView>, Error> {
    // The status store being away only hides what lies between the database's states.
    let entry = flow.status_of(id).await.unwrap_or(None);
    Ok(view(id, entry, flow.order_of(id).await?))
}

/// The database says what is decided; the status store may know more of an order that is still BLOCK.
fn view(order_id: OrderId, entry: Option<StatusEntry>, order: Option<Order>) -> Option<OrderView> {
    let cart_hash = order
        .as_ref()
        .and_then(|order| order.cart_hash)
        .or(entry.and_then(|entry| entry.cart_hash));
    let (status, reason) = match (&order, entry) {
        (Some(order), Some(entry))
            if order.state == OrderState::Blocked
                && !entry.status.is_final()
                && entry.status.rank() > Status::Block.rank() =>
        {
            (entry.status, None)
        }
        (Some(order), _) => (order.state.status(), order.reason),
        // A status above INIT without a row is of a database that lost it: undecided until it is found out.
        (None, Some(entry)) if entry.status.rank() <= Status::Init.rank() => {
            (entry.status, entry.reason)
        }
        (None, Some(_)) => (Status::Init, None),
        (None, None) => return None,
    };
    Some(OrderView {
        order_id,
        status,
        reason,
        cart_hash,
        order,
    })
}

impl<P: Ports> Flow<P> {
    /// Where an order stands right now; `None` if neither the status store nor the database knows it.
    ///
    /// # Errors
    /// [`Failure::Port`] when the database did not answer.
    pub async fn present(&self, id: OrderId) -> Result<Option<OrderView>, Failure> {
        look(self, id).await.map_err(|source| stored(id, source))
    }
}

impl<P: Ports<Inventory: Administration>> Flow<P> {
    /// All that is known of an order; `None` if [`Flow::find`] finds nothing.
    ///
    /// # Errors
    /// [`Failure::Port`] when the database did not answer.
    pub async fn story(&self, id: OrderId) -> Result<Option<OrderStory>, Failure> {
        match self.find(id).await? {
            Found::Order(view) => self.story_of(view).await.map(Some),
            Found::Unknown { .. } => Ok(None),
        }
    }

    /// The same, without looking longer for an id that nobody knows: `None` if [`Flow::present`] finds nothing.
    ///
    /// # Errors
    /// [`Failure::Port`] when the database did not answer.
    pub async fn present_story(&self, id: OrderId) -> Result<Option<OrderStory>, Failure> {
        match self.present(id).await? {
            Some(view) => self.story_of(view).await.map(Some),
            None => Ok(None),
        }
    }

    async fn story_of(&self, view: OrderView) -> Result<OrderStory, Failure> {
        let id = view.order_id;
        let ports = self.ports();
        // The story stands without what the gateway and the status store add to it.
        let limit = self.settings().payment_timeout.min(ATTEMPTS_WAIT_MAX);
        let attempts = timeout(limit, ports.payments().attempts(id));
        let written = bounded(ports.statuses().history(id));
        let (story, attempts, written) =
            tokio::join!(ports.inventory().story(id), attempts, written);
        let story = story.map_err(|source| stored(id, source))?;
        let attempts = attempts.ok().and_then(Result::ok).unwrap_or_default();
        let written = written.unwrap_or_default();
        let history = history(written, story.as_ref().map(|story| &story.order));
        Ok(OrderStory {
            view,
            story,
            attempts,
            history,
        })
    }
}

/// The statuses that were written, completed by what the database knows.
fn history(written: Vec<StatusChange>, order: Option<&Order>) -> Vec<StatusChange> {
    let mut history = written;
    let mut add = |status, at| {
        if history.iter().all(|change| change.status != status) {
            history.push(StatusChange { status, at });
        }
    };
    if let Some(order) = order {
        add(Status::Init, order.accepted_at);
        if order.hold_until > order.decided_at {
            add(Status::Block, order.decided_at);
        }
        if order.state != OrderState::Blocked {
            add(
                order.state.status(),
                order.settled_at.unwrap_or(order.decided_at),
            );
        }
    }
    history.sort_by_key(|change| (change.status.rank(), change.at));
    history
}
