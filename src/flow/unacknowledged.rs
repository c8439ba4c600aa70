//! Carts that may be in the queue although nobody has acknowledged them: a retry of one is not refused (rule 6).
//!
//! A cart whose acknowledgement was lost is found in neither the status store nor the database until the worker decides
//! it. This process remembers the ids it has sent without hearing of them. A retry may reach another process, though,
//! or this one after a restart. Whether its first attempt is in the queue is known once everything is consumed that was
//! in the queue when the retry came: then the database has the order, or there is none. So whoever is to be refused
//! under an id of its own waits for that first, together with everyone else who does. Under load that is one batch of
//! the worker. Only when the worker is far behind, or stopped, the cart is queued again: the worker decides then, and an
//! id is one order however often it is queued.
//!
//! What stays open: a first attempt that another process has handed to its producer and that has not arrived in the
//! queue yet. Its order may then be reserved after the refusal; nobody pays for it, and its hold ends it.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::domain::OrderId;
use crate::ports::{Error, Ports};
use crate::queue::Queue;
use crate::recent::{Bounds, Recent};

/// How many ids are remembered; twice as many at most.
const KEPT: usize = 16_384;

/// How long a retry waits for the worker to catch up. Whoever comes meanwhile waits for this and then for its own.
const CATCH_UP_MAX: Duration = Duration::from_secs(2);

/// The first and the longest pause between two looks at how far the worker is.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(50));

/// Ids under which a cart was sent, by this process, and not acknowledged.
#[derive(Debug)]
pub(super) struct Unacknowledged(Mutex<Recent<OrderId, ()>>);

impl Default for Unacknowledged {
    fn default() -> Self {
        Self(Mutex::new(Recent::of(Bounds::of_small(KEPT))))
    }
}

impl Unacknowledged {
    /// A cart that is being sent. Until it is [`Sending::acknowledged`] it may be in the queue, whatever becomes of
    /// whoever sent it.
    pub(super) fn sending(&self, id: OrderId) -> Sending<'_> {
        self.0.lock().keep(id, (), 0);
        Sending {
            unacknowledged: self,
            id,
        }
    }

    /// Whether a cart may be in the queue that nobody has acknowledged.
    pub(super) fn has(&self, id: OrderId) -> bool {
        self.0.lock().get(&id).is_some()
    }
}

/// See [`Unacknowledged::sending`].
#[derive(Debug)]
pub(super) struct Sending<'a> {
    unacknowledged: &'a Unacknowledged,
    id: OrderId,
}

impl Sending<'_> {
    /// It is in the queue, and whoever sent it knows.
    pub(super) fn acknowledged(self) {
        self.unacknowledged.0.lock().take(&self.id);
    }
}

/// Whether all is decided that is in the queue now; false if the worker does not get there in time.
pub(super) async fn caught_up<P: Ports>(ports: &P) -> Result<bool, Error> {
    let queue = ports.queue();
    let end = queue.end().await?;
    let deadline = Instant::now() + CATCH_UP_MAX;
    let mut pause = PAUSE.0;
    loop {
        if queue.consumed(&end).await? {
            return Ok(true);
        }
        if Instant::now() + pause >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}
