//! PLACEHOLDER until catalogues are merged.

use std::process::ExitCode;

use super::Context;

/// Arguments of `oms seed`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// PLACEHOLDER: always fails.
///
/// # Errors
/// Always.
pub async fn run(_args: Args, _context: &Context) -> anyhow::Result<ExitCode> {
    std::future::ready(()).await;
    anyhow::bail!("this build has no `oms seed` yet")
}
