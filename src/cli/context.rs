//! What every subcommand is given.

use super::Output;
use super::advice::advice;
use crate::config::Config;
use crate::flow::Flow;
use crate::payments::GatewayIdentity;
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

    /// As [`Context::open`], for what compares payments with orders: another gateway than the store's is refused.
    ///
    /// # Errors
    /// As [`Context::open`]; or when store and gateway do not belong together (rule 20).
    pub async fn open_with_gateway(&self) -> anyhow::Result<OmsPorts> {
        let ports = self.open().await?;
        wiring::check_gateway(&ports.inventory, &ports.payments)
            .await
            .map_err(of_gateway)?;
        Ok(ports)
    }

    /// Starts the flow for commands that can charge, cancel or refund: store and gateway are recorded with each other.
    ///
    /// # Errors
    /// As [`Context::open_with_gateway`].
    pub async fn flow(&self) -> anyhow::Result<Flow<OmsPorts>> {
        let ports = self.open().await?;
        wiring::bind_gateway(&ports.inventory, &ports.payments)
            .await
            .map_err(of_gateway)?;
        Ok(wiring::start(ports, self.config.settings()))
    }

    /// As [`Context::flow`], for commands that charge at once: the gateway has to answer.
    ///
    /// # Errors
    /// As [`Context::flow`], or when the gateway does not answer.
    pub async fn paying_flow(&self) -> anyhow::Result<Flow<OmsPorts>> {
        let flow = self.flow().await?;
        flow.ports()
            .payments
            .probe()
            .await
            .map_err(|error| advised("cannot reach the payment gateway", error))?;
        Ok(flow)
    }

    /// As [`Context::flow`], for services: carts are taken and decided while the gateway is away, so that this is only
    /// said.
    ///
    /// # Errors
    /// As [`Context::flow`].
    pub async fn serving_flow(&self) -> anyhow::Result<Flow<OmsPorts>> {
        let flow = self.flow().await?;
        if let Err(error) = flow.ports().payments.probe().await {
            self.out.warn(format_args!(
                "{}; carts are decided, and their payments wait",
                super::run::chain(&error)
            ));
        }
        Ok(flow)
    }

    /// Starts the flow for commands that only read, or send carts: whatever the gateway is.
    ///
    /// # Errors
    /// As [`Context::open`].
    pub async fn flow_without_payments(&self) -> anyhow::Result<Flow<OmsPorts>> {
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

/// A mismatch says itself what to do; everything else is of a store.
fn of_gateway(error: Error) -> anyhow::Error {
    if wiring::is_mismatch(&error) {
        anyhow::Error::new(error)
    } else {
        advised("cannot compare the store with its payment gateway", error)
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
