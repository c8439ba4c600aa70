//! Looks at what no buyer sees while a storm is under way: the backlog, and the stock of the watched items.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::flow::Flow;
use crate::inventory::Inventory as _;
use crate::ports::Ports as _;
use crate::queue::Queue as _;
use crate::simulate::Gauges;
use crate::wiring::OmsPorts;

/// How often the backlog is looked at.
const BACKLOG_EVERY: Duration = Duration::from_millis(100);

/// How often stock is looked at where nobody tells of it.
const STOCK_EVERY: Duration = Duration::from_millis(500);

/// Starts looking. Stock is read once; again and again where `from_afar`, since the service tells of no changes.
pub(super) fn look(flow: &Flow<OmsPorts>, gauges: &Arc<Gauges>, from_afar: bool) -> JoinHandle<()> {
    let (flow, gauges) = (flow.clone(), Arc::clone(gauges));
    tokio::spawn(async move {
        tokio::join!(backlog(&flow, &gauges), stock(&flow, &gauges, from_afar));
    })
}

async fn backlog(flow: &Flow<OmsPorts>, gauges: &Gauges) {
    let mut ticks = interval(BACKLOG_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // One that cannot be read stays as it was: the storm itself tells of the fault.
        if let Ok(messages) = flow.ports().queue().backlog().await {
            gauges.set_backlog(messages);
        }
    }
}

async fn stock(flow: &Flow<OmsPorts>, gauges: &Gauges, again: bool) {
    let mut ticks = interval(STOCK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let watched = gauges.watched().to_vec();
        if let Ok(answer) = flow.ports().inventory().stock(watched, false).await {
            answer
                .levels
                .iter()
                .flatten()
                .for_each(|level| gauges.learn(level));
            if !again {
                return;
            }
        }
    }
}
