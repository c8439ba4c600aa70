//! The inventory behind another process: the inventory service of an `oms serve`, over its batch routes.
//!
//! Deadlines go by the clock of the database behind that service. A change that is sent and not answered may have
//! been done ([`ErrorKind::OutcomeUnknown`]): everything is idempotent, and the flow repeats it. What the service
//! itself could not do is told with the kind that its own adapter gave. An answer that does not come from an inventory
//! service (a proxy's, an older version's) is never permanent: a cart must not be given up for that.

mod client;

use std::time::Duration;

use uuid::Uuid;

use super::wire::{self, REQUEST_BYTES_MAX};
use super::{
    Adjusted, Adjustment, AdjustmentRow, Administration, AuditReport, AuditRequest, Auditing,
    Check, Checkpoint, Coverage, DeadLetterIndex, DeadLetterRow, DeadLetterState, GatewayBinding,
    GatewayRecord, HoldEnd, Inventory, Item, NewItem, OrderFilter, OrderSink, Owed, PutOutcome,
    Refund, Reservation, ReserveBatch, Settle, Settlement, StockAnswer, Story,
};
use crate::domain::{GatewayId, Order, OrderId, Sku, Timestamp};
use crate::ports::Error;

pub use client::HttpInventory;

/// How long an audit may take: it reads everything.
const AUDIT_TIME_MAX: Duration = Duration::from_secs(600);

/// How many orders are read at once for an audit.
const ORDERS_PAGE: usize = 2_000;

/// The most bytes of messages recorded in one request; base64 makes four of three.
const LETTER_BYTES_MAX: usize = REQUEST_BYTES_MAX / 4;

impl Inventory for HttpInventory {
    async fn reserve(&self, batch: ReserveBatch) -> Result<Reservation, Error> {
        let asked = batch.carts.len();
        let action = format!("reserve {asked} carts");
        let call = wire::Reserve::from(&batch);
        self.call_each(&action, &call, asked, |told| told.outcomes.len())
            .await
    }

    async fn settle(&self, settles: Vec<Settle>) -> Result<Settlement, Error> {
        let asked = settles.len();
        let action = format!("settle {asked} orders");
        let call = wire::SettleAll { settles };
        self.call_each(&action, &call, asked, |told| told.outcomes.len())
            .await
    }

    async fn stock(&self, skus: Vec<Sku>, with_holds: bool) -> Result<StockAnswer, Error> {
        let asked = skus.len();
        let call = wire::Stock { skus, with_holds };
        self.call_each("read stock", &call, asked, |told| told.levels.len())
            .await
    }

    async fn orders(&self, ids: Vec<OrderId>) -> Result<Vec<Option<Order>>, Error> {
        let asked = ids.len();
        self.call_each("read orders", &wire::Orders { ids }, asked, Vec::len)
            .await
    }

    async fn expired(&self, after: Option<HoldEnd>, limit: usize) -> Result<Vec<Order>, Error> {
        self.call("read overdue orders", &wire::Expired { after, limit })
            .await
    }

    async fn refunds_due(&self, after: Option<Owed>, limit: usize) -> Result<Vec<Refund>, Error> {
        self.call("read due refunds", &wire::RefundsDue { after, limit })
            .await
    }

    async fn refunded(&self, ids: Vec<OrderId>) -> Result<(), Error> {
        let action = format!("mark {} refunds", ids.len());
        self.call(&action, &wire::Refunded { ids }).await
    }
}

impl Administration for HttpInventory {
    async fn put_items(&self, items: Vec<NewItem>) -> Result<Vec<PutOutcome>, Error> {
        let asked = items.len();
        let action = format!("put {asked} items");
        self.call_each(&action, &wire::PutItems { items }, asked, Vec::len)
            .await
    }

    async fn items(&self, after: Option<Sku>, limit: usize) -> Result<Vec<Item>, Error> {
        self.call("read items", &wire::Items { after, limit }).await
    }

    async fn item(&self, sku: Sku) -> Result<Option<Item>, Error> {
        self.call("read an item", &wire::OneItem { sku }).await
    }

    async fn adjust(&self, adjustments: Vec<Adjustment>) -> Result<Vec<Adjusted>, Error> {
        let asked = adjustments.len();
        let action = format!("adjust {asked} items");
        let call = wire::Adjust { adjustments };
        self.call_each(&action, &call, asked, Vec::len).await
    }

