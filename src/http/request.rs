//! What several routes read from a request: order ids, carts, waits, queries and paths.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use serde::Deserialize;
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::problem::{Kind, Problem};
use super::schema;
use crate::domain::{
    Cart, CartError, Customer, DurationError, LINES_MAX, Line, OrderId, OrderIdError, Quantity,
    Sku, parse_canonical_uuid, parse_duration,
};

/// The header that makes a repeated request harmless. Its value is a UUID; of a cart it *is* the order id.
static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The UUID of the `Idempotency-Key` header, if there is one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<Uuid>, Problem> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let wrong = |what| Problem::of_parameter("Idempotency-Key", what);
    if values.next().is_some() {
        return Err(wrong("this header is there more than once"));
    }
    let key = parse_canonical_uuid(value.to_str().unwrap_or_default().trim());
    key.map(Some).ok_or_else(|| {
        wrong("expected a UUID in lower case such as 01890a5d-ac96-774b-bcce-b302099a8057")
    })
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
        .map_err(|error: OrderIdError| Problem::invalid_at("/order_id", &error.to_string()))?;
    if header.is_some_and(|header| header != id) {
        let what =
            "order_id and the header Idempotency-Key name two ids: send one of them, or the same";
        return Err(Problem::new(Kind::TwoIds, what).about(id));
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
    #[schema(value_type = Option<OrderId>)]
    pub(super) order_id: Option<Cow<'a, str>>,
    /// Who orders: 1 to 64 bytes.
    #[serde(borrow)]
    #[schema(value_type = Customer)]
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
    #[schema(value_type = Sku)]
    sku: Cow<'a, str>,
    /// How many units.
    #[schema(value_type = Quantity)]
    quantity: i64,
}

impl CartRequest<'_> {
    /// The cart, or what is wrong with which line.
    pub(super) fn cart(&self) -> Result<Cart, Problem> {
        let customer = Customer::new(&self.customer)
            .map_err(|error| Problem::invalid_at("/customer", &error.to_string()))?;
        // Before the lines are read one by one: there may be very many.
        if self.lines.len() > LINES_MAX {
            let lines = self.lines.len();
            let error = CartError::TooManyLines { lines };
            return Err(Problem::invalid_at("/lines", &error.to_string()));
        }
        let lines = self.lines.iter().enumerate();
        let lines = lines.map(|(index, line)| {
            line.read().map_err(|(member, what)| {
                Problem::invalid_at(format!("/lines/{index}/{member}"), &what)
            })
        });
        Cart::new(customer, lines.collect::<Result<_, _>>()?).map_err(|error| match error {
            CartError::Sum { sku, source } => Problem::too_many_units(sku, &source),
            other => Problem::invalid_at("/lines", &other.to_string()),
        })
    }
}

impl LineRequest<'_> {
    /// The line, or which member is wrong, and how.
    fn read(&self) -> Result<Line, (&'static str, String)> {
        Ok(Line {
            sku: Sku::new(&self.sku).map_err(|error| ("sku", error.to_string()))?,
            quantity: Quantity::new(self.quantity)
                .map_err(|error| ("quantity", error.to_string()))?,
        })
    }
}

/// How long a response may take.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// The longest time until the response, such as `10s` or `500ms`. It bounds the response only, never the order. A
    /// time beyond the service's own limit (3 minutes unless configured) is cut to that.
    #[param(value_type = Option<schema::Wait>)]
    wait: Option<String>,
}

impl FromQuery for WaitQuery {
    const NAMES: &'static [&'static str] = &["wait"];

    fn from_query(mut value: impl FnMut(&str) -> Option<String>) -> Self {
        Self {
            wait: value("wait"),
        }
    }
}

impl WaitQuery {
    /// The wait, if one is asked for. One that is longer than the service ever waits is cut to that.
    pub(super) fn read(&self, wait_max: Duration) -> Result<Option<Duration>, Problem> {
        let Some(text) = &self.wait else {
            return Ok(None);
        };
        match parse_duration(text) {
            Ok(wait) => Ok(Some(wait.min(wait_max))),
            Err(DurationError::TooLong(_)) => Ok(Some(wait_max)),
            Err(error) => Err(Problem::of_parameter("wait", error)),
        }
    }
}

/// Whose order it has to be.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CustomerQuery {
    /// Whose order it is: the items of another customer's order are not given back (403).
    #[param(value_type = Option<Customer>)]
    customer: Option<String>,
}

impl FromQuery for CustomerQuery {
    const NAMES: &'static [&'static str] = &["customer"];

    fn from_query(mut value: impl FnMut(&str) -> Option<String>) -> Self {
        Self {
            customer: value("customer"),
        }
    }
}

impl CustomerQuery {
    pub(super) fn read(&self) -> Result<Option<Customer>, Problem> {
        let customer = self.customer.as_deref().map(Customer::new).transpose();
        customer.map_err(|error| Problem::of_parameter("customer", error))
    }
}

/// What a route takes in its query string.
pub(super) trait FromQuery {
    /// The names of all parameters.
    const NAMES: &'static [&'static str];

    /// From the values of the parameters that are there.
    fn from_query(value: impl FnMut(&str) -> Option<String>) -> Self;
}

/// A query string. A name that is not known, which may be misspelt, or one that is there twice is a problem.
pub(super) struct Params<T>(pub(super) T);

impl<S: Sync, T: FromQuery> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes()) {
            let Some(known) = T::NAMES.iter().find(|known| **known == name) else {
                let name: String = name.chars().take(64).collect();
                let known = T::NAMES.join("` and `");
                let what = format!("unknown query parameter; this path takes `{known}`");
                return Err(Problem::of_parameter(name, what));
            };
            if values.insert(*known, value.into_owned()).is_some() {
                let what = "this query parameter is there more than once";
                return Err(Problem::of_parameter(*known, what));
            }
        }
        Ok(Self(T::from_query(|name| values.remove(name))))
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
            .map_err(|error: OrderIdError| Problem::of_parameter("id", error))
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
            .map_err(|error| Problem::of_parameter("sku", error))
    }
}

/// The one variable segment of a path, decoded.
async fn segment<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Problem> {
    match Path::<String>::from_request_parts(parts, state).await {
        Ok(Path(text)) => Ok(text),
        Err(rejection) => Err(Problem::new(Kind::Malformed, rejection.body_text())),
    }
}
