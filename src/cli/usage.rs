//! Errors of usage that only show after parsing.

use std::fmt;

/// The command was asked wrongly, which its arguments alone could not tell: exit code 2.
#[derive(Debug)]
pub struct Usage(String);

impl Usage {
    /// What is wrong, and what to do.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// What is wrong, as an error tells it.
    pub fn because(error: &impl std::error::Error) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
