//! Administration of the inventory: catalogue, corrections, order search, the index of dead letters.

use std::future::Future;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    AuditReport, AuditRequest, Check, Checkpoint, Coverage, Error, OrderSink, Refund, StockLevel,
};
use crate::domain::{
    Customer, LETTER_CUT_BYTES_MAX, Money, Order, OrderId, OrderState, Original, Reason, Sku,
    Timestamp, cut_text,
};

/// The most bytes of [`DeadLetterRow::detail`]: adapters cut longer ones.
pub const LETTER_DETAIL_BYTES_MAX: usize = 2 << 10;

/// How many items [`Administration::item`] reads at once.
const ITEM_PAGE: usize = 100;

/// The catalogue, corrections, and what an administrator asks.
pub trait Administration: Send + Sync + 'static {
    /// Creates items with their first stock; of a known item only name and price change. One outcome per item.
    fn put_items(
        &self,
        items: Vec<NewItem>,
    ) -> impl Future<Output = Result<Vec<PutOutcome>, Error>> + Send;

    /// At most `limit` items after a SKU, ordered by SKU (bytewise).
    fn items(
        &self,
        after: Option<Sku>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Item>, Error>> + Send;

    /// One item, `None` for an unknown SKU. An adapter that can read a single row does so instead.
    fn item(&self, sku: Sku) -> impl Future<Output = Result<Option<Item>, Error>> + Send {
        async move {
            // Few items stand between a SKU and the same without its last character.
            let mut before = sku.as_str().to_owned();
            before.pop();
            let mut after = Sku::new(&before).ok();
            loop {
                let page = self.items(after, ITEM_PAGE).await?;
                let passed = page.last().is_none_or(|last| last.level.sku >= sku);
                after = page.last().map(|last| last.level.sku.clone());
                let found = page.into_iter().find(|item| item.level.sku == sku);
                if found.is_some() || passed {
                    return Ok(found);
                }
            }
        }
    }

    /// Corrects stock. The id makes a retry harmless (rule 12). One outcome per adjustment.
    fn adjust(
        &self,
        adjustments: Vec<Adjustment>,
    ) -> impl Future<Output = Result<Vec<Adjusted>, Error>> + Send;

    /// The last `limit` corrections of an item, latest first.
    fn adjustments(
        &self,
        sku: Sku,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<AdjustmentRow>, Error>> + Send;

    /// Orders that match, ordered by id.
    fn find_orders(
        &self,
        filter: OrderFilter,
    ) -> impl Future<Output = Result<Vec<Order>, Error>> + Send;

    /// All the database knows of one order.
    fn story(&self, id: OrderId) -> impl Future<Output = Result<Option<Story>, Error>> + Send;
}

/// Which store it is, and whether its committed state holds the invariants.
pub trait Auditing: Send + Sync + 'static {
    /// The id of this store, made when it was created. Two URLs with one id are one store.
    fn store_id(&self) -> impl Future<Output = Result<Uuid, Error>> + Send;

    /// The last checkpoint, `None` before the first.
    fn checkpoint(&self) -> impl Future<Output = Result<Option<Checkpoint>, Error>> + Send;

    /// Checks every invariant that committed state can show, reading one consistent snapshot. Orders that a checkpoint
    /// covers are read by a full audit, or where there is no checkpoint. Hands the orders that it reads over to `orders`.
    fn audit(
        &self,
        request: AuditRequest,
        orders: OrderSink,
    ) -> impl Future<Output = Result<AuditReport, Error>> + Send;

    /// Writes a checkpoint for what an audit found right, which began at `audited_at`. Whether it is written: not if
    /// another audit has written one since.
    fn cover(
        &self,
        coverage: Coverage,
        audited_at: Timestamp,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// The query behind each check, as an administrator can run it by hand: what it checks, and its SQL.
    fn audit_sql(&self) -> Vec<(Check, &'static str)>;
}

/// Where dead letters are looked up. The queue keeps them, too, as its own kind of message.
pub trait DeadLetterIndex: Send + Sync + 'static {
    /// Records dead letters; one already recorded (same topic, partition and offset) is left alone. Details are cut at
    /// [`LETTER_DETAIL_BYTES_MAX`].
    ///
    /// A permanent error means that at least one of them will never be taken as it is, such as a payload too large for
    /// this store; [`DeadLetterRow::cut`] makes it smaller.
    fn record(&self, letters: Vec<DeadLetterRow>)
    -> impl Future<Output = Result<(), Error>> + Send;

    /// At most `limit` dead letters after an id, oldest first.
    fn letters(
        &self,
        after: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<DeadLetterRow>, Error>> + Send;

    /// Moves pending letters to a state; returns how many were still pending.
    fn mark(
        &self,
        ids: Vec<u64>,
        state: DeadLetterState,
    ) -> impl Future<Output = Result<u64, Error>> + Send;
}

/// An item to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewItem {
    /// Its SKU.
    pub sku: Sku,
    /// What people call it; at most 200 bytes.
    pub name: String,
    /// The price of one unit.
    pub price: Money,
    /// The first stock, 0 or more; ignored for a known item.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub stock: i64,
}

/// What became of an item that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PutOutcome {
    /// It is new.
    Created,
    /// Name or price changed.
    Changed,
    /// It was already so.
    Unchanged,
}

