//! `oms token new`: a random token, or a whole line for the token file.

use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;

use crate::cli::{Output, exit};
use crate::http::{Scope, new_token};

/// Arguments of `oms token new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Scopes: orders (carts and orders), stock (catalogue, corrections, metrics), internal (batch endpoints
for other oms processes). None implies another one.

Examples:
  oms token new --scope orders >> tokens       # a line for oms serve --tokens tokens
  oms token new --scope stock,internal --json
  oms token new > token                        # for ?token-file=token in a URL")]
pub struct Args {
    /// Print a line for the token file, with these scopes: orders, stock, internal
    #[arg(
        long = "scope",
        value_name = "SCOPE,...",
        value_delimiter = ',',
        num_args = 1
    )]
    scopes: Vec<Scope>,
}

#[derive(Serialize)]
struct Token {
    token: String,
    scopes: Vec<&'static str>,
}

/// Prints the token.
///
/// # Errors
/// When the system has no randomness, or the token cannot be written.
pub fn run(args: &Args, out: &Output) -> anyhow::Result<ExitCode> {
    let token = new_token().context("cannot make a token")?;
    // Each once, in the order of help.
    let scopes = Scope::ALL
        .iter()
        .filter(|scope| args.scopes.contains(scope));
    let scopes: Vec<&str> = scopes.map(|scope| scope.as_str()).collect();
    if out.is_json() {
        out.json(&Token { token, scopes })?;
    } else if scopes.is_empty() {
        out.line(token)?;
    } else {
        out.line(format_args!("{token} {}", scopes.join(",")))?;
    }
    Ok(exit::DONE)
}
