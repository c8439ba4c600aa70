//! What `flow` is asked and what it answers.

use std::time::Duration;

use serde::Serialize;

use crate::domain::{Cart, CartHash, Customer, Order, OrderId, Reason, Sku, Status};
use crate::inventory::Story;
use crate::payments::Attempt;
use crate::ports::Error;
use crate::statuses::StatusChange;

/// The bounds that the flow keeps to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long items are held for an order that is not settled.
    pub hold: Duration,
    /// How long `place_order` waits for BLOCK or FAILED before it gives up.
    pub wait: Duration,
    /// How long one payment may take. No charge starts with less than this left on the hold (rule 15).
    pub payment_timeout: Duration,
    /// More messages than this waiting for the worker: carts are turned away.
    pub backlog_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hold: Duration::from_secs(600),
            wait: Duration::from_secs(180),
            payment_timeout: Duration::from_secs(10),
            backlog_max: 1_000_000,
        }
    }
}

/// A cart that arrives (step 1).
#[derive(Debug, Clone)]
pub struct AddToCart {
    /// The client's own id, which makes a retry harmless; none to have one made.
    pub order_id: Option<OrderId>,
    /// What is asked for.
    pub cart: Cart,
}

/// What became of a cart that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It is in the queue: the order is INIT.
    Accepted {
        /// The order it becomes.
        order_id: OrderId,
        /// What `place_order` may send along, to be sure that it places this cart.
        cart_hash: CartHash,
    },
    /// This id came with this cart before; this is where it stands.
    Known {
        /// The order it became.
        order_id: OrderId,
        /// See [`Added::Accepted`].
        cart_hash: CartHash,
        /// Where it stands.
        status: Status,
        /// Why it failed.
        reason: Option<Reason>,
    },
    /// Not in stock: nothing was queued.
    Refused(Refusal),
}

/// Why a cart was refused at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The id under which it was refused; it may be used again.
    pub order_id: OrderId,
    /// Why.
    pub reason: Reason,
    /// The item at fault.
    pub sku: Sku,
    /// The stock version it was decided on; 0 for an unknown item.
    pub stock_version: u64,
    /// When trying again may help: after the time for which units are usually held, at the latest when the earliest hold
    /// ends.
    pub retry_after: Option<Duration>,
}

/// What became of an order that was to be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Sold.
    Placed,
    /// Failed, and nothing is blocked or owed.
    Failed(Reason),
    /// Not final. Beyond INIT: its payment's result is not known yet, and nothing is released before it is. INIT: no
    /// store came to know the order during the whole wait; its cart may still be in the queue.
    Waiting(Status),
}

/// What a caller takes an order for. What does not match the order is answered with a [`Failure`] before anything is
/// charged or released; what the caller does not say is not compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Expected {
    /// The cart it stands for.
    pub cart_hash: Option<CartHash>,
    /// The customer who ordered it.
    pub customer: Option<Customer>,
}

impl Expected {
    /// Compares with an order as it was decided. A tombstone may know neither cart nor customer, and has nothing to
    /// charge or release.
    pub(super) fn check(&self, order: &Order) -> Result<(), Failure> {
        let order_id = order.order_id;
        if differ(self.customer.as_ref(), order.customer.as_ref()) {
            return Err(Failure::CustomerMismatch { order_id });
        }
        if differ(self.cart_hash.as_ref(), order.cart_hash.as_ref()) {
            return Err(Failure::CartMismatch { order_id });
        }
        Ok(())
    }
}

impl From<Option<CartHash>> for Expected {
    fn from(cart_hash: Option<CartHash>) -> Self {
        Self {
            cart_hash,
            customer: None,
        }
    }
}

fn differ<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

/// What became of an order that was to be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It has failed: by this, or before.
    Failed(Reason),
    /// Too late: it was paid for.
    Placed,
    /// A charge may have begun, and the gateway does not answer: try again.
    Undecided(Status),
}

/// What is known of an order id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An order.
    Order(OrderView),
    /// Neither the status store nor the database knows it.
    Unknown {
        /// Messages that the worker has not consumed: the order may be among them, unless this is 0.
        backlog: u64,
    },
}

/// Where an order stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderView {
    /// Its id.
    pub order_id: OrderId,
    /// Where it stands.
    pub status: Status,
    /// Why it failed.
    pub reason: Option<Reason>,
    /// Which cart the id stands for, where known.
    pub cart_hash: Option<CartHash>,
    /// The order as the database has it, once it is decided.
    pub order: Option<Order>,
}

/// All that is known of an order, from all who know something.
#[derive(Debug, Clone, Serialize)]
pub struct OrderStory {
    /// Where it stands.
    pub view: OrderView,
    /// What the database knows.
    pub story: Option<Story>,
    /// What the gateway tells of attempts to pay.
    pub attempts: Vec<Attempt>,
    /// The statuses it went through, oldest first.
    pub history: Vec<StatusChange>,
}

/// Why the flow could not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// The id came with another cart before (rule 5).
    #[error("order id {order_id} was used with another cart; send a new id for a new cart")]
    IdConflict {
        /// The id.
        order_id: OrderId,
    },
    /// The order stands for another cart than the client means; nothing was charged (rule 5).
    #[error("order {order_id} stands for another cart than the one meant; nothing was charged")]
    CartMismatch {
        /// The order.
        order_id: OrderId,
    },
    /// The order belongs to another customer than the one named; nothing was charged or released.
    #[error("order {order_id} does not belong to the customer named; nothing was changed")]
    CustomerMismatch {
        /// The order.
        order_id: OrderId,
    },
    /// Nobody knows this order, and nothing that could still know it is waiting (rule 3).
    #[error("there is no order {order_id}")]
    UnknownOrder {
        /// The order.
        order_id: OrderId,
    },
    /// Nobody knows this order, and carts are still to be decided: it may be among them (rule 3).
    #[error(
        "order {order_id} is not known yet, and {backlog} carts are still to be decided; nothing was changed; repeat the request"
    )]
    NotKnownYet {
        /// The order.
        order_id: OrderId,
        /// How many are to be decided.
        backlog: u64,
    },
    /// The backlog is over its bound.
    #[error(
        "{backlog} carts are waiting to be decided, which is the most allowed; try again later"
    )]
    Overloaded {
        /// The id that was made or sent.
        order_id: OrderId,
        /// How many are waiting.
        backlog: u64,
    },
    /// What is stored of the order contradicts itself, or cannot be read (rule 18). It stays as it is until that is
    /// repaired; then the sweep, or a repeat, settles it.
    #[error(
        "order {order_id} cannot be settled, since what is stored of it is damaged; `oms audit` shows what has to be repaired"
    )]
    Damaged {
        /// The order.
        order_id: OrderId,
        /// What is wrong.
        #[source]
        source: Error,
    },
    /// A port did not answer. For a cart, "not accepted" is never said: repeat it with the same id.
    #[error("order {order_id} is in doubt; repeat the request with the same id")]
    Port {
        /// The order.
        order_id: OrderId,
        /// What went wrong.
        #[source]
        source: Error,
    },
}
