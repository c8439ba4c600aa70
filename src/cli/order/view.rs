//! What the order commands show in common.

use std::fmt::Display;

use serde::Serialize;

use crate::cli::{Colour, Context, Output, Table, counted};
use crate::domain::{
    Customer, Money, Order, OrderId, OrderLine, OrderState, Reason, Status, Timestamp,
};
use crate::flow::{Flow, Found, OrderView};
use crate::statuses::{StatusChange, Statuses};
use crate::wiring::OmsPorts;

/// An order as `status --json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    order_id: OrderId,
    status: Status,
    reason: Option<Reason>,
    customer: Option<Customer>,
    /// Empty until the cart is decided.
    lines: Vec<OrderLine>,
    /// None until the cart is decided.
    amount: Option<Money>,
    history: Vec<StatusChange>,
}

impl Shown {
    /// Joins what is known with the history that the status store still has.
    pub(super) async fn of(view: OrderView, flow: &Flow<OmsPorts>) -> anyhow::Result<Self> {
        let kept = flow.ports().statuses.history(view.order_id).await?;
        let history = history(kept, view.order.as_ref());
        let (customer, lines, amount) = match view.order {
            Some(order) => (order.customer, order.lines, Some(order.amount)),
            None => (None, Vec::new(), None),
        };
        Ok(Self {
            order_id: view.order_id,
            status: view.status,
            reason: view.reason,
            customer,
            lines,
            amount,
            history,
        })
    }

    pub(super) fn print(&self, context: &Context) -> anyhow::Result<()> {
        let out = &context.out;
        if out.is_json() {
            return out.json(self);
        }
        let field = |name: &str, value: &dyn Display| out.line(format_args!("{name:<9} {value}"));
        field("order", &self.order_id)?;
        field("status", &painted(out, self.status, self.reason))?;
        if let Some(customer) = &self.customer {
            field("customer", customer)?;
        }
        if let Some(amount) = &self.amount {
            field("amount", amount)?;
        }
        if !self.lines.is_empty() {
            let mut table = Table::new(&["sku", ">quantity", ">price"]);
            for line in &self.lines {
                table.row([
                    line.sku.to_string(),
                    line.quantity.to_string(),
                    line.price.to_string(),
                ]);
            }
            out.table(&table)?;
        }
        out.table(&history_table(&self.history))
    }
}

/// The statuses an order went through. The status store forgets; the database then tells what it knows.
pub(super) fn history(kept: Vec<StatusChange>, order: Option<&Order>) -> Vec<StatusChange> {
    let Some(order) = order.filter(|_| kept.is_empty()) else {
        return kept;
    };
    let change = |status, at| StatusChange { status, at };
    let mut history = Vec::new();
    if order.batch.is_some() {
        history.push(change(Status::Init, order.accepted_at));
    }
    if was_blocked(order) {
        history.push(change(Status::Block, order.decided_at));
    }
    if order.state != OrderState::Blocked {
        let at = order.settled_at.unwrap_or(order.decided_at);
        history.push(change(order.state.status(), at));
    }
    history
}

/// Whether its items were ever blocked.
pub(super) fn was_blocked(order: &Order) -> bool {
    order.state != OrderState::Failed || order.settled_at.is_some()
}

pub(super) fn history_table(history: &[StatusChange]) -> Table {
    let mut table = Table::new(&["time", "status"]);
    for change in history {
        table.row([change.at.to_string(), change.status.to_string()]);
    }
    table
}

/// A status with its reason, in a colour that says how it is.
pub(super) fn painted(out: &Output, status: Status, reason: Option<Reason>) -> String {
    let colour = match status {
        Status::Placed => Colour::Green,
        Status::Failed => Colour::Red,
        _ => Colour::Yellow,
    };
    let status = out.paint(colour, status);
    match reason {
        Some(reason) => format!("{status} ({reason})"),
        None => status,
    }
}

/// A moment of the day, or a dash.
pub(super) fn when(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}

/// Where an order stands, or an error that says what else it could be.
pub(super) async fn known(flow: &Flow<OmsPorts>, id: OrderId) -> anyhow::Result<OrderView> {
    match flow.find(id).await? {
        Found::Order(view) => Ok(view),
        Found::Unknown { backlog } => Err(unknown(id, backlog)),
    }
}

/// The error about an order that nobody knows.
pub(super) fn unknown(id: OrderId, backlog: u64) -> anyhow::Error {
    if backlog == 0 {
        return anyhow::anyhow!("there is no order {id}; `oms order list` shows those there are");
    }
    anyhow::anyhow!(
        "there is no order {id} yet; {} undecided, and it may be among them: run `oms worker`",
        counted(backlog, "cart")
    )
}
