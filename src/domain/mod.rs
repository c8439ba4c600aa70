//! What an order is: ids, carts, money, and the state machine. Pure: no I/O, no clock, no randomness.

mod cart;
mod cut;
mod duration;
mod gateway;
mod ids;
mod money;
mod order;
mod quantity;
mod reason;
mod sku;
mod status;
mod time;

pub use cart::{AcceptedCart, Cart, CartError, CartHash, LINES_MAX, Line};
pub use cut::{LETTER_CUT_BYTES_MAX, Original, cut_text};
pub use duration::{DURATION_MAX, DurationError, format_duration, parse_duration};
pub use gateway::{GATEWAY_ID_BYTES_MAX, GatewayId, GatewayIdError};
pub use ids::{
    CUSTOMER_BYTES_MAX, Customer, CustomerError, OrderId, OrderIdError, parse_canonical_uuid,
};
pub use money::{MONEY_MAX, Money, MoneyError};
pub use order::{BatchRef, Order, OrderLine, OrderState};
pub use quantity::{QUANTITY_MAX, Quantity, QuantityError};
pub use reason::{Reason, UnknownReason};
pub use sku::{SKU_BYTES_MAX, Sku, SkuError};
pub use status::{Event, IllegalEvent, Status, StatusSet, UnknownStatus};
pub use time::Timestamp;
