//! `reserve`: the inventory of oms alone, called with one large batch after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batched::{HOLD, is_reserved};
use super::load::{Measured, Until};
use super::workload::{BenchOrder, Workload};
use crate::domain::AcceptedCart;
use crate::inventory::{Inventory, ReserveBatch};
use crate::ports::Error;
use crate::wiring::AnyInventory;

/// Carts of a batch.
const BATCH: usize = 8_000;

/// Batches that are made at a time, while the clock stands still: as many as memory allows easily.
const BATCHES_AT_ONCE: usize = 50;

/// Reserves batches. The clock runs during the calls only; one latency per batch.
pub(super) async fn measure(
    inventory: &AnyInventory,
    workload: &Arc<Workload>,
    until: Until,
) -> Result<Measured, Error> {
    let mut measured = Measured::new(workload.skus().len());
    let mut orders = workload.orders();
    let mut left = until.orders;
    while left > 0 && measured.elapsed < until.elapsed {
        let mut batches: Vec<(Vec<usize>, Vec<AcceptedCart>)> = Vec::new();
        while left > 0 && batches.len() < BATCHES_AT_ONCE {
            let size = usize::try_from(left).map_or(BATCH, |left| left.min(BATCH));
            left -= size as u64;
            let drawn: Vec<BenchOrder> = (0..size).map(|_| orders.draw()).collect();
            let ranks = drawn.iter().map(|order| order.rank).collect();
            batches.push((ranks, drawn.iter().map(BenchOrder::cart).collect()));
        }
        for (ranks, carts) in batches {
            if measured.elapsed >= until.elapsed {
                break;
            }
            let took = reserve(inventory, &ranks, carts, &mut measured).await?;
            measured.elapsed += took;
        }
    }
    Ok(measured)
}

async fn reserve(
    inventory: &AnyInventory,
    ranks: &[usize],
    carts: Vec<AcceptedCart>,
    measured: &mut Measured,
) -> Result<Duration, Error> {
    let began = Instant::now();
    let reservation = inventory
        .reserve(ReserveBatch { carts, hold: HOLD })
        .await?;
    let took = began.elapsed();
    measured.record(took);
    for (rank, outcome) in ranks.iter().zip(&reservation.outcomes) {
        measured.count(*rank, is_reserved(outcome));
    }
    Ok(took)
}