    async fn adjustments(&self, sku: Sku, limit: usize) -> Result<Vec<AdjustmentRow>, Error> {
        self.call("read corrections", &wire::Corrections { sku, limit })
            .await
    }

    async fn find_orders(&self, filter: OrderFilter) -> Result<Vec<Order>, Error> {
        self.call("find orders", &wire::FindOrders { filter }).await
    }

    async fn story(&self, id: OrderId) -> Result<Option<Story>, Error> {
        self.call("read the story of an order", &wire::StoryOf { id })
            .await
    }
}

impl Auditing for HttpInventory {
    async fn store_id(&self) -> Result<Uuid, Error> {
        self.ask_store_id().await
    }

    async fn checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        self.call("read the last checkpoint", &wire::LastCheckpoint {})
            .await
    }

    /// The orders come with the report, unless all are wanted or there are very many: then they are read afterwards,
    /// all of them.
    async fn audit(
        &self,
        request: AuditRequest,
        mut orders: OrderSink,
    ) -> Result<AuditReport, Error> {
        let call = wire::Audit::new(&request, orders.is_wanted() && !request.full);
        let answer = self
            .call_within("audit the inventory", &call, AUDIT_TIME_MAX)
            .await?;
        match answer.checked {
            Some(checked) => {
                for order in checked {
                    if orders.push(order) {
                        orders.send().await;
                    }
                }
            }
            None => self.all_orders(&mut orders).await?,
        }
        orders.send().await;
        Ok(answer.report)
    }

    async fn cover(&self, coverage: Coverage, audited_at: Timestamp) -> Result<bool, Error> {
        let action = format!("write checkpoint {}", coverage.number);
        let call = wire::Cover {
            coverage,
            audited_at,
        };
        self.call(&action, &call).await
    }

    /// Empty: the queries are those of the store behind the service, and can be run by hand only there.
    fn audit_sql(&self) -> Vec<(Check, &'static str)> {
        Vec::new()
    }
}

impl HttpInventory {
    /// Hands over all orders, in the order of their ids, as long as there is a receiver.
    async fn all_orders(&self, orders: &mut OrderSink) -> Result<(), Error> {
        let mut filter = OrderFilter {
            limit: ORDERS_PAGE,
            ..OrderFilter::default()
        };
        while orders.is_wanted() {
            let page = self.find_orders(filter.clone()).await?;
            let Some(last) = page.last() else { break };
            filter.after = Some(last.order_id);
            for order in &page {
                if orders.push(order.into()) {
                    orders.send().await;
                }
            }
        }
        Ok(())
    }
}

impl GatewayBinding for HttpInventory {
    async fn gateway(&self) -> Result<Option<GatewayRecord>, Error> {
        self.call("read the store's gateway", &wire::GatewayOnRecord {})
            .await
    }

    async fn bind_gateway(
        &self,
        record: GatewayRecord,
        replaces: Option<GatewayId>,
    ) -> Result<GatewayRecord, Error> {
        let call = wire::BindGateway { record, replaces };
        self.call("record the store's gateway", &call).await
    }
}

impl DeadLetterIndex for HttpInventory {
    /// In several requests if the letters are long: each letter is recorded once, however often it is sent.
    async fn record(&self, letters: Vec<DeadLetterRow>) -> Result<(), Error> {
        let mut letters = letters.into_iter().peekable();
        while letters.peek().is_some() {
            let mut part: Vec<DeadLetterRow> = Vec::new();
            let mut bytes = 0;
            while let Some(letter) = letters.next_if(|letter| {
                bytes += letter.key.len() + letter.payload.len() + letter.detail.len();
                part.is_empty() || bytes <= LETTER_BYTES_MAX
            }) {
                part.push(letter);
            }
            let action = format!("record {} dead letters", part.len());
            let call = wire::RecordLetters { letters: part };
            self.call(&action, &call).await?;
        }
        Ok(())
    }

    async fn letters(&self, after: u64, limit: usize) -> Result<Vec<DeadLetterRow>, Error> {
        self.call("read dead letters", &wire::Letters { after, limit })
            .await
    }

    async fn mark(&self, ids: Vec<u64>, state: DeadLetterState) -> Result<u64, Error> {
        let action = format!("mark {} dead letters", ids.len());
        self.call(&action, &wire::MarkLetters { ids, state }).await
    }
}
