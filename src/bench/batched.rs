//! `batched`: the inventory of oms, fed by the same group commit as its flow. Callers hold no connection while they wait,
//! so that many more of them can.

use std::sync::Arc;
use std::time::Duration;

use super::strategy::Decide;
use super::workload::{BenchOrder, Workload};
use crate::catalogue;
use crate::domain::{AcceptedCart, OrderState};
use crate::group::Group;
use crate::inventory::{Administration, Inventory, NewItem, ReserveBatch, ReserveOutcome};
use crate::ports::Error;
use crate::wiring::AnyInventory;

/// Items of one transaction while the catalogue is filled.
const ITEMS_MAX: usize = 1_000;

/// How long units are held: longer than a measurement.
pub(super) const HOLD: Duration = Duration::from_secs(86_400);

pub(super) struct Batched(Group<AcceptedCart, bool>);

impl Batched {
    /// Batches of at most `batch_max` orders.
    pub(super) fn start(inventory: Arc<AnyInventory>, batch_max: usize) -> Self {
        Self(Group::start(batch_max, move |carts| {
            let inventory = Arc::clone(&inventory);
            async move {
                let reservation = inventory
                    .reserve(ReserveBatch { carts, hold: HOLD })
                    .await?;
                Ok(reservation.outcomes.iter().map(is_reserved).collect())
            }
        }))
    }
}

impl Decide for Batched {
    type Session = ();

    async fn session(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn decide(&self, (): &mut (), order: &BenchOrder) -> Result<bool, Error> {
        self.0.submit(order.cart()).await
    }
}

pub(super) fn is_reserved(outcome: &ReserveOutcome) -> bool {
    matches!(outcome, ReserveOutcome::Order(order) if order.state == OrderState::Blocked)
}

/// Fills the catalogue with the stock of each item by rank.
pub(super) async fn fill(
    inventory: &AnyInventory,
    workload: &Workload,
    stock: &[i64],
) -> Result<(), Error> {
    let items = u32::try_from(workload.skus().len()).unwrap_or(u32::MAX);
    let items: Vec<NewItem> = catalogue::synthetic(items, 0, 0)
        .into_iter()
        .zip(stock)
        .map(|(item, stock)| NewItem {
            stock: *stock,
            ..item
        })
        .collect();
    for items in items.chunks(ITEMS_MAX) {
        inventory.put_items(items.to_vec()).await?;
    }
    Ok(())
}
