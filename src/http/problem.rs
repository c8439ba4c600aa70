//! Errors as RFC 9457 problem documents.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{OrderId, QuantityError, Reason, Sku};
use crate::flow::{Failure, Refusal};
use crate::json;
use crate::ports::{self, ErrorKind};

/// The media type of problem documents.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// How long a client waits at least before it repeats what could not be done.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Kinds of problems: the end of their type URI, their status and their title. Clients may rely on all three.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $slug:literal, $title:literal;)+) => {
        /// What kind of problem it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $name,)+
        }

        impl Kind {
            const fn parts(self) -> (StatusCode, &'static str, &'static str) {
                match self {
                    $(Self::$name => (StatusCode::$status, concat!("urn:oms:problem:", $slug), $title),)+
                }
            }
        }
    };
}

kinds! {
    /// The request cannot be read: its JSON, its query, an id, a header.
    Malformed = BAD_REQUEST, "malformed", "The request cannot be read";
    /// The request can be read and makes no sense: a cart without lines, a quantity of 0.
    Invalid = UNPROCESSABLE_ENTITY, "invalid", "The request is not acceptable";
    /// The id was used with another cart, or with another correction.
    IdConflict = UNPROCESSABLE_ENTITY, "id-conflict", "The id was used for something else";
    /// No token, or one that is not known.
    Unauthorized = UNAUTHORIZED, "unauthorized", "A token is needed";
    /// The token lacks the scope that the route needs.
    Forbidden = FORBIDDEN, "forbidden", "The token does not allow this";
    /// Requests come faster than the service takes them.
    RateLimited = TOO_MANY_REQUESTS, "rate-limited", "Too many requests";
    /// Sold out, held by others, or not in the catalogue.
    Refused = CONFLICT, "refused", "The cart cannot be served";
    /// The order stands for another cart than the one meant.
    CartMismatch = CONFLICT, "cart-mismatch", "The order stands for another cart";
    /// The order was paid for and placed: it cannot be cancelled.
    AlreadyPlaced = CONFLICT, "already-placed", "The order is placed";
    /// Header and body name two ids.
    TwoIds = CONFLICT, "two-ids", "The request names two ids";
    /// The order belongs to another customer than the one named.
    CustomerMismatch = FORBIDDEN, "customer-mismatch", "The order belongs to another customer";
    /// The correction would take the stock out of its range.
    StockOutOfRange = CONFLICT, "stock-out-of-range", "The stock would leave its range";
    /// Nobody knows the order.
    UnknownOrder = NOT_FOUND, "unknown-order", "There is no such order";
    /// The catalogue does not have the item.
    UnknownSku = NOT_FOUND, "unknown-sku", "There is no such item";
    /// There is nothing under this path.
    NotFound = NOT_FOUND, "not-found", "There is nothing here";
    /// The path does not take this method.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not allowed here";
    /// The body took too long to arrive.
    BodyTimeout = REQUEST_TIMEOUT, "body-timeout", "The body took too long to arrive";
    /// The body is too large.
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large";
    /// The body is compressed, or encoded in another way.
    EncodedBody = UNSUPPORTED_MEDIA_TYPE, "encoded-body", "The body must not be encoded";
    /// The URI is too long.
    UriTooLong = URI_TOO_LONG, "uri-too-long", "The URI is too long";
    /// There are too many headers, or they are too long.
    HeadTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", "The head is too large";
    /// The body is not JSON.
    NotJson = UNSUPPORTED_MEDIA_TYPE, "not-json", "The body has to be JSON";
    /// Too many carts are waiting, or too many orders are being placed.
    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "Too much is waiting";
    /// No store knows the order, and carts that could be it are still to be decided.
    NotKnownYet = SERVICE_UNAVAILABLE, "not-known-yet", "The order is not known yet";
    /// A store was asked and did not say whether it did it.
    InDoubt = SERVICE_UNAVAILABLE, "in-doubt", "It may have been done";
    /// A store will never do it as asked.
    Impossible = UNPROCESSABLE_ENTITY, "impossible", "A store refuses it for good";
    /// A store did not answer.
    Unavailable = SERVICE_UNAVAILABLE, "unavailable", "A store does not answer";
    /// What is stored of the order contradicts itself: an administrator has to look at it.
    Damaged = INTERNAL_SERVER_ERROR, "damaged", "What is stored of the order is damaged";
    /// A fault of the program.
    Internal = INTERNAL_SERVER_ERROR, "internal", "A fault of the service";
}

