//! The faulty database.

use std::time::Duration;

use oms::domain::{GatewayId, Order, OrderId, Sku, Timestamp};
use oms::inventory::{
    Adjusted, Adjustment, AdjustmentRow, Administration, AuditReport, AuditRequest, Auditing,
    Check, Checkpoint, Coverage, DeadLetterIndex, DeadLetterRow, DeadLetterState, Error,
    GatewayBinding, GatewayRecord, HoldEnd, Inventory, Item, NewItem, OrderFilter, OrderSink, Owed,
    PutOutcome, Refund, Reservation, ReserveBatch, Settle, Settlement, StockAnswer, Story,
};
use tokio::time::sleep;
use uuid::Uuid;

use super::{Faulty, Op};

impl<T: Inventory> Inventory for Faulty<T> {
    async fn reserve(&self, batch: ReserveBatch) -> Result<Reservation, Error> {
        let poisoned = |id| self.faults.is_poisoned(id) || self.faults.is_unreadable(id);
        if batch.carts.iter().any(|cart| poisoned(cart.order_id)) {
            return Err(Error::permanent("store a cart: value out of range"));
        }
        if self.faults.times_out(batch.carts.len()) {
            sleep(Duration::from_secs(30)).await;
            return Err(Error::unavailable("reserve so many carts within 30 s"));
        }
        let call = self.inner.reserve(batch);
        self.faults.pass(Op::Reserve, call).await
    }

    async fn settle(&self, batch: Vec<Settle>) -> Result<Settlement, Error> {
        let unreadable = |settle: &Settle| self.faults.is_unreadable(settle.order_id);
        if batch.iter().any(unreadable) {
            return Err(Error::permanent("read an order"));
        }
        let call = self.inner.settle(batch);
        self.faults.pass(Op::Settle, call).await
    }

    async fn stock(&self, skus: Vec<Sku>, with_holds: bool) -> Result<StockAnswer, Error> {
        let call = self.inner.stock(skus, with_holds);
        self.faults.pass(Op::Stock, call).await
    }

    async fn orders(&self, ids: Vec<OrderId>) -> Result<Vec<Option<Order>>, Error> {
        self.faults.pass(Op::Orders, self.inner.orders(ids)).await
    }

    async fn expired(&self, after: Option<HoldEnd>, limit: usize) -> Result<Vec<Order>, Error> {
        let call = self.inner.expired(after, limit);
        self.faults.pass(Op::Expired, call).await
    }

    async fn refunds_due(&self, after: Option<Owed>, limit: usize) -> Result<Vec<Refund>, Error> {
        let call = self.inner.refunds_due(after, limit);
        self.faults.pass(Op::RefundsDue, call).await
    }

    async fn refunded(&self, ids: Vec<OrderId>) -> Result<(), Error> {
        let call = self.inner.refunded(ids);
        self.faults.pass(Op::Refunded, call).await
    }
}

/// Only corrections fail: the rest of administration has no part in the flow.
impl<T: Administration> Administration for Faulty<T> {
    async fn put_items(&self, items: Vec<NewItem>) -> Result<Vec<PutOutcome>, Error> {
        self.inner.put_items(items).await
    }

    async fn items(&self, after: Option<Sku>, limit: usize) -> Result<Vec<Item>, Error> {
        self.inner.items(after, limit).await
    }

    async fn adjust(&self, adjustments: Vec<Adjustment>) -> Result<Vec<Adjusted>, Error> {
        let call = self.inner.adjust(adjustments);
        self.faults.pass(Op::Adjust, call).await
    }

    async fn adjustments(&self, sku: Sku, limit: usize) -> Result<Vec<AdjustmentRow>, Error> {
        self.inner.adjustments(sku, limit).await
    }

    async fn find_orders(&self, filter: OrderFilter) -> Result<Vec<Order>, Error> {
        self.inner.find_orders(filter).await
    }

    async fn story(&self, id: OrderId) -> Result<Option<Story>, Error> {
        self.inner.story(id).await
    }
}

impl<T: Auditing> Auditing for Faulty<T> {
    async fn store_id(&self) -> Result<Uuid, Error> {
        self.inner.store_id().await
    }

    async fn checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        self.inner.checkpoint().await
    }

    async fn audit(&self, request: AuditRequest, orders: OrderSink) -> Result<AuditReport, Error> {
        let call = self.inner.audit(request, orders);
        self.faults.pass(Op::Audit, call).await
    }

    async fn cover(&self, coverage: Coverage, audited_at: Timestamp) -> Result<bool, Error> {
        let call = self.inner.cover(coverage, audited_at);
        self.faults.pass(Op::Cover, call).await
    }

    fn audit_sql(&self) -> Vec<(Check, &'static str)> {
        self.inner.audit_sql()
    }
}

impl<T: GatewayBinding> GatewayBinding for Faulty<T> {
    async fn gateway(&self) -> Result<Option<GatewayRecord>, Error> {
        self.inner.gateway().await
    }

    async fn bind_gateway(
        &self,
        record: GatewayRecord,
        replaces: Option<GatewayId>,
    ) -> Result<GatewayRecord, Error> {
        self.inner.bind_gateway(record, replaces).await
    }
}

impl<T: DeadLetterIndex> DeadLetterIndex for Faulty<T> {
    async fn record(&self, letters: Vec<DeadLetterRow>) -> Result<(), Error> {
        let too_large = |row: &DeadLetterRow| self.faults.is_too_large(&row.payload);
        if letters.iter().any(too_large) {
            return Err(Error::permanent("record a dead letter: too large"));
        }
        let call = self.inner.record(letters);
        self.faults.pass(Op::Record, call).await
    }

    async fn letters(&self, after: u64, limit: usize) -> Result<Vec<DeadLetterRow>, Error> {
        self.inner.letters(after, limit).await
    }

    async fn mark(&self, ids: Vec<u64>, state: DeadLetterState) -> Result<u64, Error> {
        self.inner.mark(ids, state).await
    }
}
