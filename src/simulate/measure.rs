//! What a run measures. Every buyer writes to one of several shards, so that no lock is shared by all.

use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::told::{Answer, Told};
use crate::domain::{OrderId, Reason, Sku};

/// How many shards there are: several per core, so that two buyers seldom meet.
const SHARDS: usize = 16;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// From sending a cart to the answer.
    AddToCart,
    /// From sending `placeOrder` to a final answer, repeats included.
    PlaceOrder,
    /// From arrival (or return) to a final answer about an accepted order.
    EndToEnd,
}

/// Counts, all of this run. Reasons are indexed by [`Reason::ALL`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Buyers who arrived.
    pub arrived: u64,
    /// Buyers who are done.
    pub finished: u64,
    /// Carts sent, returns included; retries of one request are one.
    pub attempts: u64,
    /// Returns of buyers refused with `held`.
    pub returned: u64,
    /// Carts accepted.
    pub accepted: u64,
    /// Orders placed.
    pub placed: u64,
    /// Units in placed orders.
    pub units_sold: u64,
    /// Buyers who left because their cart was refused at once, by reason.
    pub refused: [u64; Reason::ALL.len()],
    /// Orders that failed, by reason.
    pub failed: [u64; Reason::ALL.len()],
    /// Buyers who were told `held` once more than they come back.
    pub gave_up_held: u64,
    /// Carts without an answer.
    pub in_doubt: u64,
    /// Accepted orders about which nothing final was said.
    pub open: u64,
}

impl Counts {
    /// All buyers who were refused at once and left.
    pub fn refused_all(&self) -> u64 {
        self.refused.iter().sum()
    }

    /// All orders that failed.
    pub fn failed_all(&self) -> u64 {
        self.failed.iter().sum()
    }

    fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.finished += other.finished;
        self.attempts += other.attempts;
        self.returned += other.returned;
        self.accepted += other.accepted;
        self.placed += other.placed;
        self.units_sold += other.units_sold;
        self.gave_up_held += other.gave_up_held;
        self.in_doubt += other.in_doubt;
        self.open += other.open;
        for (sum, count) in self.refused.iter_mut().zip(other.refused) {
            *sum += count;
        }
        for (sum, count) in self.failed.iter_mut().zip(other.failed) {
            *sum += count;
        }
    }
}

/// The place of a reason in arrays by reason.
pub const fn slot(reason: Reason) -> usize {
    reason as usize
}

/// Latencies of the three steps, in microseconds, to three significant digits.
#[derive(Debug, Clone)]
pub struct Latencies {
    /// [`Step::AddToCart`].
    pub add_to_cart: Histogram<u32>,
    /// [`Step::PlaceOrder`].
    pub place_order: Histogram<u32>,
    /// [`Step::EndToEnd`].
    pub end_to_end: Histogram<u32>,
}

impl Default for Latencies {
    fn default() -> Self {
        // The arguments are constants that the library accepts.
        let new = || Histogram::new(3).expect("three significant digits");
        Self {
            add_to_cart: new(),
            place_order: new(),
            end_to_end: new(),
        }
    }
}

impl Latencies {
    fn record(&mut self, step: Step, took: Duration) {
        let histogram = match step {
            Step::AddToCart => &mut self.add_to_cart,
            Step::PlaceOrder => &mut self.place_order,
            Step::EndToEnd => &mut self.end_to_end,
        };
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        // It grows as needed; what is beyond all bounds is recorded as the largest there is.
        if histogram.record(us).is_err() {
            histogram.saturating_record(us);
        }
    }

    fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.add_to_cart, &other.add_to_cart),
            (&mut self.place_order, &other.place_order),
            (&mut self.end_to_end, &other.end_to_end),
        ] {
            sum.add(part)
                .expect("a histogram that grows takes any other");
        }
    }
}

