//! How the inventory port travels between two processes: one request per call, JSON, the same types at both ends.
//!
//! Each call is a POST to [`PREFIX`] and its [`Call::NAME`]. What is asked is a struct of this file; what is answered
//! are the port's own types. A failure is a problem document whose `kind` is that of the port's error, so that the
//! caller gets the error that the adapter gave. Unknown members are ignored, so that two versions can work together.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Adjusted, Adjustment, AdjustmentRow, AuditReport, AuditRequest, CheckedOrder, Checkpoint,
    Coverage, DeadLetterRow, DeadLetterState, GatewayRecord, HoldEnd, Item, NewItem, OrderFilter,
    Owed, PutOutcome, Refund, Reservation, ReserveBatch, Settle, Settlement, StockAnswer, Story,
};
use crate::domain::{
    AcceptedCart, Cart, CartError, Customer, GatewayId, Line, Order, OrderId, Sku, Timestamp,
};

/// What stands before the name of every call.
pub const PREFIX: &str = "/v1/inventory/batch/";

/// The largest request, in bytes. A batch of 4,000 usual carts has less than one million.
pub const REQUEST_BYTES_MAX: usize = 16 << 20;

/// The most rows that one call may ask for.
pub const LIMIT_MAX: usize = 100_000;

/// One call of the inventory port.
pub trait Call: Serialize + DeserializeOwned + Send + Sync {
    /// What it is called, at the end of its path.
    const NAME: &'static str;
    /// Whether it changes what is stored. Then, if it is not answered, it may have been done.
    const CHANGES: bool;
    /// What it is answered with.
    type Answer: Serialize + DeserializeOwned + Send;

    /// How many rows it asks for, if it says: at most [`LIMIT_MAX`].
    fn limit(&self) -> Option<usize> {
        None
    }
}

macro_rules! calls {
    ($($name:ident = $text:literal, $changes:literal -> $answer:ty $(, limit = $($member:ident).+)?;)+) => {
        $(
            impl Call for $name {
                const NAME: &'static str = $text;
                const CHANGES: bool = $changes;
                type Answer = $answer;
                $(
                    fn limit(&self) -> Option<usize> {
                        Some(self.$($member).+)
                    }
                )?
            }
        )+
    };
}

calls! {
    Reserve = "reserve", true -> Reservation;
    SettleAll = "settle", true -> Settlement;
    Stock = "stock", false -> StockAnswer;
    Orders = "orders", false -> Vec<Option<Order>>;
    Expired = "expired", false -> Vec<Order>, limit = limit;
    RefundsDue = "refunds-due", false -> Vec<Refund>, limit = limit;
    Refunded = "refunded", true -> ();
    PutItems = "put-items", true -> Vec<PutOutcome>;
    Items = "items", false -> Vec<Item>, limit = limit;
    OneItem = "item", false -> Option<Item>;
    Adjust = "adjust", true -> Vec<Adjusted>;
    Corrections = "corrections", false -> Vec<AdjustmentRow>, limit = limit;
    FindOrders = "find-orders", false -> Vec<Order>, limit = filter.limit;
    StoryOf = "story", false -> Option<Story>;
    Audit = "audit", false -> Audited;
    LastCheckpoint = "checkpoint", false -> Option<Checkpoint>;
    Cover = "cover", true -> bool;
    GatewayOnRecord = "gateway", false -> Option<GatewayRecord>;
    BindGateway = "bind-gateway", true -> GatewayRecord;
    RecordLetters = "record-letters", true -> ();
    Letters = "letters", false -> Vec<DeadLetterRow>, limit = limit;
    MarkLetters = "mark-letters", true -> u64;
}

/// Carts to decide together.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Reserve {
    /// The carts, in arrival order: `order_id`, `customer`, `lines` of `sku` and `quantity`, `accepted_at` in Unix
    /// milliseconds.
    carts: Vec<CartRow>,
    /// How long the items of a successful cart are held, in milliseconds.
    hold_ms: u64,
}

/// An accepted cart. Its hash is computed from it, at both ends.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct CartRow {
    order_id: OrderId,
    customer: Customer,
    lines: Vec<Line>,
    accepted_at: Timestamp,
}

impl From<&ReserveBatch> for Reserve {
    fn from(batch: &ReserveBatch) -> Self {
        let row = |accepted: &AcceptedCart| CartRow {
            order_id: accepted.order_id,
            customer: accepted.cart.customer().clone(),
            lines: accepted.cart.lines().to_vec(),
            accepted_at: accepted.accepted_at,
        };
        Self {
            carts: batch.carts.iter().map(row).collect(),
            hold_ms: millis(batch.hold),
        }
    }
}

impl TryFrom<Reserve> for ReserveBatch {
    type Error = CartError;

    fn try_from(sent: Reserve) -> Result<Self, CartError> {
        let cart = |row: CartRow| {
            let cart = Cart::new(row.customer, row.lines)?;
            Ok(AcceptedCart::new(row.order_id, cart, row.accepted_at))
        };
        Ok(Self {
            carts: sent.carts.into_iter().map(cart).collect::<Result<_, _>>()?,
            hold: Duration::from_millis(sent.hold_ms),
        })
    }
}

