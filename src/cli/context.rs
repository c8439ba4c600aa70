//! What every subcommand is given.

use super::Output;
use super::advice::advice;
use crate::config::Config;
use crate::flow::Flow;
use crate::ports::Error;
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
    pub async fn open(&self) -> anyhow::Result<OmsPorts> {
        wiring::open(&self.config)
            .await
            .map_err(|error| advised("cannot open the stores", error))
    }

    /// Starts the flow on the configured backends and bounds.
    ///
    /// # Errors
    /// As [`Context::open`].
    pub async fn flow(&self) -> anyhow::Result<Flow<OmsPorts>> {
        Ok(wiring::start(self.open().await?, self.config.settings()))
    }

    /// Migrates servers, for commands that may be the first to use them; files migrate as they are opened.
    ///
    /// # Errors
    /// What kept one from being migrated, with what to do.
    pub async fn migrate_servers(&self) -> anyhow::Result<()> {
        wiring::migrate_servers(&self.config)
            .await
            .map_err(|error| advised("cannot migrate the stores", error))?;
        Ok(())
    }
}

/// What cannot be done with the stores, what to do, and why.
pub(super) fn advised(what: &str, error: Error) -> anyhow::Error {
    let help = match advice(&error) {
        Some(help) => format!("{what}; {help} (`oms doctor` looks closer)"),
        None => format!("{what}; `oms doctor` looks closer"),
    };
    anyhow::Error::new(error).context(help)
}