/// An item of the catalogue with its stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Item {
    /// What people call it.
    pub name: String,
    /// The price of one unit.
    pub price: Money,
    /// The stock it was created with.
    pub initial: i64,
    /// The sum of all corrections.
    pub adjusted: i64,
    /// The stock now.
    #[serde(flatten)]
    pub level: StockLevel,
}

/// A correction of stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Adjustment {
    /// Makes a retry harmless.
    pub id: Uuid,
    /// Which item.
    pub sku: Sku,
    /// By how many units, up or down; never 0.
    pub by: i64,
    /// Why, in words.
    pub reason: String,
}

/// What became of a correction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Adjusted {
    /// Done now.
    Applied(StockLevel),
    /// Done earlier under this id.
    Repeated(StockLevel),
    /// The id was used for another correction; nothing was changed.
    IdConflict,
    /// There is no such item.
    UnknownSku,
    /// The stock would leave the range of ±10¹²; nothing was changed.
    OutOfRange,
}

/// A correction as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdjustmentRow {
    /// Its id.
    pub id: Uuid,
    /// Which item.
    pub sku: Sku,
    /// By how many units.
    pub by: i64,
    /// Why, in words.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// What was available afterwards.
    pub available_after: i64,
}

/// Which orders to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct OrderFilter {
    /// Only this state.
    pub state: Option<OrderState>,
    /// Only this reason.
    pub reason: Option<Reason>,
    /// Only this customer.
    pub customer: Option<Customer>,
    /// Only ids after this one.
    pub after: Option<OrderId>,
    /// At most so many.
    pub limit: usize,
}

/// All the database knows of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Story {
    /// The order.
    pub order: Order,
    /// The batch that decided it.
    pub batch: Option<BatchRow>,
    /// What is owed, or was returned.
    pub refund: Option<Refund>,
}

/// A batch of decided carts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchRow {
    /// Its number.
    pub id: u64,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// How many carts it decided.
    pub orders: u64,
    /// How many of them were blocked.
    pub blocked: u64,
}

/// A dead letter as the index keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterRow {
    /// Its number in the index; 0 for one that is not recorded yet.
    pub id: u64,
    /// The topic it was read from.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub offset: u64,
    /// The order it names, if it could be read that far.
    pub order_id: Option<OrderId>,
    /// What was wrong: `id_conflict` or `poison`.
    pub reason: Reason,
    /// What was wrong, in words.
    pub detail: String,
    /// The message's key.
    #[serde(with = "super::wire::bytes")]
    #[schema(value_type = String, pattern = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$", example = "")]
    pub key: Vec<u8>,
    /// The message, byte for byte; only the beginning if `original` says so.
    #[serde(with = "super::wire::bytes")]
    #[schema(value_type = String, pattern = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$", example = "")]
    pub payload: Vec<u8>,
    /// Of a message whose key and payload were cut, since a store would not keep them whole: what the payload was. Such
    /// a letter cannot be replayed.
    #[serde(default)]
    pub original: Option<Original>,
    /// When the worker gave up on it.
    pub at: Timestamp,
    /// What was done about it.
    pub state: DeadLetterState,
}

impl DeadLetterRow {
    /// The same with a detail that every store can keep.
    #[must_use]
    pub fn with_bounded_detail(mut self) -> Self {
        if self.detail.len() > LETTER_DETAIL_BYTES_MAX {
            self.detail = cut_text(&self.detail, LETTER_DETAIL_BYTES_MAX);
        }
        self
    }

    /// The same with only the beginning of the message, and what is needed to recognise the whole of it.
    #[must_use]
    pub fn cut(mut self) -> Self {
        let original = Original::of(&self.payload);
        self.original.get_or_insert(original);
        self.key.truncate(LETTER_CUT_BYTES_MAX);
        self.payload.truncate(LETTER_CUT_BYTES_MAX);
        self
    }
}

/// What was done about a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterState {
    /// Nothing yet.
    Pending,
    /// It was published again.
    Replayed,
    /// It was dropped by an administrator.
    Dropped,
}

impl DeadLetterState {
    /// The state as it stands in the database and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Replayed => "replayed",
            Self::Dropped => "dropped",
        }
    }

    /// The state that [`DeadLetterState::as_str`] stored.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Pending, Self::Replayed, Self::Dropped]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}
