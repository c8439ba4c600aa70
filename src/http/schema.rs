//! Schemas of values that the domain defines, taken from the domain's own lists.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain;

/// The schema of [`domain::Status`].
pub(super) struct Status;

/// The schema of [`domain::Reason`].
pub(super) struct Reason;

/// The schema of order ids and idempotency keys.
pub(super) struct Uuid;

impl PartialSchema for Uuid {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom("uuid".to_owned())))
            .examples(["01890a5d-ac96-774b-bcce-b302099a8057"])
            .into()
    }
}

impl ToSchema for Uuid {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Uuid")
    }
}

fn one_of(texts: impl Iterator<Item = &'static str>, description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(texts))
        .description(Some(description))
        .into()
}

impl PartialSchema for Status {
    fn schema() -> RefOr<Schema> {
        one_of(
            domain::Status::ALL.into_iter().map(domain::Status::as_str),
            "Where an order stands. PLACED and FAILED are final.",
        )
    }
}

impl ToSchema for Status {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Status")
    }
}

impl PartialSchema for Reason {
    fn schema() -> RefOr<Schema> {
        one_of(
            domain::Reason::ALL.iter().map(|reason| reason.as_str()),
            "Why a cart was refused, or an order failed.",
        )
    }
}

impl ToSchema for Reason {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Reason")
    }
}