/// A problem document on its way to a client.
#[derive(Debug)]
pub struct Problem {
    document: Box<Document>,
}

/// An RFC 9457 problem document; members that do not apply are left out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document {
    /// What kind of problem it is, as a URI: `urn:oms:problem:refused`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "urn:oms:problem:refused")]
    kind: &'static str,
    /// The kind in words.
    #[schema(value_type = String)]
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong this time, and what to do.
    detail: String,
    /// Why a cart was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    /// The item at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<Sku>,
    /// When trying again may help, in milliseconds; also as the header `Retry-After`, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// The version of the item's stock that the refusal was decided on; 0 for an unknown item.
    #[serde(skip_serializing_if = "Option::is_none")]
    stock_version: Option<u64>,
    /// The order: every problem of addToCart carries it. Repeat the request with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    /// The correction of stock: every problem of an adjustment carries it. Repeat the request with it as the header
    /// `Idempotency-Key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Uuid>)]
    adjustment_id: Option<Uuid>,
    /// Of a failed call of the inventory port (`/v1/inventory/batch/`) the kind of its error: `unavailable`,
    /// `outcome_unknown` or `permanent`.
    #[serde(rename = "kind", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    error_kind: Option<ErrorKind>,
    /// A JSON Pointer (RFC 6901) to the value of the request's body that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/lines/0/quantity")]
    pointer: Option<String>,
    /// The query parameter, path parameter or header that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "wait")]
    parameter: Option<Cow<'static, str>>,
    /// Whether a store failed: not part of the document.
    #[serde(skip)]
    store_failed: bool,
}

/// Goes along with a response when a store failed, for whoever watches over readiness.
#[derive(Debug, Clone)]
pub(super) struct StoreFailed(pub(super) String);

impl Problem {
    /// A problem, with what is wrong this time and what to do.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (status, uri, title) = kind.parts();
        Self {
            document: Box::new(Document {
                kind: uri,
                title,
                status: status.as_u16(),
                detail: detail.into(),
                reason: None,
                sku: None,
                retry_after_ms: None,
                stock_version: None,
                order_id: None,
                adjustment_id: None,
                error_kind: None,
                pointer: None,
                parameter: None,
                store_failed: false,
            }),
        }
    }

    /// A value of the body that is not acceptable: a JSON Pointer to it, and what is wrong with it.
    pub(super) fn invalid_at(pointer: impl Into<String>, what: &str) -> Self {
        let pointer = pointer.into();
        let mut problem = Self::new(Kind::Invalid, json::at(&pointer, what));
        problem.document.pointer = Some(pointer);
        problem
    }

    /// A parameter of the query or the path, or a header, that cannot be read, and what is wrong with it.
    pub(super) fn of_parameter(name: impl Into<Cow<'static, str>>, what: impl Display) -> Self {
        let name = name.into();
        let mut problem = Self::new(Kind::Malformed, format!("{name}: {what}"));
        problem.document.parameter = Some(name);
        problem
    }

    /// With the order it is about, unless it names one.
    #[must_use]
    pub fn about(mut self, id: OrderId) -> Self {
        self.document.order_id.get_or_insert(id);
        self
    }

    /// With the correction of stock that it is about.
    #[must_use]
    pub(super) fn about_adjustment(mut self, id: Uuid) -> Self {
        self.document.adjustment_id = Some(id);
        self
    }

    /// A correction that a store did not make, or may have made: a repeat is harmless only under the same id.
    pub(super) fn of_adjustment(id: Uuid, error: &ports::Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Unavailable => Kind::Unavailable,
            ErrorKind::OutcomeUnknown => Kind::InDoubt,
            ErrorKind::Permanent => {
                return Self::new(Kind::Impossible, error.chain()).about_adjustment(id);
            }
        };
        let detail = format!("{error}; repeat the request with Idempotency-Key: {id}");
        let problem = Self::new(kind, detail).of_store(error);
        problem.about_adjustment(id)
    }

    /// With the time after which trying again may help.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.document.retry_after_ms = Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// The error of a port, word for word, for another process that goes on with it.
    pub(super) fn of_port(error: &ports::Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Unavailable => Kind::Unavailable,
            ErrorKind::OutcomeUnknown => Kind::InDoubt,
            ErrorKind::Permanent => Kind::Impossible,
        };
        let mut problem = Self::new(kind, error.chain());
        problem.document.error_kind = Some(error.kind());
        if error.is_transient() {
            problem = problem.of_store(error);
        }
        problem
    }

    /// A fault of the program; what it is stands in the log only.
    pub(super) fn internal() -> Self {
        Self::new(
            Kind::Internal,
            "the request failed for a reason that the service did not expect; its log says more",
        )
    }

    /// The document alone, for an answer that is not made by a route.
    pub(super) fn into_body(self) -> Vec<u8> {
        serde_json::to_vec(&self.document).unwrap_or_default()
    }

    /// A cart whose lines ask for more units of one item than a line may.
    pub(super) fn too_many_units(sku: Sku, error: &QuantityError) -> Self {
        let detail = format!("the lines of {sku} add up to too much: {error}");
        let mut problem = Self::new(Kind::Refused, detail).because(Reason::Limit);
        problem.document.sku = Some(sku);
        problem
    }

    fn because(mut self, reason: Reason) -> Self {
        self.document.reason = Some(reason);
        self
    }

    fn of_store(mut self, error: &ports::Error) -> Self {
        tracing::warn!(error = %error.chain(), "a store failed");
        self.document.store_failed = true;
        self.retry_after(RETRY_AFTER)
    }
}

