//! The stock keeping unit.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest SKU, in bytes.
pub const SKU_BYTES_MAX: usize = 64;

/// A stock keeping unit: 1 to 64 bytes, trimmed, case-sensitive, ordered bytewise.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sku(Arc<str>);

impl Sku {
    /// Checks and trims a SKU.
    pub fn new(text: &str) -> Result<Self, SkuError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SkuError::Empty);
        }
        if text.len() > SKU_BYTES_MAX {
            return Err(SkuError::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(SkuError::ControlCharacter);
        }
        Ok(Self(text.into()))
    }

    /// The SKU of the `number`-th item of a synthetic catalogue: `SKU-00001` and so on.
    pub fn synthetic(number: u32) -> Self {
        Self(format!("SKU-{number:05}").into())
    }

    /// The SKU as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for Sku {
    type Err = SkuError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl TryFrom<String> for Sku {
    type Error = SkuError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<Sku> for String {
    fn from(sku: Sku) -> Self {
        sku.0.as_ref().to_owned()
    }
}

/// A text that is no SKU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SkuError {
    /// Nothing but white space.
    #[error("the SKU is empty")]
    Empty,
    /// Longer than 64 bytes.
    #[error("the SKU has {bytes} bytes: at most {SKU_BYTES_MAX} are allowed")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// A line break, a NUL, and the like.
    #[error("the SKU contains a control character")]
    ControlCharacter,
}
