//! What several routes read from a request: order ids, carts, waits, queries and paths.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::problem::{Kind, Problem};
use super::schema;
use crate::domain::{Cart, Customer, LINES_MAX, Line, OrderId, Quantity, Sku, parse_duration};

/// The header that makes a repeated request harmless. Its value is a UUID; of a cart it *is* the order id.
static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The UUID of the `Idempotency-Key` header, if there is one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<Uuid>, Problem> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let wrong = |what: &str| {
        Problem::new(
            Kind::Malformed,
            format!("the header Idempotency-Key {what}"),
        )
    };
    if values.next().is_some() {
        return Err(wrong("is there more than once"));
    }
    let text = value.to_str().unwrap_or_default().trim();
    match Uuid::try_parse(text) {
        Ok(key) => Ok(Some(key)),
        Err(_) => Err(wrong(
            "has to be a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057",
        )),
    }
}

/// The order id that a client chose, in the header or in the body; none to have one made.
pub(super) fn chosen_id(
    header: Option<Uuid>,
    body: Option<&str>,
) -> Result<Option<OrderId>, Problem> {
    let header = header.map(OrderId::new);
    let Some(text) = body else { return Ok(header) };
    let id: OrderId = text
        .parse()
        .map_err(|error| Problem::new(Kind::Invalid, format!("order_id: {error}")))?;
    if header.is_some_and(|header| header != id) {
        let what =
            "order_id and the header Idempotency-Key name two ids: send one of them, or the same";
        return Err(Problem::new(Kind::Malformed, what).about(id));
    }
    Ok(Some(id))
}

/// A cart as a client sends it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CartRequest<'a> {
    /// The client's own order id, which makes a retry harmless; left out, the service makes one. The header
    /// `Idempotency-Key` can carry it instead.
    #[serde(default)]
    #[schema(value_type = Option<schema::Uuid>)]
    pub(super) order_id: Option<Cow<'a, str>>,
    /// Who orders: 1 to 64 bytes.
    #[serde(borrow)]
    #[schema(value_type = String, example = "c1")]
    customer: Cow<'a, str>,
    /// 1 to 1,000 lines; those that name the same SKU are added up.
    #[serde(borrow)]
    #[schema(max_items = 1000, min_items = 1)]
    lines: Vec<LineRequest<'a>>,
}

/// A line of a cart as a client sends it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LineRequest<'a> {
    /// The item: 1 to 64 bytes, trimmed, case-sensitive.
    #[serde(borrow)]
    #[schema(value_type = String, example = "SKU-00001")]
    sku: Cow<'a, str>,
    /// How many units.
    #[schema(value_type = u32, minimum = 1, maximum = 1_000_000, example = 2)]
    quantity: Units,
}

impl CartRequest<'_> {
    /// The cart, or what is wrong with which line. Lines count from 1.
    pub(super) fn cart(&self) -> Result<Cart, Problem> {
        let invalid = |detail: String| Problem::new(Kind::Invalid, detail);
        let customer = Customer::new(&self.customer).map_err(|error| invalid(error.to_string()))?;
        // Before the lines are read one by one: there may be very many.
        if self.lines.len() > LINES_MAX {
            let lines = self.lines.len();
            let error = crate::domain::CartError::TooManyLines { lines };
            return Err(invalid(error.to_string()));
        }
        let mut lines = Vec::with_capacity(self.lines.len());
        for (index, line) in self.lines.iter().enumerate() {
            let read = line.read();
            lines.push(read.map_err(|what| invalid(format!("line {}: {what}", index + 1)))?);
        }
        Cart::new(customer, lines).map_err(|error| {
            invalid(match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            })
        })
    }
}

impl LineRequest<'_> {
    fn read(&self) -> Result<Line, String> {
        Ok(Line {
            sku: Sku::new(&self.sku).map_err(|error| error.to_string())?,
            quantity: match self.quantity {
                Units::Whole(units) => Quantity::new(units).map_err(|error| error.to_string())?,
                Units::Other(number) => {
                    return Err(format!("the quantity {number} is no whole number in range"));
                }
            },
        })
    }
}

/// A number that may be a quantity. Any number is read, so that the message can name the line.
#[derive(Debug, Clone, Copy)]
enum Units {
    Whole(i64),
    Other(f64),
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Units;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E>(self, units: i64) -> Result<Units, E> {
                Ok(Units::Whole(units))
            }

            fn visit_u64<E>(self, units: u64) -> Result<Units, E> {
                Ok(Units::Whole(i64::try_from(units).unwrap_or(i64::MAX)))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Units, E> {
                Ok(Units::Other(number))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// How long a response may take.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// The longest time until the response, such as `10s` or `500ms`. It bounds the response only, never the order.
    #[param(example = "10s")]
    wait: Option<String>,
}

impl WaitQuery {
    /// The wait, if one is asked for: at most `wait_max`.
    pub(super) fn read(&self, wait_max: Duration) -> Result<Option<Duration>, Problem> {
        let Some(text) = &self.wait else {
            return Ok(None);
        };
        let wrong = |detail: String| Problem::new(Kind::Malformed, format!("wait: {detail}"));
        let wait = parse_duration(text).map_err(|error| wrong(error.to_string()))?;
        if wait > wait_max {
            let most = crate::domain::format_duration(wait_max);
            return Err(wrong(format!(
                "`{text}` is too long: at most {most} are allowed"
            )));
        }
        Ok(Some(wait))
    }
}

/// A query string, with a problem document for one that is wrong. Unknown names are wrong: they are misspelt.
pub(super) struct Params<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => {
                let source = std::error::Error::source(&rejection);
                let what = source.map_or_else(|| rejection.to_string(), ToString::to_string);
                Err(Problem::new(
                    Kind::Malformed,
                    format!("the query is wrong: {what}"),
                ))
            }
        }
    }
}

/// The order id in a path.
pub(super) struct Id(pub(super) OrderId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = segment(parts, state).await?;
        text.parse()
            .map(Self)
            .map_err(|error: crate::domain::OrderIdError| {
                Problem::new(Kind::Malformed, error.to_string())
            })
    }
}

/// The SKU in a path.
pub(super) struct Item(pub(super) Sku);

impl<S: Send + Sync> FromRequestParts<S> for Item {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = segment(parts, state).await?;
        Sku::new(&text)
            .map(Self)
            .map_err(|error| Problem::new(Kind::Malformed, error.to_string()))
    }
}

/// The one variable segment of a path, decoded.
async fn segment<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Problem> {
    match Path::<String>::from_request_parts(parts, state).await {
        Ok(Path(text)) => Ok(text),
        Err(rejection) => Err(Problem::new(Kind::Malformed, rejection.body_text())),
    }
}