/// Orders to settle, in the given order.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SettleAll {
    /// Each an `order_id` and an `action`: `{"confirm":{"captured":1999}}`, `{"release":{"reason":"expired"}}` or
    /// `{"abandon":{"reason":"gave_up","customer":null,"cart_hash":null}}`.
    pub settles: Vec<Settle>,
}

/// Whose stock to tell.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Stock {
    /// The items.
    pub skus: Vec<Sku>,
    /// Whether to tell when the earliest hold on each runs out.
    pub with_holds: bool,
}

/// Which orders to tell.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Orders {
    /// Their ids.
    pub ids: Vec<OrderId>,
}

/// Orders whose hold has run out, by the database's clock.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Expired {
    /// Only those after this one.
    #[serde(default)]
    pub after: Option<HoldEnd>,
    /// At most so many.
    pub limit: usize,
}

/// Refunds that are recorded and not executed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RefundsDue {
    /// Only those after this one.
    #[serde(default)]
    pub after: Option<Owed>,
    /// At most so many.
    pub limit: usize,
}

/// Refunds that were executed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Refunded {
    /// Of these orders.
    pub ids: Vec<OrderId>,
}

/// Items to create or change.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PutItems {
    /// Each a `sku`, a `name`, a `price` in minor units and a first `stock`.
    pub items: Vec<NewItem>,
}

/// A page of the catalogue.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Items {
    /// Only items after this SKU, bytewise.
    pub after: Option<Sku>,
    /// At most so many.
    pub limit: usize,
}

/// One item.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct OneItem {
    /// Which.
    pub sku: Sku,
}

/// Stock to correct.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Adjust {
    /// Each an `id` that makes a repeat harmless, a `sku`, units `by`, and a `reason`.
    pub adjustments: Vec<Adjustment>,
}

/// The last corrections of an item.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Corrections {
    /// Which item.
    pub sku: Sku,
    /// At most so many.
    pub limit: usize,
}

/// Orders to find.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FindOrders {
    /// Only those that match: `state`, `reason`, `customer`, `after` (each may be null) and `limit`.
    pub filter: OrderFilter,
}

/// All that is known of one order.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct StoryOf {
    /// Which.
    pub id: OrderId,
}

/// The most orders that come with the report of an audit.
pub const CHECKED_MAX: usize = 200_000;

/// Every invariant that committed state can show.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Audit {
    /// By how much something may be late, in milliseconds.
    grace_ms: u64,
    /// Whether to read orders, too, that a checkpoint covers.
    #[serde(default)]
    full: bool,
    /// Orders whose batches no checkpoint may cover.
    #[serde(default)]
    at_fault: Vec<OrderId>,
    /// Whether the orders that were read are wanted.
    #[serde(default)]
    pub with_orders: bool,
}

impl Audit {
    /// With or without the orders that were read.
    pub fn new(request: &AuditRequest, with_orders: bool) -> Self {
        Self {
            grace_ms: millis(request.grace),
            full: request.full,
            at_fault: request.at_fault.clone(),
            with_orders,
        }
    }

    /// What to audit.
    pub fn request(&self) -> AuditRequest {
        AuditRequest {
            grace: Duration::from_millis(self.grace_ms),
            full: self.full,
            at_fault: self.at_fault.clone(),
        }
    }
}

/// What an audit came to.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Audited {
    /// What was counted and found.
    #[serde(flatten)]
    pub report: AuditReport,
    /// The orders that were read, if they were wanted; null if they are over 200,000.
    #[serde(default)]
    pub checked: Option<Vec<CheckedOrder>>,
}

/// The last checkpoint.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct LastCheckpoint {}

/// A checkpoint to write.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Cover {
    /// What an audit has found right, as its report says.
    pub coverage: Coverage,
    /// When that audit began, in Unix milliseconds.
    pub audited_at: Timestamp,
}

/// Which gateway vouches for the payments of the store.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct GatewayOnRecord {}

/// A gateway to record.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct BindGateway {
    /// Its `id`, its `location`, and since when it vouches for payments, in Unix milliseconds.
    pub record: GatewayRecord,
    /// The id of the one that it replaces; null where none is on record.
    pub replaces: Option<GatewayId>,
}

/// Dead letters to record.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RecordLetters {
    /// The letters; `key` and `payload` are base64.
    pub letters: Vec<DeadLetterRow>,
}

/// A page of dead letters.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Letters {
    /// Only those after this number.
    pub after: u64,
    /// At most so many.
    pub limit: usize,
}

/// Dead letters to mark.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct MarkLetters {
    /// Their numbers.
    pub ids: Vec<u64>,
    /// `replayed` or `dropped`.
    pub state: DeadLetterState,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes as base64: as numbers they would be four times as long.
pub(super) mod bytes {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map_err(D::Error::custom)
    }
}