/// Everything measured so far.
#[derive(Debug, Default)]
pub struct Measured {
    /// Counts.
    pub counts: Counts,
    /// Latencies.
    pub latencies: Latencies,
    /// What each client was told, in no order.
    pub told: Vec<Told>,
    /// The item at fault of refusals at once; recorded for traces only.
    pub faults: Vec<(OrderId, Sku)>,
    /// When the last order became final.
    pub last_final: Option<Instant>,
}

/// The measurements of a run under way.
#[derive(Debug)]
pub struct Tally {
    shards: Vec<Mutex<Measured>>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Tally {
    /// Writes to the shard of a buyer.
    pub fn with<R>(&self, buyer: u32, write: impl FnOnce(&mut Measured) -> R) -> R {
        write(&mut self.shards[buyer as usize % SHARDS].lock())
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for shard in &self.shards {
            sum.add(&shard.lock().counts);
        }
        sum
    }

    /// Everything, taken out: nothing is left.
    pub fn take(&self) -> Measured {
        let mut all = Measured::default();
        for shard in &self.shards {
            let part = std::mem::take(&mut *shard.lock());
            all.counts.add(&part.counts);
            all.latencies.add(&part.latencies);
            all.told.extend(part.told);
            all.faults.extend(part.faults);
            all.last_final = all.last_final.max(part.last_final);
        }
        all
    }
}

impl Measured {
    /// Records how long a step took.
    pub fn time(&mut self, step: Step, took: Duration) {
        self.latencies.record(step, took);
    }

    /// Records what a client was told in the end about one request.
    pub fn tell(&mut self, told: Told, units: u64, now: Instant) {
        self.told.push(told);
        let counts = &mut self.counts;
        counts.attempts += 1;
        counts.accepted += u64::from(told.answer.was_accepted());
        match told.answer {
            Answer::Placed => {
                counts.placed += 1;
                counts.units_sold += units;
                self.last_final = self.last_final.max(Some(now));
            }
            Answer::Failed(reason) => {
                counts.failed[slot(reason)] += 1;
                self.last_final = self.last_final.max(Some(now));
            }
            Answer::Accepted | Answer::Forgotten => counts.open += 1,
            Answer::InDoubt => counts.in_doubt += 1,
            Answer::Refused(_) => {}
        }
    }
}

/// The most memory that this process ever had in use, in bytes; 0 where the system does not tell.
pub fn peak_rss_bytes() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return 0;
    };
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<u64>().ok())
        .map_or(0, |kibibytes| kibibytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn told(buyer: u32, answer: Answer) -> Told {
        Told {
            buyer,
            order_id: OrderId::v7(1, &[0; 10]),
            asked_at: Timestamp::from_millis(1),
            answered_at: Timestamp::from_millis(2),
            answer,
        }
    }

    #[test]
    fn every_reason_has_a_slot_of_its_own() {
        for (at, &reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(slot(reason), at);
        }
    }

    #[tokio::test]
    async fn shards_add_up() {
        let tally = Tally::default();
        let now = Instant::now();
        for buyer in 0..100 {
            tally.with(buyer, |shard| {
                let answer = if buyer % 2 == 0 {
                    Answer::Placed
                } else {
                    Answer::Failed(Reason::Declined)
                };
                shard.tell(told(buyer, answer), 2, now);
                shard.time(Step::AddToCart, Duration::from_micros(u64::from(buyer) + 1));
            });
        }
        let all = tally.take();
        assert_eq!(
            (
                all.counts.accepted,
                all.counts.placed,
                all.counts.units_sold
            ),
            (100, 50, 100)
        );
        assert_eq!(all.counts.failed[slot(Reason::Declined)], 50);
        assert_eq!(all.latencies.add_to_cart.len(), 100);
        assert_eq!(all.latencies.add_to_cart.max(), 100);
        assert_eq!(all.told.len(), 100);
        assert_eq!(all.last_final, Some(now));
        assert_eq!(tally.counts(), Counts::default());
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(peak_rss_bytes() > 100_000);
    }
}
