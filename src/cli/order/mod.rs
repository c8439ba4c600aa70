//! `oms order`: looks at orders, makes them, places them, cancels them.

mod cancel;
mod create;
mod list;
mod place;
mod status;
mod tell;
mod view;
mod watch;
mod why;

use std::process::ExitCode;

use clap::Subcommand;

use super::Context;

/// What to do with orders.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show where an order stands
    Status(status::Args),
    /// List decided orders, by id
    List(list::Args),
    /// Tell an order's story: when, which batch, stock before and after, why, payments, refunds
    Why(why::Args),
    /// Follow an order until it is PLACED or FAILED
    Watch(watch::Args),
    /// Send a cart (addToCart)
    Create(create::Args),
    /// Place an order (placeOrder)
    Place(place::Args),
    /// Cancel an order that is not paid for
    Cancel(cancel::Args),
}

impl Verb {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        match self {
            Self::Status(args) => status::run(args, context).await,
            Self::List(args) => list::run(args, context).await,
            Self::Why(args) => why::run(args, context).await,
            Self::Watch(args) => watch::run(args, context).await,
            Self::Create(args) => create::run(args, context).await,
            Self::Place(args) => place::run(args, context).await,
            Self::Cancel(args) => cancel::run(args, context).await,
        }
    }
}
