//! The inventory service: stock and decided orders. It holds the truth.
//!
//! The port is [`Inventory`]; administration is [`Administration`], [`Auditing`], [`GatewayBinding`] and
//! [`DeadLetterIndex`], implemented by the same adapters. What a batch does to the counters is decided in [`decide`], once, for every adapter: an adapter only
//! locks, loads, and writes. [`wire`] is how a batch travels to the service of another process, and [`http`] the adapter
//! that sends it there.

mod admin;
mod audit;
mod body;
mod bounds;
pub mod decide;
mod gateway;
pub mod http;
pub mod mysql;
mod overdue;
pub mod sqlite;
mod types;
pub mod wire;

use std::future::Future;

pub use crate::ports::Error;
pub use admin::{
    Adjusted, Adjustment, AdjustmentRow, Administration, Auditing, BatchRow, DeadLetterIndex,
    DeadLetterRow, DeadLetterState, Item, LETTER_DETAIL_BYTES_MAX, NewItem, OrderFilter,
    PutOutcome, Story,
};
pub(crate) use audit::Checksum;
pub use audit::{
    AuditReport, AuditRequest, BatchRange, Check, CheckedOrder, Checkpoint, Coverage, CoveredUnits,
    Finding, OrderPages, OrderSink,
};
pub use bounds::{STOCK_MAX, UnitsError, check_units, corrected};
pub use gateway::{GatewayBinding, GatewayRecord, LOCATION_CHARS_MAX};
pub use types::{
    HoldEnd, Owed, Refund, Reservation, ReserveBatch, ReserveOutcome, Settle, SettleAction,
    SettleOutcome, Settlement, StockAnswer, StockLevel,
};

use crate::domain::{Order, OrderId, Sku};

/// Stock and decided orders. Every method is one transaction or one read for the whole batch.
pub trait Inventory: Send + Sync + 'static {
    /// Decides carts in arrival order, each all-or-nothing, in one transaction.
    ///
    /// An order already decided keeps its outcome (redelivery is harmless). One outcome per cart, in the same order.
    /// A [`Error::is_transient`] error means that none or all of them were decided: repeat the whole batch.
    fn reserve(
        &self,
        batch: ReserveBatch,
    ) -> impl Future<Output = Result<Reservation, Error>> + Send;

    /// Confirms, releases and abandons orders in the given order, in one transaction.
    ///
    /// Stock moves only with an order that is still BLOCK; every action may be repeated. One outcome per action. An order
    /// whose rows contradict each other is left as it is, with its [`SettleOutcome::damage`], and the others go on.
    fn settle(&self, batch: Vec<Settle>) -> impl Future<Output = Result<Settlement, Error>> + Send;

    /// The committed stock of items, `None` for an unknown SKU, in the order asked for. With `with_holds` also when
    /// the earliest hold on each item runs out.
    fn stock(
        &self,
        skus: Vec<Sku>,
        with_holds: bool,
    ) -> impl Future<Output = Result<StockAnswer, Error>> + Send;

    /// Decided orders, `None` where the database knows none, in the order asked for.
    fn orders(
        &self,
        ids: Vec<OrderId>,
    ) -> impl Future<Output = Result<Vec<Option<Order>>, Error>> + Send;

    /// At most `limit` BLOCK orders whose hold has run out, longest overdue first, by the database's clock; those of
    /// one hold by id. With `after`, only those that come after it.
    fn expired(
        &self,
        after: Option<HoldEnd>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Order>, Error>> + Send;

    /// At most `limit` refunds that are recorded and not yet executed, oldest first; those of one moment by id. With
    /// `after`, only those that come after it.
    fn refunds_due(
        &self,
        after: Option<Owed>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Refund>, Error>> + Send;

    /// Marks refunds as executed; may be repeated.
    fn refunded(&self, ids: Vec<OrderId>) -> impl Future<Output = Result<(), Error>> + Send;
}
