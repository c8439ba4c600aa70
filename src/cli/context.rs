//! What every subcommand is given.

use anyhow::Context as _;

use super::Output;
use crate::config::Config;
use crate::flow::Flow;
use crate::wiring::{self, OmsPorts};

/// The configuration and the streams.
#[derive(Debug, Clone)]
pub struct Context {
    /// What the program was told.
    pub config: Config,
    /// How to talk.
    pub out: Output,
}

impl Context {
    /// Opens the configured backends; embedded ones are made and migrated if need be.
    ///
    /// # Errors
    /// What kept one from being opened, with what to do.
    pub fn open(&self) -> anyhow::Result<OmsPorts> {
        wiring::open(&self.config).context("cannot open the stores; `oms doctor` looks closer")
    }

    /// Starts the flow on the configured backends and bounds.
    ///
    /// # Errors
    /// As [`Context::open`].
    pub fn flow(&self) -> anyhow::Result<Flow<OmsPorts>> {
        Ok(wiring::start(self.open()?, self.config.settings()))
    }
}