impl From<ports::Error> for Problem {
    fn from(error: ports::Error) -> Self {
        let detail = format!("{error}; repeat the request, which does no harm");
        Self::new(Kind::Unavailable, detail).of_store(&error)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let detail = failure.to_string();
        match failure {
            Failure::IdConflict { order_id } => Self::new(Kind::IdConflict, detail)
                .because(Reason::IdConflict)
                .about(order_id),
            Failure::CartMismatch { order_id } => {
                Self::new(Kind::CartMismatch, detail).about(order_id)
            }
            Failure::CustomerMismatch { order_id } => {
                Self::new(Kind::CustomerMismatch, detail).about(order_id)
            }
            Failure::UnknownOrder { order_id } => {
                Self::new(Kind::UnknownOrder, detail).about(order_id)
            }
            // What is damaged stands in the log; a client can only wait for its repair.
            Failure::Damaged { order_id, .. } => Self::new(Kind::Damaged, detail).about(order_id),
            Failure::NotKnownYet { order_id, .. } => Self::new(Kind::NotKnownYet, detail)
                .retry_after(RETRY_AFTER)
                .about(order_id),
            Failure::Overloaded { order_id, .. } => Self::new(Kind::Overloaded, detail)
                .retry_after(RETRY_AFTER)
                .about(order_id),
            Failure::Port { order_id, source } => Self::new(Kind::Unavailable, detail)
                .of_store(&source)
                .about(order_id),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let sku = &refusal.sku;
        let detail = match refusal.reason {
            Reason::SoldOut => format!("{sku} is sold out"),
            Reason::Held => {
                format!("all that is left of {sku} is held for others; some may come back")
            }
            Reason::UnknownSku => format!("the catalogue has no item {sku}"),
            other => format!("{sku}: {other}"),
        };
        let mut problem = Self::new(Kind::Refused, detail)
            .because(refusal.reason)
            .about(refusal.order_id);
        if let Some(wait) = refusal.retry_after {
            problem = problem.retry_after(wait);
        }
        problem.document.stock_version = Some(refusal.stock_version);
        problem.document.sku = Some(refusal.sku);
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = self.document;
        let status =
            StatusCode::from_u16(document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(wait_ms) = document.retry_after_ms {
            headers.insert(header::RETRY_AFTER, seconds(wait_ms));
        }
        if document.store_failed {
            let failed = StoreFailed(document.detail);
            response.extensions_mut().insert(failed);
        }
        response
    }
}

/// Milliseconds as the whole seconds of `Retry-After`, rounded up.
pub(super) fn seconds(wait_ms: u64) -> HeaderValue {
    HeaderValue::from(wait_ms.div_ceil(1_000))
}
