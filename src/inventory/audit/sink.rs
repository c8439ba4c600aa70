//! Orders on their way from the audit of the inventory to the comparison with other stores.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use utoipa::ToSchema;

use crate::domain::{Money, Order, OrderId, OrderState, Timestamp};

/// How many orders are handed over at once.
const PAGE: usize = 2_000;

/// How many pages may wait for the receiver.
const PAGES_MAX: usize = 4;

/// An order that an audit has read, as far as other stores know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckedOrder {
    /// Its id.
    pub order_id: OrderId,
    /// Where it stands.
    pub state: OrderState,
    /// What it costs.
    pub amount: Money,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Whether a batch decided it: a tombstone does not know its amount.
    pub is_decided: bool,
}

impl From<&Order> for CheckedOrder {
    fn from(order: &Order) -> Self {
        Self {
            order_id: order.order_id,
            state: order.state,
            amount: order.amount,
            decided_at: order.decided_at,
            is_decided: order.batch.is_some(),
        }
    }
}

/// Takes the orders that an audit reads, in pages. A full audit hands them over in the order of their ids.
#[derive(Debug)]
pub struct OrderSink {
    pages: Option<mpsc::Sender<Vec<CheckedOrder>>>,
    page: Vec<CheckedOrder>,
}

/// The pages that an [`OrderSink`] has taken.
#[derive(Debug)]
pub struct OrderPages(mpsc::Receiver<Vec<CheckedOrder>>);

impl OrderSink {
    /// For those who need no orders.
    pub const fn none() -> Self {
        Self {
            pages: None,
            page: Vec::new(),
        }
    }

    /// A sink, and where its pages come out. An audit waits while [`PAGES_MAX`] of them are waiting.
    pub fn channel() -> (Self, OrderPages) {
        let (sender, receiver) = mpsc::channel(PAGES_MAX);
        let sink = Self {
            pages: Some(sender),
            page: Vec::new(),
        };
        (sink, OrderPages(receiver))
    }

    /// Whether there is a receiver.
    pub fn is_wanted(&self) -> bool {
        self.pages.as_ref().is_some_and(|pages| !pages.is_closed())
    }

    /// Adds an order to the page. Whether the page is full, and is to be sent.
    pub fn push(&mut self, order: CheckedOrder) -> bool {
        if self.pages.is_some() {
            self.page.push(order);
        }
        self.page.len() >= PAGE
    }

    /// Sends the page. The receiver may be gone; then the page is dropped.
    pub async fn send(&mut self) {
        if let (Some(pages), false) = (&self.pages, self.page.is_empty()) {
            let page = std::mem::take(&mut self.page);
            let _ = pages.send(page).await;
        }
    }

    /// The same on a thread that may block.
    pub fn blocking_send(&mut self) {
        if let (Some(pages), false) = (&self.pages, self.page.is_empty()) {
            let page = std::mem::take(&mut self.page);
            let _ = pages.blocking_send(page);
        }
    }
}

impl OrderPages {
    /// The next page; none once the audit is over.
    pub async fn next(&mut self) -> Option<Vec<CheckedOrder>> {
        self.0.recv().await
    }
}
