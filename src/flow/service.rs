//! The flow as its callers see it.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{
    AddToCart, Added, CancelOutcome, Failure, Found, Metrics, OrderStory, Placement, Settings,
};
use crate::domain::{CartHash, OrderId};
use crate::inventory::{Administration, StockLevel};
use crate::ports::{Error, Ports};
use crate::rng::OrderIds;

/// The ten steps over one choice of ports. Cheap to clone.
pub struct Flow<P: Ports>(Arc<Inner<P>>);

struct Inner<P> {
    ports: P,
    settings: Settings,
    metrics: Metrics,
    ids: OrderIds,
}

impl<P: Ports> Clone for Flow<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: Ports> Flow<P> {
    /// Starts the flow's background tasks on the current tokio runtime.
    pub fn start(ports: P, settings: Settings, ids: OrderIds) -> Self {
        Self(Arc::new(Inner {
            ports,
            settings,
            metrics: Metrics::default(),
            ids,
        }))
    }

    /// The ports it works on.
    pub fn ports(&self) -> &P {
        &self.0.ports
    }

    /// The bounds it keeps to.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// What it counts.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// A fresh, time-ordered order id.
    pub fn new_order_id(&self) -> OrderId {
        use crate::ports::Clock as _;
        self.0.ids.next(self.0.ports.clock().now())
    }

    /// Steps 1 to 3: checks the stock cache, publishes, sets INIT. Answers once the cart is durable in the queue.
    pub async fn add_to_cart(&self, request: AddToCart) -> Result<Added, Failure> {
        let _ = request;
        todo!()
    }

    /// Steps 4 to 10: waits for the decision, pays, settles. With `expected`, an order that stands for another cart
    /// is not charged. May be called any number of times, at once or later. Returns `Waiting` only while a payment's
    /// result is unknown, or while the ports do not answer.
    pub async fn place_order(
        &self,
        id: OrderId,
        expected: Option<CartHash>,
    ) -> Result<Placement, Failure> {
        let _ = (id, expected);
        todo!()
    }

    /// Cancels an order that is not paid for. The gateway is asked first (rule 1).
    pub async fn cancel(&self, id: OrderId) -> Result<CancelOutcome, Failure> {
        let _ = id;
        todo!()
    }

    /// Where an order stands. An id that nobody knows is looked for up to 2 s, since its cart may be in the queue.
    pub async fn find(&self, id: OrderId) -> Result<Found, Failure> {
        let _ = id;
        todo!()
    }

    /// Every stock level that this process learns of from now on, in the order in which it learns.
    pub fn stock_feed(&self) -> mpsc::UnboundedReceiver<StockLevel> {
        todo!()
    }
}

impl<P: Ports<Inventory: Administration>> Flow<P> {
    /// All that is known of an order; `None` if [`Flow::find`] finds nothing.
    pub async fn story(&self, id: OrderId) -> Result<Option<OrderStory>, Failure> {
        let _ = id;
        todo!()
    }
}

/// What has been swept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Orders whose hold had run out and that are settled now.
    pub settled: usize,
    /// Orders whose hold had run out and whose verdict the gateway owes.
    pub awaiting_gateway: usize,
    /// Refunds executed.
    pub refunded: usize,
}

impl<P: Ports> Flow<P> {
    /// One round over what is overdue: expired holds (the gateway is asked before anything is released), refunds.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        todo!()
    }
}
