//! Who and what: the order id and the customer.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// An order id: a UUID, stored as 16 bytes.
///
/// Time-ordered ids (`UUIDv7`) keep the primary key's pages together, which makes the database five to ten times
/// faster; any other UUID works.
/// It is written, and read, in one form only: 8-4-4-4-12 digits, lower case. Whoever compares ids as texts, such as a
/// cache or a log search, then never takes one order for two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct OrderId(Uuid);

impl OrderId {
    /// Wraps a UUID.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// A `UUIDv7` of a time in Unix milliseconds and ten random bytes.
    pub fn v7(unix_ms: u64, random: &[u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, random).into_uuid())
    }

    /// The 16 bytes that are stored.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id that was stored as these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The UUID itself.
    pub const fn uuid(&self) -> Uuid {
        self.0
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is no order id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an order id: expected a UUID in lower case such as 01890a5d-ac96-774b-bcce-b302099a8057"
)]
pub struct OrderIdError(String);

/// A UUID in its canonical form: 8-4-4-4-12 hexadecimal digits, lower case.
pub fn parse_canonical_uuid(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    let mut canonical = Uuid::encode_buffer();
    (uuid.hyphenated().encode_lower(&mut canonical) == text).then_some(uuid)
}

impl FromStr for OrderId {
    type Err = OrderIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || OrderIdError(text.chars().take(64).collect());
        parse_canonical_uuid(text).map(Self).ok_or_else(shown)
    }
}

impl<'de> Deserialize<'de> for OrderId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = OrderId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an order id")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OrderId, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Who orders: 1 to 64 bytes of text without control characters, trimmed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Customer(Arc<str>);

/// The longest customer name, in bytes.
pub const CUSTOMER_BYTES_MAX: usize = 64;

impl Customer {
    /// Checks and trims a customer's name.
    pub fn new(text: &str) -> Result<Self, CustomerError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(CustomerError::Empty);
        }
        if text.len() > CUSTOMER_BYTES_MAX {
            return Err(CustomerError::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(CustomerError::ControlCharacter);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for Customer {
    type Err = CustomerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl TryFrom<String> for Customer {
    type Error = CustomerError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<Customer> for String {
    fn from(customer: Customer) -> Self {
        customer.0.as_ref().to_owned()
    }
}

/// A text that is no customer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomerError {
    /// Nothing but white space.
    #[error("the customer is empty")]
    Empty,
    /// Longer than 64 bytes.
    #[error("the customer has {bytes} bytes: at most {CUSTOMER_BYTES_MAX} are allowed")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// A line break, a NUL, and the like.
    #[error("the customer contains a control character")]
    ControlCharacter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_id_is_read_in_the_form_in_which_it_is_written_and_in_no_other() {
        let id = OrderId::v7(1_700_000_000_000, &[0xab; 10]);
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<OrderId>(&json).unwrap(), id);
        for other in [
            text.to_uppercase(),
            text.replace('-', ""),
            format!("{{{text}}}"),
            format!("urn:uuid:{text}"),
            format!(" {text}"),
            text[1..].to_owned(),
        ] {
            assert!(other.parse::<OrderId>().is_err(), "{other}");
            let json = serde_json::to_string(&other).unwrap();
            assert!(serde_json::from_str::<OrderId>(&json).is_err(), "{other}");
        }
    }
}
