//! PLACEHOLDERS of the adapters until they are merged.
#![allow(missing_docs, clippy::todo, clippy::unused_async, dead_code)]
use crate::domain::*;
use crate::inventory::*;
use crate::payments::*;
use crate::ports::{Clock, Error};
use crate::queue::*;
use crate::sqlite::Store;
use crate::statuses::*;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

#[derive(Debug)]
pub struct SqliteInventory<C>(Arc<Store>, C);
impl<C: Clock> SqliteInventory<C> {
    pub fn open(store: Arc<Store>, clock: C) -> Result<Self, Error> {
        Ok(Self(store, clock))
    }
}
#[derive(Debug)]
pub struct SqliteQueue<C>(Arc<Store>, C);
impl<C: Clock> SqliteQueue<C> {
    pub fn open(store: Arc<Store>, clock: C) -> Result<Self, Error> {
        Ok(Self(store, clock))
    }
}
#[derive(Debug)]
pub struct SqliteStatuses<C>(Arc<Store>, C);
impl<C: Clock> SqliteStatuses<C> {
    pub fn open(store: Arc<Store>, clock: C) -> Result<Self, Error> {
        Ok(Self(store, clock))
    }
}
#[derive(Debug)]
pub struct Simulated<C>(Arc<Store>, Profile, C);
impl<C: Clock> Simulated<C> {
    pub fn open(store: Arc<Store>, profile: Profile, clock: C) -> Result<Self, Error> {
        Ok(Self(store, profile, clock))
    }
}
#[derive(Debug)]
pub struct Profile;
impl Profile {
    pub fn parse(_: &str) -> Result<Self, String> {
        Ok(Self)
    }
}
#[derive(Debug)]
pub struct PendingConsumer;
impl<C: Clock> Inventory for SqliteInventory<C> {
    async fn reserve(&self, _: ReserveBatch) -> Result<Reservation, Error> {
        todo!()
    }
    async fn settle(&self, _: Vec<Settle>) -> Result<Settlement, Error> {
        todo!()
    }
    async fn stock(&self, _: Vec<Sku>, _: bool) -> Result<StockAnswer, Error> {
        todo!()
    }
    async fn orders(&self, _: Vec<OrderId>) -> Result<Vec<Option<Order>>, Error> {
        todo!()
    }
    async fn expired(&self, _: usize) -> Result<Vec<Order>, Error> {
        todo!()
    }
    async fn refunds_due(&self, _: usize) -> Result<Vec<Refund>, Error> {
        todo!()
    }
    async fn refunded(&self, _: Vec<OrderId>) -> Result<(), Error> {
        todo!()
    }
}
impl<C: Clock> Administration for SqliteInventory<C> {
    async fn put_items(&self, _: Vec<NewItem>) -> Result<Vec<PutOutcome>, Error> {
        todo!()
    }
    async fn items(&self, _: Option<Sku>, _: usize) -> Result<Vec<Item>, Error> {
        todo!()
    }
    async fn adjust(&self, _: Vec<Adjustment>) -> Result<Vec<Adjusted>, Error> {
        todo!()
    }
    async fn adjustments(&self, _: Sku, _: usize) -> Result<Vec<AdjustmentRow>, Error> {
        todo!()
    }
    async fn find_orders(&self, _: OrderFilter) -> Result<Vec<Order>, Error> {
        todo!()
    }
    async fn story(&self, _: OrderId) -> Result<Option<Story>, Error> {
        todo!()
    }
}
impl<C: Clock> Auditing for SqliteInventory<C> {
    async fn store_id(&self) -> Result<Uuid, Error> {
        todo!()
    }
    async fn audit(&self, _: Duration) -> Result<AuditReport, Error> {
        todo!()
    }
    fn audit_sql(&self) -> Vec<(Check, &'static str)> {
        todo!()
    }
}
impl<C: Clock> DeadLetterIndex for SqliteInventory<C> {
    async fn record(&self, _: Vec<DeadLetterRow>) -> Result<(), Error> {
        todo!()
    }
    async fn letters(&self, _: u64, _: usize) -> Result<Vec<DeadLetterRow>, Error> {
        todo!()
    }
    async fn mark(&self, _: Vec<u64>, _: DeadLetterState) -> Result<u64, Error> {
        todo!()
    }
}
impl<C: Clock> Queue for SqliteQueue<C> {
    type Consumer = PendingConsumer;
    async fn publish(&self, _: Vec<Message>) -> Result<Vec<Position>, Error> {
        todo!()
    }
    async fn subscribe(&self) -> Result<PendingConsumer, Error> {
        todo!()
    }
    async fn dead_letter(&self, _: Vec<DeadLetter>) -> Result<(), Error> {
        todo!()
    }
    async fn end(&self) -> Result<Mark, Error> {
        todo!()
    }
    async fn consumed(&self, _: &Mark) -> Result<bool, Error> {
        todo!()
    }
    async fn backlog(&self) -> Result<u64, Error> {
        todo!()
    }
    fn topic(&self) -> &str {
        todo!()
    }
}
impl Consumer for PendingConsumer {
    async fn poll(&mut self, _: usize, _: Duration) -> Result<Vec<Delivery>, Error> {
        todo!()
    }
    async fn commit(&mut self, _: Vec<Position>) -> Result<(), Error> {
        todo!()
    }
    async fn close(self) -> () {
        todo!()
    }
}
impl<C: Clock> Statuses for SqliteStatuses<C> {
    async fn get(&self, _: Vec<OrderId>) -> Result<Vec<Option<StatusEntry>>, Error> {
        todo!()
    }
    async fn transition(&self, _: Vec<Transition>) -> Result<Vec<Transitioned>, Error> {
        todo!()
    }
    async fn wait(&self, _: OrderId, _: u8, _: Instant) -> Result<Option<StatusEntry>, Error> {
        todo!()
    }
    async fn history(&self, _: OrderId) -> Result<Vec<StatusChange>, Error> {
        todo!()
    }
    async fn cached_stock(&self, _: Vec<Sku>) -> Result<Vec<Option<CachedStock>>, Error> {
        todo!()
    }
    async fn cache_stock(&self, _: Vec<StockLevel>) -> Result<(), Error> {
        todo!()
    }
}
impl<C: Clock> Payments for Simulated<C> {
    async fn charge(&self, _: Charge) -> Result<Verdict, Error> {
        todo!()
    }
    async fn lookup(&self, _: OrderId) -> Result<Option<Verdict>, Error> {
        todo!()
    }
    async fn cancel(&self, _: OrderId) -> Result<Cancelled, Error> {
        todo!()
    }
    async fn refund(&self, _: OrderId, _: Money) -> Result<(), Error> {
        todo!()
    }
    async fn attempts(&self, _: OrderId) -> Result<Vec<Attempt>, Error> {
        todo!()
    }
    async fn ledger(
        &self,
        _: Option<OrderId>,
        _: usize,
    ) -> Result<Option<Vec<LedgerEntry>>, Error> {
        todo!()
    }
}
