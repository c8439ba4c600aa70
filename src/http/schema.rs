//! Schemas of the values that the domain defines, from the domain's own bounds and lists.
//!
//! A schema has to be true: what it accepts is a value of the type. JSON Schema counts characters where the domain
//! counts bytes, so the pattern of a text allows as many characters of ASCII as there may be bytes, or a quarter as many
//! of any script.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::catalogue::{NAME_BYTES_MAX, REASON_BYTES_MAX, STOCK_MAX};
use crate::domain::{
    CUSTOMER_BYTES_MAX, CartHash, Customer, GATEWAY_ID_BYTES_MAX, GatewayId, MONEY_MAX, Money,
    OrderId, QUANTITY_MAX, Quantity, Reason, SKU_BYTES_MAX, Sku, Status, Timestamp,
};

/// An example of a UUID.
const UUID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// The schema of an id that is not an order's.
pub(super) struct UniqueId;

/// The schema of an answer without content.
pub(super) struct Null;

/// The schema of an item's name.
pub(super) struct ItemName;

/// The schema of an item's first stock.
pub(super) struct FirstStock;

/// The schema of the units of a correction.
pub(super) struct Correction;

/// The schema of the reason of a correction.
pub(super) struct CorrectionReason;

/// The schema of the time until a response.
pub(super) struct Wait;

/// Gives types a schema under a name.
macro_rules! schemas {
    ($($type:ty = $name:literal: $schema:expr;)+) => {
        $(
            impl PartialSchema for $type {
                fn schema() -> RefOr<Schema> {
                    $schema.into()
                }
            }

            impl ToSchema for $type {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed($name)
                }
            }
        )+
    };
}

schemas! {
    UniqueId = "Uuid": uuid("An id in canonical form: 8-4-4-4-12 hexadecimal digits, lower case.");
    OrderId = "OrderId": uuid("The id of an order, in canonical form: 8-4-4-4-12 hexadecimal digits, lower case. \
        Whoever knows it can place, cancel and read the order: treat it like a password.");
    Sku = "Sku": text(SKU_BYTES_MAX, "The stock keeping unit of an item: 1 to 64 bytes, trimmed, case-sensitive.")
        .examples(["SKU-00001"]);
    Customer = "Customer": text(CUSTOMER_BYTES_MAX, "Who orders: 1 to 64 bytes, trimmed.").examples(["c1"]);
    GatewayId = "GatewayId": text(GATEWAY_ID_BYTES_MAX, "The name of a payment gateway.")
        .examples(["https://gateway.example:443/base"]);
    CartHash = "CartHash": string("A hash of customer and cart.")
        .pattern(Some("^[0-9A-Fa-f]{32}$"))
        .min_length(Some(32))
        .max_length(Some(32))
        .examples(["0b4f6f5a0c9e4b6f8d1a2c3e4f506172"]);
    Quantity = "Quantity": integer("Units of one item.", 1, i64::from(QUANTITY_MAX)).examples([2]);
    Money = "Money": integer("An amount in minor units, such as cents.", 0, MONEY_MAX).examples([1999]);
    Timestamp = "Timestamp": integer("A point in time, in Unix milliseconds.", i64::MIN, i64::MAX)
        .examples([1_764_000_000_000_i64]);
    Status = "Status": string("Where an order stands. PLACED and FAILED are final.")
        .enum_values(Some(Status::ALL.into_iter().map(Status::as_str)));
    Reason = "Reason": string("Why a cart was refused, or an order failed.")
        .enum_values(Some(Reason::ALL.iter().map(|reason| reason.as_str())));
    ItemName = "ItemName": text(NAME_BYTES_MAX, "What people call an item: 1 to 200 bytes, trimmed.")
        .examples(["Oak Lantern"]);
    FirstStock = "FirstStock": integer("The units that an item is created with.", 0, STOCK_MAX).examples([13]);
    Correction = "Correction": integer("By how many units, up or down; not 0.", -STOCK_MAX, STOCK_MAX)
        .examples([-5]);
    CorrectionReason = "CorrectionReason": text(REASON_BYTES_MAX, "Why, in words: 1 to 500 bytes, trimmed.")
        .examples(["recount"]);
    Wait = "Wait": string("A whole number and one of ms, s, m, h, d.")
        .pattern(Some("^[0-9]+(?:ms|s|m|h|d)$"))
        .min_length(Some(2))
        .examples(["10s"]);
    Null = "Null": ObjectBuilder::new()
        .schema_type(Type::Null)
        .description(Some("Done: there is nothing to tell."));
}

/// The pattern of a text that is trimmed and then has 1 to `bytes_max` bytes and no control characters.
fn text_pattern(bytes_max: usize) -> String {
    let (ascii, any) = (bytes_max - 2, bytes_max / 4 - 2);
    let control = r"\x00-\x1f\x7f-\x9f";
    let edge = format!(r"[^\s{control}]");
    format!("^(?:[!-~](?:[ -~]{{0,{ascii}}}[!-~])?|{edge}(?:[^{control}]{{0,{any}}}{edge})?)$")
}

/// A text that is trimmed and then has 1 to `bytes_max` bytes and no control characters.
fn text(bytes_max: usize, description: &str) -> ObjectBuilder {
    string(description)
        .pattern(Some(text_pattern(bytes_max)))
        .min_length(Some(1))
        .max_length(Some(bytes_max))
}

fn string(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
}

fn uuid(description: &str) -> ObjectBuilder {
    string(description)
        .format(Some(SchemaFormat::Custom("uuid".to_owned())))
        .pattern(Some(
            "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        ))
        .examples([UUID])
}

/// A whole number in a range.
fn integer(description: &str, minimum: i64, maximum: i64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .description(Some(description))
        .minimum(Some(minimum))
        .maximum(Some(maximum))
}
