//! PLACEHOLDERS of the adapters until they are merged.
#![allow(
    missing_docs,
    clippy::wildcard_imports,
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    clippy::todo,
    clippy::unused_async,
    dead_code
)]
use crate::domain::*;
use crate::inventory::*;
use crate::payments::*;
use crate::ports::{Clock, Error};
use crate::sqlite::Store;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

#[derive(Debug)]
pub struct SqliteInventory<C>(Arc<Store>, C);
impl<C: Clock> SqliteInventory<C> {
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

pub mod catalogue {
    use std::collections::BTreeMap;
    use std::path::Path;

    use crate::inventory::NewItem;

    pub fn synthetic(items: u32, stock: i64, seed: u64) -> Vec<NewItem> {
        let _ = (items, stock, seed);
        todo!()
    }
    pub fn check_stock(units: i64) -> Result<i64, String> {
        if units < 0 {
            Err("the stock is negative: 0 or more units are needed".to_owned())
        } else {
            Ok(units)
        }
    }
    pub fn read(path: &Path) -> Result<File, std::io::Error> {
        std::fs::read(path).map(|_| todo!())
    }
    pub enum File {
        Own(Vec<NewItem>),
        OnlineRetail(Trace),
    }
    #[derive(Debug)]
    pub struct Trace {
        pub rows: u64,
        pub order_lines: u64,
        pub merged: u64,
        pub skipped: BTreeMap<SkipReason, u64>,
        pub invoices: Vec<()>,
    }
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
    pub struct SkipReason;
    impl SkipReason {
        pub const fn as_str(self) -> &'static str {
            "pending"
        }
    }
    impl Trace {
        pub fn items(&self, _stock: i64) -> Vec<NewItem> {
            todo!()
        }
    }
}
