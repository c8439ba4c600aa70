//! A URL as somebody wrote it.

use std::fmt;
use std::ops::Deref;

use super::redact;

/// A URL as somebody wrote it, right or wrong. `Debug` shows no password.
#[derive(Clone, PartialEq, Eq)]
pub struct UrlText(String);

impl From<String> for UrlText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Deref for UrlText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UrlText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&redact(&self.0), f)
    }
}
