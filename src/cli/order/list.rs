//! `oms order list`: decided orders.

use std::process::ExitCode;

use clap::ValueEnum;

use super::view::when;
use crate::cli::{Context, Table, exit};
use crate::config::parse_count;
use crate::domain::{Customer, Order, OrderId, OrderState, Reason};
use crate::inventory::{Administration, OrderFilter};

/// How many orders one read asks for.
const PAGE: usize = 1_000;

/// Arguments of `oms order list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oms order list --state failed --reason sold_out
  oms order list --limit 1000000 --json | jq -r .order_id")]
pub struct Args {
    /// Only orders in this state
    #[arg(
        long,
        value_enum,
        ignore_case = true,
        value_name = "block|placed|failed",
        hide_possible_values = true
    )]
    state: Option<State>,
    /// Only orders that failed for this reason, such as `sold_out`
    #[arg(long)]
    reason: Option<Reason>,
    /// Only this customer's
    #[arg(long)]
    customer: Option<Customer>,
    /// At most so many
    #[arg(long, value_name = "N", default_value = "100", value_parser = parse_count)]
    limit: u64,
    /// Only ids after this one
    #[arg(long, value_name = "ID")]
    after: Option<OrderId>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    /// Items blocked, not settled
    Block,
    /// Sold
    Placed,
    /// Not placed
    Failed,
}

impl From<State> for OrderState {
    fn from(state: State) -> Self {
        match state {
            State::Block => Self::Blocked,
            State::Placed => Self::Placed,
            State::Failed => Self::Failed,
        }
    }
}

/// Prints the orders that match, a page at a time.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let ports = context.open().await?;
    let mut left = usize::try_from(args.limit)?;
    let mut after = args.after;
    let mut table = table();
    while left > 0 {
        let filter = OrderFilter {
            state: args.state.map(OrderState::from),
            reason: args.reason,
            customer: args.customer.clone(),
            after,
            limit: left.min(PAGE),
        };
        let asked = filter.limit;
        let orders = ports.inventory.find_orders(filter).await?;
        left -= orders.len().min(left);
        after = orders.last().map(|order| order.order_id).or(after);
        for order in &orders {
            if context.out.is_json() {
                context.out.json(order)?;
            } else {
                table.row(cells(order));
            }
        }
        if orders.len() < asked {
            after = None;
            break;
        }
    }
    if !context.out.is_json() {
        context.out.table(&table)?;
        if let Some(last) = after.filter(|_| left == 0) {
            context.out.note(format_args!(
                "there may be more: use --after {last}, or a larger --limit"
            ));
        }
    }
    Ok(exit::DONE)
}

fn table() -> Table {
    Table::new(&[
        "order", "state", "reason", ">amount", ">lines", "customer", "decided",
    ])
}

fn cells(order: &Order) -> [String; 7] {
    [
        order.order_id.to_string(),
        order.state.status().to_string(),
        order.reason.map_or("-", Reason::as_str).to_owned(),
        order.amount.to_string(),
        order.lines.len().to_string(),
        (order.customer.as_ref()).map_or_else(|| "-".to_owned(), Customer::to_string),
        when(Some(order.decided_at)),
    ]
}
