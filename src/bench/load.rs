//! A closed loop: callers that hand in one order after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::strategy::Decide;
use super::workload::{BenchOrder, Orders, Workload};
use crate::ports::Error;

/// Significant digits of latencies.
const DIGITS: u8 = 3;

/// When a measurement ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until {
    /// After this many orders.
    pub(super) orders: u64,
    /// No order begins after this time.
    pub(super) elapsed: Duration,
}

/// What was decided, and how long it took.
#[derive(Debug)]
pub(super) struct Measured {
    /// Orders decided.
    pub(super) orders: u64,
    /// From the first submission to the last decision.
    pub(super) elapsed: Duration,
    /// From submission to committed decision, in microseconds.
    pub(super) latency_us: Histogram<u64>,
    /// Refused orders, by the rank of their item.
    pub(super) refused: Vec<u64>,
}

impl Measured {
    pub(super) fn new(items: usize) -> Self {
        Self {
            orders: 0,
            elapsed: Duration::ZERO,
            latency_us: Histogram::new(DIGITS)
                .unwrap_or_else(|error| unreachable!("{DIGITS} digits are allowed: {error}")),
            refused: vec![0; items],
        }
    }

    /// Records a latency, of an order or of a batch.
    pub(super) fn record(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        // The histogram grows as needed, so that every value fits.
        let _ = self.latency_us.record(us.max(1));
    }

    /// Counts a decision.
    pub(super) fn count(&mut self, rank: usize, reserved: bool) {
        self.orders += 1;
        self.refused[rank] += u64::from(!reserved);
    }
}

/// Orders for all callers, until there are enough.
struct Feed {
    orders: Mutex<(Orders, u64)>,
    deadline: Option<Instant>,
}

impl Feed {
    fn next(&self) -> Option<BenchOrder> {
        if self.deadline.is_some_and(|end| Instant::now() >= end) {
            return None;
        }
        let mut feed = self.orders.lock();
        let (orders, left) = &mut *feed;
        *left = left.checked_sub(1)?;
        Some(orders.draw())
    }
}

/// Has `callers` callers decide orders, each one after the other. Sessions are opened before the clock starts.
///
/// # Errors
/// The first that a caller met.
pub(super) async fn drive<D: Decide>(
    strategy: D,
    workload: &Arc<Workload>,
    callers: usize,
    until: Until,
) -> Result<Measured, Error> {
    let strategy = Arc::new(strategy);
    let mut sessions = Vec::with_capacity(callers);
    for _ in 0..callers {
        sessions.push(strategy.session().await?);
    }
    let measured = Arc::new(Mutex::new(Measured::new(workload.skus().len())));
    let began = Instant::now();
    let feed = Arc::new(Feed {
        orders: Mutex::new((workload.orders(), until.orders)),
        deadline: began.checked_add(until.elapsed),
    });
    // Callers end with this set: nothing is left running when the measurement is given up.
    let mut calling = JoinSet::new();
    for session in sessions {
        let call = call(
            Arc::clone(&strategy),
            session,
            Arc::clone(&feed),
            Arc::clone(&measured),
        );
        calling.spawn(call);
    }
    while let Some(ended) = calling.join_next().await {
        ended.map_err(|error| Error::permanent("run a caller").because(error))??;
    }
    let mut measured = std::mem::replace(&mut *measured.lock(), Measured::new(0));
    measured.elapsed = began.elapsed();
    Ok(measured)
}

async fn call<D: Decide>(
    strategy: Arc<D>,
    mut session: D::Session,
    feed: Arc<Feed>,
    measured: Arc<Mutex<Measured>>,
) -> Result<(), Error> {
    while let Some(order) = feed.next() {
        let submitted = Instant::now();
        let reserved = strategy.decide(&mut session, &order).await?;
        let took = submitted.elapsed();
        let mut measured = measured.lock();
        measured.record(took);
        measured.count(order.rank, reserved);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::balance::balance;
    use super::*;
    use crate::domain::Quantity;

    /// Units in memory, and orders for them. Reads the stock, lets other callers in, and then writes.
    struct ReadThenWrite {
        available: Mutex<i64>,
        sold: Mutex<i64>,
    }

    impl Decide for Arc<ReadThenWrite> {
        type Session = ();

        async fn session(&self) -> Result<(), Error> {
            Ok(())
        }

        async fn decide(&self, (): &mut (), order: &BenchOrder) -> Result<bool, Error> {
            let seen = *self.available.lock();
            tokio::task::yield_now().await;
            if seen < order.quantity.units() {
                return Ok(false);
            }
            *self.available.lock() = seen - order.quantity.units();
            *self.sold.lock() += order.quantity.units();
            Ok(true)
        }
    }

    /// Refuses everything.
    struct Refuse;

    impl Decide for Refuse {
        type Session = ();

        async fn session(&self) -> Result<(), Error> {
            Ok(())
        }

        async fn decide(&self, (): &mut (), _: &BenchOrder) -> Result<bool, Error> {
            Ok(false)
        }
    }

    const STOCK: i64 = 20;

    const UNTIL: Until = Until {
        orders: 100,
        elapsed: Duration::MAX,
    };

    fn workload() -> Arc<Workload> {
        Arc::new(Workload::new(1, 0.0, Quantity::new(1).unwrap(), 7))
    }

    #[tokio::test]
    async fn a_strategy_that_oversells_is_found_out() {
        for (callers, oversells) in [(1, false), (8, true)] {
            let strategy = Arc::new(ReadThenWrite {
                available: Mutex::new(STOCK),
                sold: Mutex::new(0),
            });
            let driven = drive(Arc::clone(&strategy), &workload(), callers, UNTIL).await;
            let measured = driven.unwrap();
            assert_eq!(measured.orders, 100);
            assert_eq!(measured.latency_us.len(), 100);
            let sold = *strategy.sold.lock();
            let found = balance(&[STOCK], &[sold], &measured.refused, 1);
            assert_eq!(found.oversold > 0, oversells, "{sold} sold");
        }
    }

    #[tokio::test]
    async fn a_strategy_that_undersells_is_found_out() {
        let measured = drive(Refuse, &workload(), 4, UNTIL).await.unwrap();
        let found = balance(&[STOCK], &[0], &measured.refused, 1);
        assert_eq!(found.undersold, 20);
    }

    #[tokio::test]
    async fn no_order_begins_after_the_end() {
        let until = Until {
            elapsed: Duration::ZERO,
            ..UNTIL
        };
        let measured = drive(Refuse, &workload(), 4, until).await.unwrap();
        assert_eq!(measured.orders, 0);
    }
}
