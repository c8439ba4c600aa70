//! `oms statuses rebuild`: the projection, projected again.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use crate::cli::{Context, counted, exit};
use crate::domain::{Order, OrderState, Status, StatusSet};
use crate::inventory::{Administration, OrderFilter};
use crate::payments::{Payments, Verdict};
use crate::ports::Clock;
use crate::queue::Queue;
use crate::statuses::{Statuses, Transition, Transitioned};
use crate::wiring::OmsPorts;

/// How many orders one read asks for.
const PAGE: usize = 1_000;

/// How long a rebuilt final status is kept at hand, and any other beyond its hold; the database keeps it for good.
const KEPT: Duration = Duration::from_secs(86_400);

/// Arguments of `oms statuses rebuild`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
May run while orders are taken: a status is only overwritten by one that is further along, or by
an outcome of the database. INIT comes back by itself, when the worker decides.

Example:
  oms statuses rebuild --json")]
pub struct Args {}

/// What was found and done.
#[derive(Debug, Default, Serialize)]
struct Counts {
    /// Decided orders in the database.
    orders: u64,
    /// Statuses written.
    written: u64,
    /// Statuses that were already so, or further along.
    kept: u64,
    /// Orders that are not final and whose status claims that they are: the database has lost commits, or has moved
    /// on since it was read.
    ahead: u64,
    /// Carts that wait undecided; their INIT is not rebuilt.
    undecided: u64,
}

/// Writes the statuses, a page at a time.
pub(super) async fn run(_args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let ports = context.open_with_gateway().await?;
    let mut counts = Counts {
        undecided: ports.queue.backlog().await?,
        ..Counts::default()
    };
    let line = context.out.spinner();
    let mut after = None;
    loop {
        let filter = OrderFilter {
            after,
            limit: PAGE,
            ..OrderFilter::default()
        };
        let orders = ports.inventory.find_orders(filter).await?;
        let Some(last) = orders.last() else {
            break;
        };
        after = Some(last.order_id);
        rebuild(&ports, &orders, &mut counts).await?;
        line.set_message(counted(counts.orders, "order"));
    }
    line.finish_and_clear();
    report(&counts, context)
}

async fn rebuild(ports: &OmsPorts, orders: &[Order], counts: &mut Counts) -> anyhow::Result<()> {
    let now = ports.clock.now();
    let mut batch = Vec::with_capacity(orders.len());
    for order in orders {
        let status = present(ports, order).await?;
        batch.push(Transition {
            order_id: order.order_id,
            from: StatusSet::yields_to(status),
            to: status,
            reason: order.reason,
            cart_hash: order.cart_hash,
            at: order.settled_at.unwrap_or(order.decided_at),
            expires_at: now.max(order.hold_until).plus(KEPT),
        });
    }
    let results = ports.statuses.transition(batch.clone()).await?;
    for (transition, result) in batch.iter().zip(results) {
        counts.orders += 1;
        match result {
            Transitioned::Applied => counts.written += 1,
            Transitioned::Refused(Some(entry))
                if entry.status.is_final() && !transition.to.is_final() =>
            {
                counts.ahead += 1;
            }
            Transitioned::Refused(_) => counts.kept += 1,
        }
    }
    Ok(())
}

/// Where an order stands: the database says whether it is final, the gateway whether it is paid.
async fn present(ports: &OmsPorts, order: &Order) -> anyhow::Result<Status> {
    if order.state != OrderState::Blocked {
        return Ok(order.state.status());
    }
    Ok(match ports.payments.lookup(order.order_id).await? {
        None => Status::Block,
        Some(Verdict::Pending) => Status::PaymentPending,
        Some(Verdict::Captured { .. }) => Status::PaymentSuccess,
        Some(Verdict::Declined { .. }) => Status::PaymentFailed,
    })
}

fn report(counts: &Counts, context: &Context) -> anyhow::Result<ExitCode> {
    if context.out.is_json() {
        context.out.json(counts)?;
    } else {
        context.out.line(format_args!(
            "{}: statuses of {} written, {} right already; {} undecided",
            counted(counts.orders, "decided order"),
            counts.written,
            counts.kept,
            counted(counts.undecided, "cart")
        ))?;
    }
    if counts.ahead > 0 {
        context.out.warn(format_args!(
            "{} final and {} not; run it again, and `oms audit` if that stays",
            if counts.ahead == 1 {
                "1 status is".to_owned()
            } else {
                format!("{} statuses are", counts.ahead)
            },
            if counts.ahead == 1 {
                "its order is"
            } else {
                "their orders are"
            }
        ));
    }
    Ok(exit::DONE)
}
