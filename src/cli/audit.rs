//! PLACEHOLDER of `oms audit`: replaced by its own branch when that is merged.

use std::process::ExitCode;

use super::Context;

/// Arguments of `oms audit`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// PLACEHOLDER: always fails.
///
/// # Errors
/// Always.
pub async fn run(_args: Args, _context: &Context) -> anyhow::Result<ExitCode> {
    std::future::ready(()).await;
    anyhow::bail!("this build has no `oms audit` yet")
}
