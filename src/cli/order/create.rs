//! `oms order create`: sends a cart.

use std::process::ExitCode;
use std::str::FromStr;

use serde::Serialize;

use super::place;
use super::tell::explain;
use crate::cli::{Context, Usage, exit};
use crate::domain::{
    Cart, CartHash, Customer, Line, OrderId, Quantity, Reason, Sku, Status, format_duration,
};
use crate::flow::{AddToCart, Added, Refusal};

/// Arguments of `oms order create`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The same --id with the same cart is the same order, however often it is sent.

Examples:
  oms order create --line SKU-00001=2 --line SKU-00007
  oms order create --line SKU-00001 --customer c1 --place")]
pub struct Args {
    /// An item and how many of it; repeat for more lines [default quantity: 1]
    #[arg(long = "line", value_name = "SKU[=QUANTITY]", required = true)]
    lines: Vec<LineArg>,
    /// Whose cart it is
    #[arg(long, default_value = "cli")]
    customer: Customer,
    /// The order's id, a UUID; made if left out
    #[arg(long, value_name = "ID")]
    id: Option<OrderId>,
    /// Place it, too: waits for the worker, pays
    #[arg(long)]
    place: bool,
}

#[derive(Debug, Clone)]
struct LineArg(Line);

impl FromStr for LineArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The last `=`: a SKU may contain one.
        let (sku, quantity) = text.rsplit_once('=').unwrap_or((text, "1"));
        Ok(Self(Line {
            sku: Sku::new(sku).map_err(|error| error.to_string())?,
            quantity: Quantity::from_str(quantity).map_err(|error| error.to_string())?,
        }))
    }
}

#[derive(Serialize)]
struct Accepted {
    order_id: OrderId,
    status: Status,
    reason: Option<Reason>,
    cart_hash: CartHash,
}

#[derive(Serialize)]
struct TurnedAway<'a> {
    order_id: OrderId,
    refused: Reason,
    sku: &'a Sku,
    stock_version: u64,
    retry_after_ms: Option<u64>,
}

/// Sends the cart, and places it if asked to. A cart that is refused exits with 1.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let lines = args.lines.into_iter().map(|line| line.0).collect();
    let cart = Cart::new(args.customer, lines).map_err(|error| Usage::because(&error))?;
    let flow = if args.place {
        context.paying_flow().await?
    } else {
        context.flow_without_payments().await?
    };
    let request = AddToCart {
        order_id: args.id,
        cart,
    };
    let (order_id, status, reason, cart_hash) = match flow.add_to_cart(request).await? {
        Added::Accepted {
            order_id,
            cart_hash,
        } => (order_id, Status::Init, None, cart_hash),
        Added::Known {
            order_id,
            cart_hash,
            status,
            reason,
        } => (order_id, status, reason, cart_hash),
        Added::Refused(refusal) => return refused(&refusal, context),
    };
    if args.place {
        return place::place(&flow, order_id, Some(cart_hash), None, context).await;
    }
    if context.out.is_json() {
        context.out.json(&Accepted {
            order_id,
            status,
            reason,
            cart_hash,
        })?;
    } else {
        place::print(order_id, status, reason, context)?;
        if status == Status::Init {
            context
                .out
                .note(format_args!("place it with: oms order place {order_id}"));
        }
    }
    Ok(exit::DONE)
}

fn refused(refusal: &Refusal, context: &Context) -> anyhow::Result<ExitCode> {
    let retry_after = refusal.retry_after;
    if context.out.is_json() {
        context.out.json(&TurnedAway {
            order_id: refusal.order_id,
            refused: refusal.reason,
            sku: &refusal.sku,
            stock_version: refusal.stock_version,
            retry_after_ms: retry_after
                .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        })?;
    }
    let again = retry_after.map_or_else(String::new, |after| {
        format!("; try again within {}", format_duration(after))
    });
    anyhow::bail!(
        "the cart is refused: {} ({}): {}{again}",
        refusal.reason,
        refusal.sku,
        explain(refusal.reason)
    )
}
