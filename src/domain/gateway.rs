//! Which payment gateway: its name, as stores record it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest name of a gateway, in bytes.
pub const GATEWAY_ID_BYTES_MAX: usize = 500;

/// The name of a payment gateway: `simulated:` and the id of its ledger, or `scheme://host:port/base` of one over HTTP.
/// Two processes with one name charge at one gateway.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GatewayId(Arc<str>);

/// A text that cannot name a gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name of a gateway has 1 to {GATEWAY_ID_BYTES_MAX} bytes and no control characters")]
pub struct GatewayIdError;

impl GatewayId {
    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long, or holds control characters.
    pub fn new(text: &str) -> Result<Self, GatewayIdError> {
        let fits = (1..=GATEWAY_ID_BYTES_MAX).contains(&text.len());
        if !fits || text.chars().any(char::is_control) {
            return Err(GatewayIdError);
        }
        Ok(Self(text.into()))
    }

    /// The simulated gateway with this ledger.
    pub fn simulated(ledger_id: Uuid) -> Self {
        Self(format!("simulated:{ledger_id}").into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for GatewayId {
    type Error = GatewayIdError;

    fn try_from(text: String) -> Result<Self, GatewayIdError> {
        Self::new(&text)
    }
}

impl From<GatewayId> for String {
    fn from(id: GatewayId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for GatewayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GatewayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
