//! The inventory, whichever it is.

use uuid::Uuid;

use crate::clock::SystemClock;
use crate::domain::{GatewayId, Order, OrderId, Sku, Timestamp};
use crate::inventory::http::HttpInventory;
use crate::inventory::mysql::MysqlInventory;
use crate::inventory::sqlite::SqliteInventory;
use crate::inventory::{
    Adjusted, Adjustment, AdjustmentRow, Administration, AuditReport, AuditRequest, Auditing,
    Check, Checkpoint, Coverage, DeadLetterIndex, DeadLetterRow, DeadLetterState, GatewayBinding,
    GatewayRecord, HoldEnd, Inventory, Item, NewItem, OrderFilter, OrderSink, Owed, PutOutcome,
    Refund, Reservation, ReserveBatch, Settle, Settlement, StockAnswer, Story,
};
use crate::ports::Error;

/// One of the inventories. Every call is passed on as it is.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one in a process")]
pub enum AnyInventory {
    /// In a SQLite file.
    Sqlite(SqliteInventory<SystemClock>),
    /// In a MySQL or MariaDB database.
    Mysql(MysqlInventory),
    /// Behind the inventory service of another process.
    Http(HttpInventory),
}

macro_rules! pass_on {
    ($any:expr, $inner:ident => $call:expr) => {
        match $any {
            Self::Sqlite($inner) => $call,
            Self::Mysql($inner) => $call,
            Self::Http($inner) => $call,
        }
    };
}

impl Inventory for AnyInventory {
    async fn reserve(&self, batch: ReserveBatch) -> Result<Reservation, Error> {
        pass_on!(self, inner => inner.reserve(batch).await)
    }

    async fn settle(&self, batch: Vec<Settle>) -> Result<Settlement, Error> {
        pass_on!(self, inner => inner.settle(batch).await)
    }

    async fn stock(&self, skus: Vec<Sku>, with_holds: bool) -> Result<StockAnswer, Error> {
        pass_on!(self, inner => inner.stock(skus, with_holds).await)
    }

    async fn orders(&self, ids: Vec<OrderId>) -> Result<Vec<Option<Order>>, Error> {
        pass_on!(self, inner => inner.orders(ids).await)
    }

    async fn expired(&self, after: Option<HoldEnd>, limit: usize) -> Result<Vec<Order>, Error> {
        pass_on!(self, inner => inner.expired(after, limit).await)
    }

    async fn refunds_due(&self, after: Option<Owed>, limit: usize) -> Result<Vec<Refund>, Error> {
        pass_on!(self, inner => inner.refunds_due(after, limit).await)
    }

    async fn refunded(&self, ids: Vec<OrderId>) -> Result<(), Error> {
        pass_on!(self, inner => inner.refunded(ids).await)
    }
}

impl Administration for AnyInventory {
    async fn put_items(&self, items: Vec<NewItem>) -> Result<Vec<PutOutcome>, Error> {
        pass_on!(self, inner => inner.put_items(items).await)
    }

    async fn items(&self, after: Option<Sku>, limit: usize) -> Result<Vec<Item>, Error> {
        pass_on!(self, inner => inner.items(after, limit).await)
    }

    async fn item(&self, sku: Sku) -> Result<Option<Item>, Error> {
        pass_on!(self, inner => inner.item(sku).await)
    }

    async fn adjust(&self, adjustments: Vec<Adjustment>) -> Result<Vec<Adjusted>, Error> {
        pass_on!(self, inner => inner.adjust(adjustments).await)
    }

    async fn adjustments(&self, sku: Sku, limit: usize) -> Result<Vec<AdjustmentRow>, Error> {
        pass_on!(self, inner => inner.adjustments(sku, limit).await)
    }

    async fn find_orders(&self, filter: OrderFilter) -> Result<Vec<Order>, Error> {
        pass_on!(self, inner => inner.find_orders(filter).await)
    }

    async fn story(&self, id: OrderId) -> Result<Option<Story>, Error> {
        pass_on!(self, inner => inner.story(id).await)
    }
}

impl Auditing for AnyInventory {
    async fn store_id(&self) -> Result<Uuid, Error> {
        pass_on!(self, inner => inner.store_id().await)
    }

    async fn checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        pass_on!(self, inner => inner.checkpoint().await)
    }

    async fn audit(&self, request: AuditRequest, orders: OrderSink) -> Result<AuditReport, Error> {
        pass_on!(self, inner => inner.audit(request, orders).await)
    }

    async fn cover(&self, coverage: Coverage, audited_at: Timestamp) -> Result<bool, Error> {
        pass_on!(self, inner => inner.cover(coverage, audited_at).await)
    }

    fn audit_sql(&self) -> Vec<(Check, &'static str)> {
        pass_on!(self, inner => inner.audit_sql())
    }
}

impl GatewayBinding for AnyInventory {
    async fn gateway(&self) -> Result<Option<GatewayRecord>, Error> {
        pass_on!(self, inner => inner.gateway().await)
    }

    async fn bind_gateway(
        &self,
        record: GatewayRecord,
        replaces: Option<GatewayId>,
    ) -> Result<GatewayRecord, Error> {
        pass_on!(self, inner => inner.bind_gateway(record, replaces).await)
    }
}

impl DeadLetterIndex for AnyInventory {
    async fn record(&self, letters: Vec<DeadLetterRow>) -> Result<(), Error> {
        pass_on!(self, inner => inner.record(letters).await)
    }

    async fn letters(&self, after: u64, limit: usize) -> Result<Vec<DeadLetterRow>, Error> {
        pass_on!(self, inner => inner.letters(after, limit).await)
    }

    async fn mark(&self, ids: Vec<u64>, state: DeadLetterState) -> Result<u64, Error> {
        pass_on!(self, inner => inner.mark(ids, state).await)
    }
}
