//! After the last buyer has left: waits until what is still under way has ended, and finds out what became of it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::measure::{Counts, slot};
use super::told::{Answer, Told};
use crate::domain::{Order, OrderId, OrderState, Reason};
use crate::inventory::Inventory;
use crate::payments::{Payments, Verdict};
use crate::ports::{Error, Ports};
use crate::queue::Queue;

/// How often it is looked again.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How many orders are looked at while they are not final.
const LOOK_AT: usize = 200;

/// The most orders read at once.
const PAGE: usize = 2_000;

/// What became of the orders about which their clients were told nothing final.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Aftermath {
    /// Accepted, and not final when the time was over: the service forgot them.
    pub stuck: Vec<OrderId>,
    /// Accepted, and still in the queue when the time was over: no worker came by, and nothing is lost.
    pub queued: Vec<OrderId>,
    /// Accepted, and not final, since the gateway owes its verdict.
    pub awaiting_gateway: Vec<OrderId>,
    /// Refunds that were due and not executed when the time was over.
    pub unrefunded: u64,
}

/// Waits until every order that was accepted is final and every refund is executed, at most until the deadline or
/// until `stop` becomes true; then counts what became of the orders that were open.
///
/// # Errors
/// When the inventory or the queue does not answer.
pub async fn wait<P: Ports>(
    ports: &P,
    told: &[Told],
    counts: &mut Counts,
    deadline: Instant,
    stop: &watch::Receiver<bool>,
) -> Result<Aftermath, Error> {
    let open: Vec<&Told> = told.iter().filter(|told| told.answer.is_open()).collect();
    let end = ports.queue().end().await?;
    let mut waiting = Waiting {
        left: open.iter().copied().collect(),
        orders: HashMap::new(),
    };
    loop {
        // Read before the database is: what was consumed by then is found there.
        let consumed = ports.queue().consumed(&end).await?;
        waiting.look(ports).await?;
        let due = ports.inventory().refunds_due(None, PAGE).await?.len() as u64;
        let over = Instant::now() >= deadline || *stop.borrow();
        if (waiting.left.is_empty() && due == 0) || over {
            let orders = waiting.all(ports, &open).await?;
            let mut aftermath = account(ports, &open, &orders, consumed, counts).await;
            aftermath.unrefunded = due;
            return Ok(aftermath);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Orders that may not be final yet.
struct Waiting<'a> {
    /// In the order in which they are looked at.
    left: VecDeque<&'a Told>,
    /// What was read of those that were looked at.
    orders: HashMap<OrderId, Order>,
}

impl Waiting<'_> {
    /// Goes through those that are left up to the first that are not final: while they are not, there is no need to
    /// read the others, who may be a hundred thousand.
    async fn look<P: Ports>(&mut self, ports: &P) -> Result<(), Error> {
        let mut page = LOOK_AT;
        while !self.left.is_empty() {
            let front: Vec<&Told> = self.left.drain(..page.min(self.left.len())).collect();
            let ids: Vec<OrderId> = front.iter().map(|told| told.order_id).collect();
            self.orders.extend(read(ports, &ids).await?);
            let open = front.into_iter().filter(|told| {
                // Nobody was told that an order in doubt exists: it need not.
                match self.orders.get(&told.order_id) {
                    Some(order) => !is_final(order),
                    None => told.answer != Answer::InDoubt,
                }
            });
            let open: Vec<&Told> = open.collect();
            if !open.is_empty() {
                open.into_iter()
                    .rev()
                    .for_each(|told| self.left.push_front(told));
                break;
            }
            page = PAGE;
        }
        Ok(())
    }

    /// All orders as they are now. What is final stays so, and is not read again.
    async fn all<P: Ports>(
        mut self,
        ports: &P,
        open: &[&Told],
    ) -> Result<HashMap<OrderId, Order>, Error> {
        let unknown: Vec<OrderId> = (open.iter().map(|told| told.order_id))
            .filter(|id| !self.orders.get(id).is_some_and(is_final))
            .collect();
        self.orders.extend(read(ports, &unknown).await?);
        Ok(self.orders)
    }
}

fn is_final(order: &Order) -> bool {
    order.state != OrderState::Blocked
}

async fn read<P: Ports>(ports: &P, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, Error> {
    let mut found = HashMap::new();
    for page in ids.chunks(PAGE) {
        let orders = ports.inventory().orders(page.to_vec()).await?;
        found.extend(
            orders
                .into_iter()
                .flatten()
                .map(|order| (order.order_id, order)),
        );
    }
    Ok(found)
}

async fn account<P: Ports>(
    ports: &P,
    open: &[&Told],
    orders: &HashMap<OrderId, Order>,
    consumed: bool,
    counts: &mut Counts,
) -> Aftermath {
    let mut aftermath = Aftermath::default();
    for told in open {
        let accepted = told.answer.was_accepted();
        let Some(order) = orders.get(&told.order_id) else {
            // One that is neither in the database nor in the queue is lost, which the audit of the clients finds.
            if told.answer == Answer::Accepted && !consumed {
                aftermath.queued.push(told.order_id);
            }
            continue;
        };
        if !told.warm_up {
            count(counts, order, accepted);
        }
        match order.state {
            OrderState::Placed | OrderState::Failed => {}
            OrderState::Blocked => match ports.payments().lookup(told.order_id).await {
                Ok(Some(Verdict::Pending)) | Err(_) => {
                    aftermath.awaiting_gateway.push(told.order_id);
                }
                Ok(_) => aftermath.stuck.push(told.order_id),
            },
        }
    }
    aftermath
}

/// Counts what became of an order that was open.
fn count(counts: &mut Counts, order: &Order, accepted: bool) {
    // An order in doubt that exists was accepted after all.
    if accepted {
        counts.open -= 1;
    } else {
        counts.in_doubt -= 1;
        counts.accepted += 1;
    }
    match order.state {
        OrderState::Placed => {
            counts.placed += 1;
            let units: i64 = order.lines.iter().map(|line| line.quantity.units()).sum();
            counts.units_sold += u64::try_from(units).unwrap_or(0);
        }
        OrderState::Failed => {
            counts.failed[slot(order.reason.unwrap_or(Reason::Cancelled))] += 1;
        }
        OrderState::Blocked => counts.open += 1,
    }
}
